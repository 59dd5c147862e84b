import { createServer } from 'node:net'
import { test } from 'vitest'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'
import { cases, type Stage } from '../conformance/kit.ts'
import webhook from './index.ts'

const secret = 'whs-S3cret+of/this%test='

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const ways = {
  signed: {
    written: { hmac: { secret: { env: 'SECRET' }, style: 'stripe' } },
    sent: { hmac: { secret, style: 'stripe' } },
  },
  bearer: { written: { bearer: { env: 'SECRET' } }, sent: { bearer: secret } },
} as const

const start = async (way: keyof typeof ways): Promise<Stage> => {
  const port = await freePort()
  const { written, sent } = ways[way]
  const sender = webhookSender({ url: `http://127.0.0.1:${port}/badges`, ...sent })
  let acknowledged: boolean | null = null
  let pressed = 0
  const sending = (id: string, repeat: boolean) => {
    acknowledged = null
    if (!repeat) pressed++
    return sender.send(
      { id, at: Date.now() },
      { key: `press-${pressed}`, ...(repeat ? { replay: true as const } : {}) },
    )
  }
  const press = async (id = 'badge-17', repeat = false) => {
    const answer = sending(id, repeat).then(({ status }) => {
      acknowledged = status >= 200 && status < 300
    })
    // The sender waits for its answer for as long as the disk takes; the press is made before.
    await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50))])
  }
  return {
    opening: () => ({
      config: { listen: `127.0.0.1:${port}`, path: '/badges', ...written },
      inputs: { badge: { id: 'badge-17' } },
    }),
    secrets: { SECRET: secret },
    listensOn: port,
    buttons: [
      {
        device: 'badge',
        press: () => press(),
        restores: false,
        remembers: false,
        acknowledged: () => acknowledged,
        repeat: () => press('badge-17', true),
        stranger: () => press('badge-99'),
      },
    ],
    close: async () => {},
  }
}

const all = await cases(
  { name: 'signed', connector: webhook, start: () => start('signed') },
  { name: 'bearer', connector: webhook, start: () => start('bearer') },
)
for (const { name, run } of all) test(name, run)
