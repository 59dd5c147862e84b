import { existsSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { readTrailKey } from '../../core/trail/key.ts'
import { entriesIn } from '../../core/trail/payload.ts'
import { verifyTrail } from '../../core/trail/verify.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { randomOf } from '../simulation/random.ts'
import { cleanUp, freePort, Program, rowsOf, run } from './program.ts'
import { Sink, type Taken } from './sink.ts'

/** Promise 1. kill -9 under load at random points; what was acknowledged is on disk and is responded to. */
const kills = 50
const badges = 500
const pressesALife = 300
const senders = 16
/** A receipt rides in the next commit: what the sink answered less than this before a kill may not be on disk yet, ms. */
const notYetWrittenMs = 1_000
const commandsAnIncident = 5
const token = 'only for this test'
const kinds = ['duress', 'assist', 'weapon', 'medical', 'hazard', 'hold-up', 'unknown'] as const

let sink: Sink
let pager: SnppPager
afterEach(async () => {
  await cleanUp()
  await Promise.all([sink.close(), pager.close()])
})

const site = (webhook: number) => ({
  site: { name: 'Killed', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building' } },
  connectors: {
    badges: {
      type: 'webhook',
      listen: `127.0.0.1:${webhook}`,
      path: '/badges',
      bearer: { env: 'BADGES_TOKEN' },
    },
    centre: { type: 'http', url: sink.url, connections: 8, requests: { 'event.send': {}, 'page.send': {} } },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
  },
  devices: {
    desk: { connector: 'centre', output: {}, perceptible: 'none', place: 'house' },
    psim: { connector: 'centre', output: { values: { name: 'psim' } }, perceptible: 'none', place: 'house' },
    ...Object.fromEntries(
      Array.from({ length: badges }, (_, n) => [
        `badge-${n}`,
        { connector: 'badges', input: { id: `${n}` } },
      ]),
    ),
  },
  responders: {
    security: { page: { connector: 'pagers', id: '5550100', perceptible: 'vibrate' } },
    text: { page: { connector: 'centre', values: { number: 1 }, perceptible: 'none' } },
    call: { page: { connector: 'centre', values: { number: 2 }, perceptible: 'none' } },
  },
  plans: {
    all: {
      when: {},
      steps: [
        {
          at: '0s',
          do: [
            { 'page.send': { to: ['security', 'text', 'call'] } },
            { 'event.send': { to: ['desk', 'psim'] } },
          ],
        },
        { at: '1h', unless: 'acknowledged', do: [{ 'page.send': { to: 'security' } }] },
      ],
    },
  },
})

interface Press {
  readonly key: string
  /** Badge, kind and drill: what opens an incident of its own. */
  readonly matter: string
  readonly body: string
  /** Set by the first 2xx. */
  ack: { id: string; incident: string } | null
}

/** Each press is another badge, or the same one with another kind: an incident of its own. */
const pressNumber = (n: number): Press => {
  const call = {
    id: `${n % badges}`,
    kind: kinds[Math.floor(n / badges) % kinds.length],
    drill: n >= badges * kinds.length,
  }
  return { key: `press-${n}`, matter: JSON.stringify(call), body: JSON.stringify(call), ack: null }
}

/** What the webhook answered; null when the connection broke. */
const send = (
  port: number,
  agent: Agent,
  { key, body }: Press,
): Promise<{ status: number; body: string } | null> =>
  new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'idempotency-key': key,
      'content-type': 'application/json',
    }
    const call = request({ host: '127.0.0.1', port, path: '/badges', method: 'POST', agent, headers })
    call.on('error', () => resolve(null))
    call.on('response', (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', () => resolve(null))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    call.end(body)
  })

/** Several senders at once, each with its next press as soon as the one before is answered, until the other end is dead. */
const load = async (port: number, presses: readonly Press[], oddities: string[]): Promise<void> => {
  const agent = new Agent({ keepAlive: true, maxSockets: senders })
  const rest = [...presses]
  const sender = async () => {
    for (let press = rest.shift(); press; press = rest.shift()) {
      const answer = await send(port, agent, press)
      if (!answer) return
      if (answer.status !== 200) oddities.push(`${press.key} was answered ${answer.status}: ${answer.body}`)
      const { id, incident, duplicate } = JSON.parse(answer.body)
      if (press.ack && (press.ack.id !== id || press.ack.incident !== incident || !duplicate))
        oddities.push(`${press.key} was ${JSON.stringify(press.ack)}, and again ${answer.body}`)
      press.ack ??= { id, incident }
    }
  }
  await Promise.all(Array.from({ length: senders }, sender))
  agent.destroy()
}

const brokenTrail = (data: string) =>
  existsSync(join(data, 'duress.db')) ? verifyTrail(storeFiles(data), readTrailKey(data)!).broken : null

const median = (numbers: readonly number[]): number =>
  Math.round([...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0)

test(`${kills} kills under load lose nothing that was acknowledged, and respond to all of it`, async () => {
  const seed = Number(process.env['DURESS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`seed ${seed} (DURESS_SEED)`)
  const random = randomOf(seed)
  sink = await Sink.start()
  sink.answersAfter = () => Math.floor(random() * 4)
  pager = await startSnppPager({ pagers: ['5550100'] })
  pager.journal.allow('page')
  const port = await freePort()
  const program = new Program(site(port), { env: { BADGES_TOKEN: token } })

  const all: Press[] = []
  const lives: Life[] = []
  const oddities: string[] = []
  const startsMs: number[] = []
  let next = 0
  for (let life = 0; life < kills; life++) {
    const began = performance.now()
    await program.start()
    startsMs.push(performance.now() - began)
    // First what the life before left without an answer, and ten of those that were answered once.
    const again = all.filter(({ ack }) => !ack).concat(all.filter(({ ack }) => ack).slice(-10))
    const fresh = Array.from({ length: pressesALife }, () => pressNumber(next++))
    all.push(...fresh)
    await program.link('badges')
    const loading = load(port, [...again, ...fresh], oddities)
    await wait(20 + random() * 580)
    const killedAt = Date.now()
    await program.kill()
    await loading
    // What a dead process had still written arrives, and counts as sent by it.
    await wait(20)
    lives.push({ killedAt, until: sink.all.length })
    expect(brokenTrail(program.data)).toBeNull()
    oddities.push(...errorsIn(program.stderr))
    // What was never sent is for the next life.
    next -= fresh.length - lastSent(fresh)
    all.splice(all.length - (fresh.length - lastSent(fresh)))
  }

  await program.start()
  const up = performance.now()
  await program.written(60_000)
  const resumedMs = Math.round(performance.now() - up)
  await program.link('badges')
  await load(port, all, oddities)
  await program.written(60_000)
  expect(await program.end()).toBe(0)

  expect(oddities).toEqual([])
  const stored = new Map(
    rowsOf(program.data, 'SELECT key, id, incident FROM fact').map((row) => [row.key, row]),
  )
  const incidents = new Map(
    rowsOf(program.data, 'SELECT id, number FROM incident').map((row) => [row.id, row.number]),
  )
  // Acknowledged, and there: the event, and its incident.
  const missing = all.filter(({ key, matter, ack }) => {
    const row = stored.get(`"${JSON.parse(matter).id}" ${key}`)
    return !ack || row?.id !== ack.id || row?.incident !== ack.incident || !incidents.has(ack.incident)
  })
  expect(missing).toEqual([])
  expect(stored.size).toBe(all.length)
  // One incident a matter, however often its press was sent.
  expect(incidents.size).toBe(new Set(all.map(({ matter }) => matter)).size)
  expect(new Set(all.map(({ ack }) => ack?.incident)).size).toBe(incidents.size)

  // Each has its commands, each command one receipt: in its row, and on the trail.
  const odd =
    'SELECT incident FROM command GROUP BY incident HAVING count(*) <> ? OR count(receipt) <> ?'.replaceAll(
      '?',
      `${commandsAnIncident}`,
    )
  expect(rowsOf(program.data, odd)).toEqual([])
  expect(rowsOf(program.data, 'SELECT count(DISTINCT incident) AS n FROM command')[0].n).toBe(incidents.size)
  const receipts = new Map<string, number>()
  for (const { payload } of rowsOf(program.data, 'SELECT payload FROM trail'))
    for (const entry of entriesIn(payload) as any[])
      if (entry.what === 'receipt') receipts.set(entry.command, (receipts.get(entry.command) ?? 0) + 1)
  expect([...receipts.values()].filter((n) => n !== 1)).toEqual([])
  expect(receipts.size).toBe(incidents.size * commandsAnIncident)
  const repeats = checkRepeats(lives)
  const givenUp = checkGivenUp(program.data)
  checkPages(new Set(incidents.values()), new Set(givenUp.map(({ number }) => number)))

  const verified = await run('trail', 'verify', '--data', program.data)
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('The trail is whole') })
  console.log(
    `${kills} kills, ${all.length} presses, ${receipts.size} commands, ${repeats} sent again over HTTP, ` +
      `${givenUp.length} given up after three kills; start to ready ${median(startsMs)} ms (median), ` +
      `all that was left complete ${resumedMs} ms after ready`,
  )
}, 360_000)

/** What the log has at level error: a defect, or a connector that threw. */
const errorsIn = (log: string): string[] =>
  log.split('\n').filter((line) => line.startsWith('{"level":50') || line.startsWith('{"level":60'))

/** How many of the presses were given to the wire at all: the first so many, since senders take them in order. */
const lastSent = (fresh: readonly Press[]): number =>
  Math.min(fresh.length, fresh.findLastIndex(({ ack }) => ack !== null) + 1 + senders)

/** One life of the program: when it was killed, and how much the sink had by then. */
interface Life {
  readonly killedAt: number
  readonly until: number
}

/**
 * No command goes out twice but across a kill that met it in flight, so that no receipt of it may be on disk; then it
 * says that it may be a repeat. Returns how many were sent again.
 */
const checkRepeats = (lives: readonly Life[]): number => {
  const before = new Map<string, { taken: Taken; life: number }>()
  const wrong: string[] = []
  let repeats = 0
  for (const [index, taken] of sink.all.entries()) {
    const life = lives.filter(({ until }) => until <= index).length
    const last = before.get(taken.id)
    before.set(taken.id, { taken, life })
    if (!last) continue
    repeats++
    const { answeredAt } = last.taken
    const killedAt = lives[last.life]?.killedAt ?? Number.POSITIVE_INFINITY
    const inFlight = answeredAt === null || answeredAt >= killedAt - notYetWrittenMs
    if (last.life === life || !inFlight) wrong.push(`${taken.id} in life ${last.life} and ${life}`)
    if (taken.message.possibleRepeat !== true) wrong.push(`${taken.id} was sent again and does not say so`)
  }
  expect(wrong).toEqual([])
  return repeats
}

/** All are done, but for those that three kills met in flight: the rule against a command that kills the bridge. */
const checkGivenUp = (data: string): { id: string; number: number }[] => {
  const sql = `SELECT command.id, number, receipt FROM command JOIN incident ON incident.id = command.incident
    WHERE receipt ->> 'end' <> 'done'`
  const all = rowsOf(data, sql)
  const reasons = all.map(({ receipt }) => JSON.parse(receipt).why)
  expect(reasons.filter((why) => why !== 'CRASHED: 3 attempts ended in a crash of the bridge')).toEqual([])
  return all
}

/** Each incident was paged; of several pages all but the first say REPEAT?. */
const checkPages = (numbers: ReadonlySet<number>, givenUp: ReadonlySet<number>): void => {
  const pages = new Map<number, string[]>()
  for (const { detail } of pager.journal.all) {
    const text = String(detail['text'])
    const number = Number(/#(\d+)/.exec(text)?.[1])
    pages.set(number, [...(pages.get(number) ?? []), text])
  }
  expect([...numbers].filter((number) => !pages.has(number) && !givenUp.has(number))).toEqual([])
  const silent = [...pages.values()].filter((texts) =>
    texts.slice(1).some((text) => !text.includes('REPEAT?')),
  )
  expect(silent).toEqual([])
}
