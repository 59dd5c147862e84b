import { createServer } from 'node:net'
import { test } from 'vitest'
import { type Mail, mailSender } from '../../mocks/mail-sender/index.ts'
import { cases, type Stage } from '../conformance/kit.ts'
import smtp from './index.ts'

const password = 'Pa55-for+SMTP/%=x'

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const start = async (): Promise<Stage> => {
  const port = await freePort()
  const sender = mailSender({ port, login: { user: 'rtls', password } })
  let acknowledged: boolean | null = null
  let pressed = 0
  const sending = async (send: () => Promise<{ code: number }>) => {
    acknowledged = null
    const answer = send().then(({ code }) => {
      acknowledged = code === 250
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300))])
  }
  const mail = (badge: string): Mail => ({
    to: ['alarms@bridge.test'],
    subject: `CODE GRAY badge ${badge}`,
    text: `call ${pressed}`,
  })
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        from: ['127.0.0.1'],
        logins: { rtls: { password: { env: 'SMTP_PASSWORD' } } },
        patterns: [{ match: 'code gray badge (?<id>\\d+)', kind: 'duress' }],
      },
      inputs: { badge: { id: '17' } },
    }),
    secrets: { SMTP_PASSWORD: password },
    listensOn: port,
    buttons: [
      {
        device: 'badge',
        press: () => {
          pressed++
          return sending(() => sender.mail(mail('17')))
        },
        restores: false,
        remembers: false,
        acknowledged: () => acknowledged,
        repeat: () => sending(() => sender.mail(mail('17'))),
        stranger: () => sending(() => sender.mail(mail('99'))),
      },
    ],
    close: async () => {},
  }
}

for (const { name, run } of await cases({ connector: smtp, start })) test(name, run)
