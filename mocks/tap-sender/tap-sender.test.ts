import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { blocks, checksum, spoilt, withParity } from './frame.ts'
import { TapSender } from './index.ts'

test('the example of the specification: a sum of 379 is written 17;', () => {
  expect(checksum('\u0002123\rABC\r\u0003')).toBe('17;')
  expect(blocks('123', 'ABC')).toEqual(['\u0002123\rABC\r\u000317;\r'])
})

test('a long page goes on at the end of a field, or within one', () => {
  expect(blocks('1', 'ABCD', 'ETB').map((block) => block.slice(0, -4))).toEqual([
    '\u00021\r\u0017',
    '\u0002ABCD\r\u0003',
  ])
  expect(blocks('1', 'ABCD', 'US').map((block) => block.slice(0, -4))).toEqual([
    '\u00021\rAB\u001f',
    '\u0002CD\r\u0003',
  ])
})

test('a spoilt block has another checksum, and nothing else', () => {
  const [block = ''] = blocks('123', 'ABC')
  expect(spoilt(block)).toBe('\u0002123\rABC\r\u0003170\r')
})

test('even parity: C has three ones, A has two', () => {
  expect([...withParity('CA')]).toEqual([0xc3, 0x41])
})

describe('the sender', () => {
  const closing: (() => void)[] = []
  afterEach(() => {
    for (const close of closing.splice(0)) close()
  })

  /** A terminal that answers by a table. */
  const terminal = (answers: Record<string, string>): Promise<number> =>
    new Promise((resolve) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('data', (bytes) => socket.write(answers[bytes.toString('latin1')] ?? '\u0015\r'))
      })
      closing.push(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
      })
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })

  test('logs in, pages, logs out, and says what it was answered', async () => {
    const port = await terminal({
      '\r': 'ID=',
      '\u001bPG1\r': '\u0006\r\u001b[p\r',
      '\u0002123\rABC\r\u000317;\r': '\u0006\r',
      '\u0004\r': '\u001b\u0004\r',
    })
    const sender = await TapSender.dial(port)
    await sender.logIn()
    expect(await sender.page('123', 'ABC')).toBe('acknowledged')
    expect(await sender.page('123', 'ABD')).toBe('refused')
    await sender.logOut()
    await sender.hangUp()
  })

  test('does not wait for ever', async () => {
    const sender = await TapSender.dial(await terminal({ '\r': '' }), { patienceMs: 30 })
    await expect(sender.logIn()).rejects.toThrow('expected "ID="')
    await sender.hangUp()
  })
})
