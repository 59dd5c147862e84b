/** What badges that are heard by several gateways once a second cost: a table for each profile. Run: node test/bench/badges.ts [seconds] */
import mqtt from '../../connectors/mqtt/index.ts'
import { badgesAt, payloads } from '../../mocks/badges/index.ts'
import type { Published } from '../../mocks/badges/payloads.ts'
import { startMosquitto } from '../../mocks/mosquitto/index.ts'
import { testContext } from '../context.ts'

const badgesCount = 1_500
const gateways = 4
const seconds = Number(process.argv[2] ?? 20)
const uuid = '1de4b189115e45f6b44e509352269977'
/** Each gateway hears a badge as its distance wants it, with some noise. */
const rssi = (nth: number, gateway: number) =>
  -50 - ((nth + gateway * 7) % 40) - Math.round(Math.random() * 4)
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const profiles: Record<
  string,
  { config: object; id: (nth: number) => string; say: (nth: number, gateway: number) => Published }
> = {
  kontakt: {
    config: { profile: 'kontakt' },
    id: (nth) => `tag-${nth}`,
    say: (nth, gateway) =>
      payloads.kontakt({
        tag: `tag-${nth}`,
        gateway: `gw-${gateway}`,
        rssi: rssi(nth, gateway),
        clicks: 3,
        sinceMs: null,
      }),
  },
  openmqttgateway: {
    config: { profile: 'openmqttgateway', alarm: { uuid: uuid.replace('7', '8') } },
    id: (nth) => `7/${nth}`,
    say: (nth, gateway) =>
      payloads.openmqttgateway(`gw-${gateway}`, {
        mac: '58:78:20:76:BC:24',
        uuid,
        major: 7,
        minor: nth,
        rssi: rssi(nth, gateway),
      }),
  },
}

/** Sent by another process, so that only the bridge's own time is counted. */
if (process.argv[3] !== undefined)
  await send(process.argv[3], Number(process.argv[4]), Number(process.argv[5]) as 0 | 1)
else {
  console.log(
    `${badgesCount} badges, ${gateways} gateways, one advertisement a second each: ${seconds} s a row`,
  )
  console.table(await Promise.resolve(all()))
}

async function all() {
  const rows = []
  for (const name of Object.keys(profiles))
    for (const qos of [0, 1] as const) rows.push(await measure(name, qos))
  return rows
}

async function measure(name: string, qos: 0 | 1) {
  const { config, id } = profiles[name] as (typeof profiles)[string]
  // As Debian ships it: what is queued is written every half hour, not with each message.
  const broker = await startMosquitto({ lines: ['autosave_on_changes false', 'autosave_interval 1800'] })
  const { ctx, notes, facts } = testContext()
  const areas = Object.fromEntries(
    Array.from({ length: gateways }, (_, nth) => [`gw-${nth}`, { place: `p${nth}`, precision: 'zone' }]),
  )
  const link = await mqtt.open(
    {
      name: 'badges',
      config: mqtt.config.parse({ url: `mqtt://127.0.0.1:${broker.brokerPort}`, areas, ...config }),
      inputs: new Map(Array.from({ length: badgesCount }, (_, nth) => [`badge-${nth}`, { id: id(nth) }])),
      outputs: new Map<string, never>(),
      cursors: new Map(),
    },
    ctx,
  )
  const { spawn } = await import('node:child_process')
  const sender = spawn(
    process.execPath,
    [import.meta.filename, String(seconds), name, String(broker.brokerPort), String(qos)],
    { stdio: 'inherit' },
  )
  await sleep(2_000)
  const messages = async () =>
    (((await link.probe?.(null, AbortSignal.timeout(5_000))) ?? { messages: 0 }) as { messages: number })
      .messages
  const before = {
    cpu: process.cpuUsage(),
    at: performance.now(),
    messages: await messages(),
    notes: notes.length,
  }
  await sleep(seconds * 1_000)
  const { user, system } = process.cpuUsage(before.cpu)
  const heard = (await messages()) - before.messages
  const elapsed = (performance.now() - before.at) / 1_000
  const row = {
    profile: name,
    qos,
    'messages/s': Math.round(heard / elapsed),
    'notes/s': Math.round((notes.length - before.notes) / elapsed),
    'CPU of one core': `${((user + system) / 1e4 / elapsed).toFixed(1)} %`,
    'µs/message': ((user + system) / heard).toFixed(1),
    presses: facts.length,
    'MB rss': Math.round(process.memoryUsage.rss() / 1_048_576),
  }
  sender.kill()
  await link.close()
  await broker.close()
  return row
}

/** As many publishers as gateways, each telling all badges once a second. */
async function send(name: string, port: number, qos: 0 | 1): Promise<void> {
  const { say } = profiles[name] as (typeof profiles)[string]
  const gateway = async (nth: number) => {
    const badges = badgesAt({ port })
    for (let round = performance.now(); ; round += 1_000) {
      for (let part = 0; part < 20; part++) {
        const from = (badgesCount / 20) * part
        await Promise.all(
          Array.from({ length: badgesCount / 20 }, (_, badge) => badges.say(say(from + badge, nth), { qos })),
        )
        await sleep(Math.max(0, round + part * 50 - performance.now()))
      }
    }
  }
  await Promise.all(Array.from({ length: gateways }, (_, nth) => gateway(nth)))
}
