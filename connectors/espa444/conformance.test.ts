import { createServer } from 'node:net'
import { test } from 'vitest'
import { type Answer, EspaStation } from '../../mocks/espa-station/index.ts'
import { cases, type Stage } from '../conformance/kit.ts'
import espa444 from './index.ts'

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const start = async (): Promise<Stage> => {
  const port = await freePort()
  let answer: Answer | null = null
  let pressed = 0
  const call = async (to: string, text: string): Promise<Answer> => {
    const station = await EspaStation.dial(port).catch(() => null)
    if (!station) return 'silence'
    const got = await station.call({ to, text, priority: '1' }, { retries: 0 })
    await station.hangUp()
    return got
  }
  const send = async (to: string, text: string) => {
    answer = null
    const sent = call(to, text).then((got) => {
      answer = got
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        priorities: { 1: 'duress' },
        patterns: [{ match: 'alarm (?<place>ed \\d+)' }],
        places: { 'ED 2': { place: 'north/l2/ed/triage-2', precision: 'room' } },
      },
      inputs: { triage: { id: 'ED 2' } },
    }),
    secrets: {},
    listensOn: port,
    buttons: [
      {
        device: 'triage',
        press: () => send('3001', `ALARM ED 2 No. ${++pressed}`),
        restores: false,
        remembers: false,
        acknowledged: () => (answer === null ? null : answer === 'acknowledged'),
        repeat: () => send('3001', `ALARM ED 2 No. ${pressed}`),
        stranger: () => send('9', 'WATER ON THE FLOOR'),
      },
    ],
    close: async () => {},
  }
}

for (const { name, run } of await cases({ connector: espa444, start })) test(name, run)
