import { execFileSync } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { webhookSender } from '../../mocks/webhook-sender/index.ts'
import { fill, smallDisk, unmountAll } from './disk.ts'
import { cleanUp, endAll, freePort, newDir, Program, passed, run, until } from './program.ts'
import { Sink } from './sink.ts'

/** Promise 1, without a disk: every press is responded to, nothing is acknowledged that is not recorded. */
const token = 'only for this test'
const badges = 400
const escalatesMs = 4_000
let sink: Sink
let pager: SnppPager
let port: number
let program: Program

beforeEach(async () => {
  sink = await Sink.start()
  pager = await startSnppPager({ pagers: ['1', '2'] })
  port = await freePort()
})

afterEach(async () => {
  await endAll()
  unmountAll()
  await cleanUp()
  await Promise.all([sink.close(), pager.close()])
})

const site = () => ({
  site: { name: 'Full', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building' } },
  connectors: {
    badges: {
      type: 'webhook',
      listen: `127.0.0.1:${port}`,
      path: '/badges',
      bearer: { env: 'BADGES_TOKEN' },
    },
    texts: { type: 'http', url: sink.url, requests: { 'page.send': {} } },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
  },
  devices: Object.fromEntries(
    Array.from({ length: badges }, (_, n) => [`badge-${n}`, { connector: 'badges', input: { id: `${n}` } }]),
  ),
  responders: {
    security: { page: { connector: 'texts', perceptible: 'vibrate' } },
    supervisor: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } },
  },
  plans: {
    all: {
      when: {},
      steps: [
        { at: '0s', do: [{ 'page.send': { to: 'security' } }] },
        { at: `${escalatesMs}ms`, unless: 'acknowledged', do: [{ 'page.send': { to: 'supervisor' } }] },
      ],
    },
  },
})

interface Sent {
  readonly badge: number
  readonly status: number
  readonly body: any
}

/** Presses one badge after the other, each once, until it is told to stop. */
class Load {
  readonly sent: Sent[] = []
  readonly #sender = webhookSender({ url: `http://127.0.0.1:${port}/badges`, bearer: token })
  #stopped = false
  #running: Promise<void> = Promise.resolve()
  #next = 0

  start(): this {
    this.#running = this.#run()
    return this
  }

  async press(badge = this.#next++): Promise<Sent> {
    const { status, body } = await this.#sender.send({ id: `${badge}` }, { key: `press-${badge}` })
    const sent = { badge, status, body: JSON.parse(body || 'null') }
    this.sent.push(sent)
    return sent
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  of(status: number): Sent[] {
    return this.sent.filter((one) => one.status === status)
  }

  async #run(): Promise<void> {
    while (!this.#stopped && this.#next < badges) {
      await this.press()
      await wait(5)
    }
  }
}

const start = async (dir: string) => {
  program = await new Program(site(), { dir, env: { BADGES_TOKEN: token } }).start()
  await Promise.all([program.link('badges'), program.link('pagers')])
  return new Load().start()
}

/** Incidents that somebody was told of. */
const responded = (): number => new Set(sink.all.map(({ message }) => message.incident)).size

const keysIn = (file: string): string[] => {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
  try {
    return db
      .prepare('SELECT key FROM fact')
      .all()
      .map(({ key }) => String(key))
  } finally {
    db.close()
  }
}

const pagesOf = (number: number): number =>
  pager.journal.all.filter(({ detail }) => new RegExp(`#${number}\\b`).test(String(detail['text']))).length

/** Under load, from the failure of the disk to its end. */
const goesThrough = async (load: Load, fail: () => void, heal: () => void) => {
  await until('presses are recorded', () => load.of(200).length > 20)
  fail()
  await until('presses are not recorded', () => load.of(503).length > 20)

  for (const { body } of load.of(503)) expect(body).toMatchObject({ error: { code: 'NOT_RECORDED' } })
  expect((await program.get('/healthz')).status).toBe(200)
  expect(await program.get('/readyz')).toMatchObject({ status: 503, body: { recording: false } })

  // In effect at once, and told that it is not written down.
  await load.stop()
  const [missed] = load.of(503).slice(-1) as [Sent]
  const incident = await until('the incident of it', () => program.incidentOf(`badge-${missed.badge}`))
  expect(await program.post(`/v1/incidents/${incident.id}/acknowledge`, { by: 'Ada' })).toMatchObject({
    status: 503,
    body: { error: { code: 'NOT_RECORDED', inEffect: true } },
  })
  const [other] = load.of(503).slice(-2) as [Sent]
  const second = await until('the incident of it', () => program.incidentOf(`badge-${other.badge}`))
  await passed(Math.max(incident.openedAt, second.openedAt) + escalatesMs)
  // Of two that were pressed without a disk, only the one that nobody acknowledged is escalated.
  await until('the escalation', () => pagesOf(second.number) > 0)
  expect(pagesOf(incident.number)).toBe(0)
  expect((await program.get('/healthz')).status).toBe(200)
  expect(program.isAlive).toBe(true)

  await until('a page for every press, recorded or not', () => responded() === load.sent.length)

  heal()
  await until('it records again', async () => (await program.get('/readyz')).status === 200, 60_000)
  return { missed, incident }
}

