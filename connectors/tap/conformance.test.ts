import { createServer } from 'node:net'
import { test } from 'vitest'
import { type Answer, TapSender } from '../../mocks/tap-sender/index.ts'
import { cases, type Stage } from '../conformance/kit.ts'
import tap from './index.ts'

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
  const page = async (text: string): Promise<Answer> => {
    const sender = await TapSender.dial(port).catch(() => null)
    if (!sender) return 'silence'
    try {
      await sender.logIn()
      return await sender.page('4711', text, { retries: 0 })
    } catch {
      return 'silence'
    } finally {
      await sender.hangUp()
    }
  }
  const send = async (text: string) => {
    answer = null
    const sent = page(text).then((got) => {
      answer = got
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 100))])
  }
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        patterns: [{ match: 'code gray (?<place>ed \\d+)', kind: 'duress' }],
        places: { 'ED 2': { place: 'north/l2/ed/triage-2', precision: 'room' } },
      },
      inputs: { triage: { id: 'ED 2' } },
    }),
    secrets: {},
    listensOn: port,
    buttons: [
      {
        device: 'triage',
        press: () => send(`CODE GRAY ED 2 No. ${++pressed}`),
        restores: false,
        remembers: false,
        acknowledged: () => (answer === null ? null : answer === 'acknowledged'),
        repeat: () => send(`CODE GRAY ED 2 No. ${pressed}`),
        stranger: () => send('WATER ON THE FLOOR'),
      },
    ],
    close: async () => {},
  }
}

for (const { name, run } of await cases({ connector: tap, start })) test(name, run)
