import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { block } from './frame.ts'
import { EspaStation } from './index.ts'

const hex = (bytes: Buffer) => bytes.toString('hex')

test('the worked example: a panic call with its check character 0x67', () => {
  const call = { to: '3001', text: 'PANIC ED TRIAGE 2', callType: '3', priority: '1' }
  expect(hex(block(call))).toBe(
    '013102311f333030311e321f50414e49432045442054524941474520321e331f351e341f331e351f311e361f310367',
  )
})

describe('the station', () => {
  const closing: (() => void)[] = []
  afterEach(() => {
    for (const close of closing.splice(0)) close()
  })

  /** A paging side that answers by a table of what came. */
  const pagingSide = (answers: Record<string, string>): Promise<number> =>
    new Promise((resolve) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('data', (bytes) => {
          const answer = answers[hex(bytes)]
          if (answer !== undefined) socket.write(Buffer.from(answer, 'hex'))
        })
      })
      closing.push(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })

  test('polls itself, selects, sends, ends; and says what it was answered', async () => {
    const call = { to: '1', text: 'A' }
    const port = await pagingSide({ '31053205': '06', [hex(block(call))]: '06', '3205': '04' })
    const station = await EspaStation.dial(port, { patienceMs: 50 })
    expect(await station.poll()).toBe(true)
    expect(await station.call(call)).toBe('acknowledged')
    expect(await station.call({ to: '1', text: 'B' })).toBe('silence')
    await station.hangUp()
  })

  test('understands that the other side is not ready', async () => {
    const station = await EspaStation.dial(await pagingSide({ '31053205': '3215' }))
    expect(await station.call({ to: '1' })).toBe('not-ready')
    await station.hangUp()
  })
})
