import { createServer } from 'node:net'
import { test } from 'vitest'
import { type Message, wctpSender } from '../../mocks/wctp-sender/index.ts'
import { cases, type Stage } from '../conformance/kit.ts'
import wctp from './index.ts'

const securityCode = 'c0de-for+WCTP/%=x'

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const start = async (): Promise<Stage> => {
  const port = await freePort()
  const sender = wctpSender({
    url: `http://127.0.0.1:${port}/wctp`,
    senderID: 'rtls@hospital.test',
    securityCode,
  })
  let acknowledged: boolean | null = null
  let pressed = 0
  const sending = async (send: () => Promise<{ code: number }>) => {
    acknowledged = null
    const answer = send().then(({ code }) => {
      acknowledged = code === 200
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  const message = (badge: string): Message => ({
    to: '5550100',
    text: `CODE GRAY badge ${badge} call ${pressed}`,
  })
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        senders: { 'rtls@hospital.test': { code: { env: 'WCTP_CODE' } } },
        patterns: [{ match: 'code gray badge (?<id>\\d+)', kind: 'duress' }],
      },
      inputs: { badge: { id: '17' } },
    }),
    secrets: { WCTP_CODE: securityCode },
    listensOn: port,
    buttons: [
      {
        device: 'badge',
        press: () => {
          pressed++
          return sending(() => sender.submit(message('17')))
        },
        restores: false,
        remembers: false,
        acknowledged: () => acknowledged,
        repeat: () => sending(() => sender.submit(message('17'))),
        stranger: () => sending(() => sender.submit(message('99'))),
      },
    ],
    close: async () => {},
  }
}

for (const { name, run } of await cases({ connector: wctp, start })) test(name, run)
