import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { optionsOf } from '../options.ts'
import { arrived, arrivedAll, ascending, median, percentile, taken } from './figures.ts'
import { Load, type Sent } from './load.ts'
import { BridgeProcess, freePort, now, Part } from './process.ts'
import { writeSite } from './site.ts'

/**
 * Press to the last of ten HTTP commands, against a floor measured in the same run, on the same targets. Prints a table;
 * goals are ratios, since machines differ. `--quick` for a look, `--json` for other programs.
 */
const usage = 'usage: bench.ts [--quick] [--json]'
const options = optionsOf(usage, { quick: { type: 'boolean' }, json: { type: 'boolean' } })
const quick = options.quick ?? false
const steadySeconds = quick ? 5 : 20
const rounds = quick ? 1 : 3
/** So often the steady load goes from one to the other in a round. */
const turns = 5
/** Each a sixth above the one before. */
const rates = Array.from({ length: 24 }, (_, n) => Math.round(100 * 1.165 ** n))
const rateSeconds = quick ? 3 : 4
/** Presses that come before the measured ones, at 50 a second: they pay for compiling code and opening connections. */
const warmUpSeconds = 3
const warmUp = 50 * warmUpSeconds + 1

interface Figures {
  p50: number
  p95: number
  p99: number
  /** Commands a second from the first press to the last arrival. */
  perSecond: number
  missing: number
  doubled: number
}

/** Something that takes presses on a port and tells ten targets. */
interface Relay {
  readonly port: number
  readonly pid: number
  end(): Promise<unknown>
}

const dir = mkdtempSync(join(tmpdir(), 'duress-bench-'))
const { part: sink, ready: targets } = await Part.start('./sink.ts')

type Came = Awaited<ReturnType<typeof taken>>

/** What came of presses. */
const cameOf = async (sent: readonly Sent[]): Promise<Came> => {
  await arrived(sink, sent.length)
  return taken(sink, sent)
}

/** Of presses that came in several goes. */
const figuresOf = (goes: readonly Came[]): Figures => {
  const all = goes.flat()
  const took = ascending(all.filter(({ different }) => different === 10).map(({ at, lastAt }) => lastAt - at))
  const ms = goes.reduce((sum, go) => {
    const firstAt = Math.min(...go.map(({ at }) => at))
    return sum + Math.max(...go.map(({ lastAt }) => lastAt)) - firstAt
  }, 0)
  return {
    p50: percentile(took, 50),
    p95: percentile(took, 95),
    p99: percentile(took, 99),
    perSecond: (10 * took.length) / (ms / 1_000),
    missing: all.reduce((sum, { different }) => sum + 10 - different, 0),
    doubled: all.reduce((sum, { count, different }) => sum + count - different, 0),
  }
}

const judge = async (sent: readonly Sent[]): Promise<Figures> => figuresOf([await cameOf(sent)])

const startFloor = async (): Promise<Relay> => {
  const { part, ready } = await Part.start('./floor.ts', join(dir, `floor-${now()}`), ...targets)
  return { port: ready, pid: part.child.pid as number, end: () => part.end() }
}

interface BridgeRelay extends Relay {
  readonly readyMs: number
  readonly metrics: () => Promise<string>
  kill(): Promise<void>
  readonly config: string
  readonly data: string
}

let bridges = 0
const startBridge = async (
  badges: number,
  panel?: number,
  keep?: { config: string; data: string; port: number; api: number },
) => {
  const api = keep?.api ?? (await freePort())
  const port = keep?.port ?? (await freePort())
  const data = keep?.data ?? join(dir, `data-${bridges++}`)
  const config =
    keep?.config ?? writeSite(dir, badges, { api, webhook: port, targets, ...(panel ? { panel } : {}) })
  const bridge = await BridgeProcess.start(config, data)
  await listening(port)
  const relay: BridgeRelay & { api: number } = {
    port,
    api,
    config,
    data,
    pid: bridge.child.pid as number,
    readyMs: bridge.readyMs,
    metrics: async () => (await fetch(`http://127.0.0.1:${api}/metrics`)).text(),
    end: () => bridge.end(),
    kill: async () => void (await bridge.end('SIGKILL')),
  }
  return relay
}