/** Everything that was ever pressed was responded to, and is on the trail. */
const nothingIsMissing = async (
  load: Load,
  { missed, incident }: { missed: Sent; incident: { id: string; number: number } },
) => {
  // What got no ACK comes again: the same press, known by now.
  for (const { badge } of load.of(503).slice(0, 20)) {
    const { status, body } = await load.press(badge)
    expect(status).toBe(200)
    expect(body).toMatchObject({ duplicate: true })
  }
  expect((await load.press()).status).toBe(200)
  const pressed = new Set(load.sent.map(({ badge }) => badge))
  await until('a page for every press', () => responded() === pressed.size)
  expect(sink.all.filter(({ message }) => message.about === 'press')).toHaveLength(pressed.size)

  const { timeline } = await program.incident(incident.id)
  expect(timeline.map(({ what }) => what)).toEqual(
    expect.arrayContaining(['press', 'opened', 'command', 'change', 'receipt']),
  )
  expect(program.isAlive).toBe(true)
  expect(await program.end()).toBe(0)
  // Nobody has an ACK for what is in no file.
  const stored = new Set(storeFiles(program.data).flatMap(keysIn))
  expect(load.of(200).filter(({ badge }) => !stored.has(`"${badge}" press-${badge}`))).toEqual([])
  expect(stored.size).toBe(pressed.size)
  const told = await run('trail', 'incident', `${incident.number}`, '--data', program.data)
  expect(told, told.stderr).toMatchObject({ code: 0 })
  expect(told.stdout).toContain('PRESS')
  expect(told.stdout).toContain(`badge-${missed.badge}`)
  expect(told.stdout).toMatch(/acknowledged.*Ada|Ada.*acknowledged/)
  expect(await run('trail', 'verify', '--data', program.data)).toMatchObject({ code: 0 })
}

test('a full disk', async () => {
  const dir = smallDisk('24m')
  const load = await start(dir)
  const seen = await goesThrough(
    load,
    () => fill(dir),
    () => rmSync(join(dir, 'filler')),
  )
  await nothingIsMissing(load, seen)
}, 180_000)

test('an I/O error', async () => {
  const load = await start(newDir())
  const limit = (bytes: string) =>
    execFileSync('prlimit', ['--pid', `${program.pid}`, `--fsize=${bytes}:unlimited`])
  const seen = await goesThrough(
    load,
    // Writes past this size fail with EFBIG, which SQLite reports as an I/O error; so does each fresh file.
    () => limit('4096'),
    () => limit('unlimited'),
  )
  await nothingIsMissing(load, seen)
  expect(storeFiles(program.data).length).toBeGreaterThan(1)
  expect(statSync(storeFiles(program.data)[0] as string).size).toBeGreaterThan(0)
}, 180_000)

test('full from the start: it is ready, responds, and says that it does not record', async () => {
  const dir = smallDisk('4m')
  program = new Program(site(), { dir, env: { BADGES_TOKEN: token } })
  fill(dir)
  await program.start()
  await program.link('badges')
  const load = new Load()
  expect(await load.press()).toMatchObject({ status: 503, body: { error: { code: 'NOT_RECORDED' } } })
  await until('its page', () => sink.all.length === 1)
  expect((await program.get('/readyz')).status).toBe(503)
  rmSync(join(dir, 'filler'))
  await until('it records', async () => (await program.get('/readyz')).status === 200, 60_000)
  expect(await load.press(0)).toMatchObject({ status: 200, body: { duplicate: true } })
})
