import { createServer } from 'node:net'
import { test } from 'vitest'
import { type Sending, snppSender } from '../../../mocks/snpp-sender/index.ts'
import { cases, type Stage } from '../../conformance/kit.ts'
import receiver from './index.ts'

const password = 'Pa55-for+SNPP/%=x'

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const start = async (): Promise<Stage> => {
  const port = await freePort()
  const sender = snppSender({ port, login: { id: 'rtls', password } })
  let acknowledged: boolean | null = null
  let pressed = 0
  const sending = async (page: Sending) => {
    acknowledged = null
    const answer = sender.page(page).then(({ code }) => {
      acknowledged = code === 250
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  const text = (badge: string) => `CODE GRAY badge ${badge} call ${pressed}`
  return {
    opening: () => ({
      config: {
        listen: `127.0.0.1:${port}`,
        logins: { rtls: { password: { env: 'SNPP_PASSWORD' } } },
        patterns: [{ match: 'code gray badge (?<id>\\d+)', kind: 'duress' }],
      },
      inputs: { badge: { id: '17' } },
    }),
    secrets: { SNPP_PASSWORD: password },
    listensOn: port,
    buttons: [
      {
        device: 'badge',
        press: () => {
          pressed++
          return sending({ pagers: ['5550100'], text: text('17') })
        },
        restores: false,
        remembers: false,
        acknowledged: () => acknowledged,
        repeat: () => sending({ pagers: ['5550100'], text: text('17') }),
        stranger: () => sending({ pagers: ['5550100'], text: text('99') }),
      },
    ],
    close: async () => {},
  }
}

for (const { name, run } of await cases({ connector: receiver, start })) test(name, run)