/** The ready line doesn't wait for links; the bench does. */
const listening = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 200; tries++) {
    const isThere = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' }).then(
      () => true,
      () => false,
    )
    if (isThere) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing listens on ${port}`)
}

const memoryMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024

const metric = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)

interface Compared {
  readonly floor: Figures
  readonly ours: Figures
  readonly loopMs: number
  readonly mb: number
}

/** A load on a process that has been warmed up. */
const warmedUp = async (relay: Relay): Promise<Load> => {
  const load = new Load(relay.port)
  await load.steady(50, warmUpSeconds)
  await new Promise((resolve) => setTimeout(resolve, 300))
  await sink.ask('reset')
  return load
}

/** The same storm on both, one after the other, each on a process of its own. */
const inStorm = async (presses: number): Promise<Compared> => {
  const run = async (relay: Relay): Promise<Figures> => {
    const load = await warmedUp(relay)
    const figures = await judge(await load.storm(presses))
    load.end()
    return figures
  }
  const floorRelay = await startFloor()
  const floor = await run(floorRelay)
  await floorRelay.end()
  const bridge = await startBridge(presses + warmUp)
  const ours = await run(bridge)
  return { floor, ours, ...(await lastOf(bridge)) }
}

/**
 * The same steady load on both, a few seconds each in turn: so what else the machine does meanwhile meets both. Whoever is not
 * pressed has nothing to do.
 */
const atPace = async (perSecond: number, seconds: number): Promise<Compared> => {
  const floorRelay = await startFloor()
  const bridge = await startBridge(perSecond * seconds + warmUp)
  const loads = [await warmedUp(floorRelay), await warmedUp(bridge)] as const
  const came: [Came[], Came[]] = [[], []]
  for (let turn = 0; turn < turns; turn++)
    for (const who of [0, 1] as const)
      came[who].push(await cameOf(await loads[who].steady(perSecond, seconds / turns)))
  for (const load of loads) load.end()
  await floorRelay.end()
  const [floor, ours] = came
  return { floor: figuresOf(floor), ours: figuresOf(ours), ...(await lastOf(bridge)) }
}

const lastOf = async (bridge: BridgeRelay): Promise<{ loopMs: number; mb: number }> => {
  const loopMs = metric(await bridge.metrics(), 'duress_event_loop_delay_p99_seconds') * 1_000
  const mb = memoryMb(bridge.pid)
  await bridge.end()
  return { loopMs, mb }
}

interface Row {
  readonly what: string
  readonly floor: string
  readonly ours: string
  readonly ratio: string
  readonly goal: string
  readonly met: boolean
}
const rows: Row[] = []
const add = (
  what: string,
  floor: number | null,
  ours: number,
  unit: string,
  ratio: number | null,
  goal: string,
  met: boolean,
) => {
  const show = (value: number) => `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`
  const row = {
    what,
    floor: floor === null ? '' : show(floor),
    ours: show(ours),
    ratio: ratio === null ? '' : `${ratio.toFixed(2)} ×`,
    goal,
    met,
  }
  rows.push(row)
  if (!options.json)
    console.log(
      `${met ? ' ' : '!'} ${what.padEnd(46)} ${row.floor.padStart(12)} ${row.ours.padStart(12)} ${row.ratio.padStart(8)}  ${goal}`,
    )
}

if (!options.json)
  console.log(
    `  ${'press to the last of ten HTTP commands'.padEnd(46)} ${'floor'.padStart(12)} ${'bridge'.padStart(12)} ${'ratio'.padStart(8)}  goal`,
  )

let missing = 0
let doubled = 0
const seen = (figures: Figures): void => {
  missing += figures.missing
  doubled += figures.doubled
}

// Latency at 20 presses a second.
{
  const runs: Compared[] = []
  for (let round = 0; round < rounds; round++) runs.push(await atPace(20, steadySeconds))
  for (const { ours } of runs) seen(ours)
  for (const p of ['p50', 'p95'] as const) {
    const ratio = median(runs.map(({ ours, floor }) => ours[p] / floor[p]))
    const floor = median(runs.map((run) => run.floor[p]))
    add(
      `20 presses/s, ${p}`,
      floor,
      median(runs.map(({ ours }) => ours[p])),
      'ms',
      ratio,
      '≤ 1.5 ×',
      ratio <= 1.5,
    )
  }
  const loopMs = Math.max(...runs.map((run) => run.loopMs))
  const mb = Math.max(...runs.map((run) => run.mb))
  add('memory at 20 presses/s, peak', null, mb, 'MB', null, '< 200 MB', mb < 200)
  add('event loop delay, p99', null, loopMs, 'ms', null, '< 20 ms', loopMs < 20)
}

for (const presses of [500, 1_000]) {
  const runs: Compared[] = []
  for (let round = 0; round < rounds; round++) runs.push(await inStorm(presses))
  for (const { ours } of runs) seen(ours)
  const ratio = median(runs.map(({ ours, floor }) => ours.perSecond / floor.perSecond))
  const of = (who: 'floor' | 'ours') => median(runs.map((run) => run[who].perSecond))
  add(`storm of ${presses}, commands/s`, of('floor'), of('ours'), '/s', ratio, '≥ 0.6 ×', ratio >= 0.6)
  const mb = Math.max(...runs.map((run) => run.mb))
  add(`storm of ${presses}, peak memory`, null, mb, 'MB', null, '< 200 MB', mb < 200)
}

// The highest steady rate at which all arrive and the p99 stays under a second.
{
  const highest = async (start: (presses: number) => Promise<Relay>): Promise<number> => {
    let best = 0
    // In leaps first, then the steps of the last leap.
    for (let n = 3, leap = 4; n < rates.length && leap > 0; n += leap) {
      const rate = rates[n] as number
      const relay = await start(rate * rateSeconds)
      const load = await warmedUp(relay)
      const figures = await judge(await load.steady(rate, rateSeconds))
      const { refused } = load
      load.end()
      await relay.end()
      if (figures.p99 < 1_000 && figures.missing === 0 && refused === 0) best = rate
      else {
        // Back to what held, and on from there in single steps.
        n -= leap
        leap = leap === 4 ? 1 : 0
      }
    }
    return best
  }
  const floor = await highest(startFloor)
  const ours = await highest((presses) => startBridge(presses + warmUp))
  add(
    'highest steady rate with p99 < 1 s, presses/s',
    floor,
    ours,
    '/s',
    ours / floor,
    '≥ 0.4 ×',
    ours / floor >= 0.4,
  )
}

// A press on a Modbus panel.
{
  const panel = await startModbusPanel({})
  const bridge = await startBridge(1, panel.port)
  const took: number[] = []
  const coldPresses = 16
  for (let n = 0; n < coldPresses + (quick ? 50 : 200); n++) {
    const at = now()
    panel.press(n % 16, { forMs: 60 })
    // Nothing of the bench runs while the press is on its way; the times are the targets' own.
    await new Promise((resolve) => setTimeout(resolve, 100 + 20 * Math.random()))
    const report = (await sink.ask('report')) as [string, number, number, number][]
    for (const [, , different, lastAt] of report)
      if (different === 10 && n >= coldPresses) took.push(lastAt - at)
    await resolveAll(bridge.api)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await sink.ask('reset')
  }
  took.sort((a, b) => a - b)
  add(
    'Modbus at 20 ms poll: contact to last, p99',
    null,
    percentile(took, 99),
    'ms',
    null,
    '≤ 25 ms',
    percentile(took, 99) <= 25,
  )
  await bridge.end()
  await panel.close()
  await sink.ask('reset')
}

/** Ends the open incidents, so that the next press opens one of its own. */
async function resolveAll(api: number): Promise<void> {
  const { incidents } = (await (await fetch(`http://127.0.0.1:${api}/v1/incidents?open=true`)).json()) as {
    incidents: { id: string }[]
  }
  for (const { id } of incidents)
    await fetch(`http://127.0.0.1:${api}/v1/incidents/${id}/resolve`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ by: 'bench', as: 'test' }),
    })
}

