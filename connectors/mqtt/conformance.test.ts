import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { badgesAt, payloads } from '../../mocks/badges/index.ts'
import { startMosquitto } from '../../mocks/mosquitto/index.ts'
import { type Button, cases, type Stage } from '../conformance/kit.ts'
import mqtt from './index.ts'

const password = 'mq-S3cret+of/this%test='
const folder = mkdtempSync(join(tmpdir(), 'mqtt-'))
const passwordFile = join(folder, 'passwords')
execFileSync('mosquitto_passwd', ['-c', '-b', passwordFile, 'bridge', password])
execFileSync('mosquitto_passwd', ['-b', passwordFile, 'badges', 'badges'])
afterAll(() => rmSync(folder, { recursive: true }))

type Badges = ReturnType<typeof badgesAt>

/** How one profile is written, and how its badges are pressed. */
interface Way {
  readonly written: { readonly version: 4 | 5; readonly profile: string }
  readonly id: string
  press(badges: Badges, id: string): Promise<void>
  repeat(badges: Badges, id: string): Promise<void>
}

const counting: Way = {
  written: { version: 4, profile: 'kontakt' },
  id: 'badge-17',
  press: (badges, id) => badges.click(id, { gateways: ['gw-1', 'gw-2'] }),
  repeat: (badges, id) => badges.advertise(id, ['gw-3']),
}

const lora = (): Way => {
  let frame = 100
  const up = (badges: Badges, eui: string, drawn: string) =>
    badges.say(payloads.chirpstack({ eui, frame, bytes: [0xff, 0x2e, 1], drawn }))
  return {
    written: { version: 5, profile: 'chirpstack' },
    id: '24e124535d387374',
    press: (badges, id) => {
      frame++
      return up(badges, id, `first-${frame}`)
    },
    repeat: (badges, id) => up(badges, id, `again-${frame}`),
  }
}

const start = async ({ written, id, press, repeat }: Way): Promise<Stage> => {
  const broker = await startMosquitto({ login: { username: 'bridge', passwordFile } })
  const badges = badgesAt({ port: broker.brokerPort, username: 'badges', password: 'badges' })
  const { deliveries } = broker
  let before = 0
  const counted = (run: Promise<void>) => {
    before = deliveries.delivered
    return run
  }
  const button: Button = {
    device: 'badge',
    press: () => counted(press(badges, id)),
    restores: false,
    remembers: true,
    acknowledged: () =>
      deliveries.delivered === before ? null : deliveries.acknowledged === deliveries.delivered,
    repeat: () => repeat(badges, id),
    stranger: () => press(badges, 'ffff000000000099'),
  }
  return {
    opening: (port) => ({
      config: {
        ...written,
        url: `mqtt://127.0.0.1:${port}`,
        username: 'bridge',
        password: { env: 'SECRET' },
        keepalive: '1s',
        timeout: '800ms',
        areas: { 'gw-1': { place: 'north/l2/ed', precision: 'unit' } },
      },
      inputs: { badge: { id } },
    }),
    secrets: { SECRET: password },
    peer: broker,
    buttons: [button],
    close: async () => {
      await badges.close()
      await broker.close()
    },
  }
}

const all = await cases(
  { name: '3.1.1, counters', connector: mqtt, start: () => start(counting) },
  { name: '5, frames', connector: mqtt, start: () => start(lora()) },
)
for (const { name, run } of all) test(name, run)