// Killed in the middle of a storm.
{
  const took: number[] = []
  let lost = 0
  for (let round = 0; round < rounds; round++) {
    const bridge = await startBridge(601)
    const load = new Load(bridge.port)
    const storm = load.storm(600)
    await new Promise((resolve) => setTimeout(resolve, 150))
    await bridge.kill()
    const sent = await storm
    const again = await startBridge(601, undefined, bridge)
    const readyAt = now()
    await arrivedAll(sink, sent, 3_000)
    const report = (await sink.ask('report')) as [string, number, number, number][]
    const byPress = new Map(report.map((row) => [row[0], row]))
    for (const { press } of sent) if (byPress.get(press)?.[2] !== 10) lost++
    const lastAt = Math.max(readyAt, ...sent.map(({ press }) => byPress.get(press)?.[3] ?? readyAt))
    took.push((lastAt - readyAt) / 1_000)
    await again.end()
    await sink.ask('reset')
  }
  add(
    'kill -9 in a storm: all complete after the start',
    null,
    Math.max(...took),
    's',
    null,
    '≤ 2 s',
    Math.max(...took) <= 2,
  )
  add('kill -9 in a storm: acknowledged and lost', null, lost, '', null, '0', lost === 0)
}

add('commands missing', null, missing, '', null, '0', missing === 0)
add('commands doubled without a kill', null, doubled, '', null, '0', doubled === 0)

await sink.end()
rmSync(dir, { recursive: true, force: true })
if (options.json) console.log(JSON.stringify(rows, null, 2))
process.exitCode = rows.every(({ met }) => met) ? 0 : 1
