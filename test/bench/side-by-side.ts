import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { optionsOf } from '../options.ts'
import { type Contender, contenders, installRivals, missingFor } from './contenders.ts'
import {
  badgesOfCrash,
  badgesOfPace,
  badgesOfTargets,
  crash,
  type Figures,
  oddTarget,
  Pace,
} from './measures.ts'
import { Part } from './process.ts'
import type { Stack } from './stack.ts'
import { type Measured, report } from './verdict.ts'

/**
 * The bridge beside what is built instead of it, all doing the same work in the same run: one press by HTTP, ten HTTP
 * posts out. Contenders take turns, so that what the machine does meanwhile meets all of them. `--quick` for a look;
 * `--only node-red,pace` for some contenders or measurements (pace, crash, targets).
 */
const measurements = ['pace', 'crash', 'targets'] as const
const names = ['floor', ...contenders.map(({ name }) => name)]
const usage = `usage: side-by-side.ts [--quick] [--only NAME,NAME]\nnames: ${[...names, ...measurements].join(', ')}`
const options = optionsOf(usage, { quick: { type: 'boolean' }, only: { type: 'string' } })
const quick = options.quick ?? false
const only = options.only?.split(',') ?? []
const unknown = only.filter((name) => ![...names, ...measurements].includes(name))
if (unknown.length > 0) {
  console.error(`--only: ${unknown.join(', ')} is none of ${[...names, ...measurements].join(', ')}`)
  process.exit(2)
}
const isWanted = (name: string, among: readonly string[]): boolean =>
  !only.some((one) => among.includes(one)) || only.includes(name)

const rounds = quick ? 1 : 3
const crashes = quick ? 1 : 2
/** Of each turn; the first of the sustained rate, which does not count, takes `warmingSeconds`. */
const paceSeconds = { steady: 1, sustained: 1 }
const turns = quick ? 3 : 5
const warmingSeconds = 3
const targetSeconds = quick ? { calm: 2, hanging: 5, refusing: 3 } : { calm: 5, hanging: 20, refusing: 10 }

const dir = mkdtempSync(join(tmpdir(), 'duress-rivals-'))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
const { part: sink, ready: targets } = await Part.start('./sink.ts')
const measured: Measured[] = []
let folders = 0

/** Keeps the figures of one measurement; says what the machine was doing. */
const keep = (name: string, what: string, figures: Figures): void => {
  const load = loadavg()[0] as number
  measured.push({ name, what, load, figures })
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${Number(value.toFixed(2))}`)
  console.error(`${what.padEnd(16)} ${name.padEnd(9)} load ${load.toFixed(1)}: ${shown.join(', ')}`)
}

/** What breaks does not end the others. */
const unlessBroken = async <Made>(
  name: string,
  what: string,
  run: () => Promise<Made>,
): Promise<Made | null> => {
  try {
    return await run()
  } catch (error) {
    console.error(`${what} ${name} BROKE: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
    return null
  } finally {
    await sink.ask('reset')
  }
}

/** Runs one measurement and keeps its figures. */
const measure = async (name: string, what: string, run: () => Promise<Figures>): Promise<void> => {
  const figures = await unlessBroken(name, what, run)
  if (figures) keep(name, what, figures)
}

interface Started {
  readonly stack: Pick<Stack, 'port' | 'pids'>
  end(): Promise<void>
}

/** Starts a contender with so many badges, in a folder of its own. */
const start = async (contender: Contender, badges: number): Promise<Started & { readonly stack: Stack }> => {
  const folder = join(dir, String(folders++))
  mkdirSync(folder)
  const stack = await contender.build({ dir: folder, targets, badges })
  const end = async () => {
    await stack.end()
    rmSync(folder, { recursive: true, force: true })
  }
  await stack.start().catch(async (error: unknown) => {
    await end()
    throw error
  })
  return { stack, end }
}

const startFloor = async (): Promise<Started> => {
  const { part, ready: port } = await Part.start('./floor.ts', join(dir, `floor-${folders++}`), ...targets)
  return { stack: { port, pids: [part.child.pid as number] }, end: () => part.end() }
}

/** Starts a contender, measures, ends it, whatever comes of it. */
const on = async (
  contender: Contender,
  badges: number,
  run: (stack: Stack) => Promise<Figures>,
): Promise<Figures> => {
  const { stack, end } = await start(contender, badges)
  try {
    return await run(stack)
  } finally {
    await end()
  }
}

const there = contenders.filter((contender) => {
  if (!isWanted(contender.name, names)) return false
  const missing = missingFor(contender)
  if (missing) console.error(`without ${contender.name}: ${missing}`)
  return !missing
})

/** All are there at once, but only one has anything to do: the machine is another one from minute to minute, and meets all alike. */
const measurePace = async (): Promise<void> => {
  const badges = badgesOfPace({ ...paceSeconds, steady: turns * paceSeconds.steady })
  const starts = [
    ...(isWanted('floor', names) ? [['floor', startFloor] as const] : []),
    ...there.map((contender) => [contender.name, () => start(contender, badges)] as const),
  ]
  const paces = new Map<string, { readonly pace: Pace; end(): Promise<void> }>()
  const each = async (go: (pace: Pace) => Promise<void>): Promise<void> => {
    for (const [name, { pace, end }] of paces) {
      const done = await unlessBroken(name, 'pace', async () => {
        await go(pace)
        return true
      })
      if (done) continue
      paces.delete(name)
      await end()
    }
  }
  for (const [name, startIt] of starts)
    await unlessBroken(name, 'pace', async () => {
      const { stack, end } = await startIt()
      paces.set(name, { pace: await Pace.start(stack, sink), end })
    })
  for (let turn = 0; turn < turns; turn++) await each((pace) => pace.steady(paceSeconds.steady))
  await each((pace) => pace.storm())
  await each((pace) => pace.sustain(warmingSeconds))
  for (let turn = 0; turn < turns; turn++) await each((pace) => pace.sustain(paceSeconds.sustained))
  for (const [name, { pace, end }] of paces) {
    keep(name, 'pace', pace.figures)
    pace.end()
    await end()
  }
}

const measureTargets = async (): Promise<void> => {
  for (const contender of there)
    await measure(contender.name, 'targets', () =>
      on(contender, badgesOfTargets(targetSeconds), ({ port }) => oddTarget(port, sink, targetSeconds)),
    )
}

const measureCrash = async (what: string, spared: 'redis' | 'nothing'): Promise<void> => {
  for (const contender of there) {
    if (spared === 'nothing' && !contender.needsRedis) continue
    // A minute of waiting is too long for a look.
    if (quick && contender.isRival && contender.needsRedis) continue
    for (let round = 0; round < (contender.isRival ? 1 : crashes); round++)
      await measure(contender.name, what, () =>
        on(contender, badgesOfCrash, (stack) => crash(stack, sink, spared, contender.patienceMs)),
      )
  }
}

const startedAt = Date.now()
if (there.some(({ isRival }) => isRival)) installRivals()
for (let round = 0; round < rounds && isWanted('pace', measurements); round++) await measurePace()
if (isWanted('targets', measurements)) await measureTargets()
if (isWanted('crash', measurements)) {
  await measureCrash('crash', 'redis')
  await measureCrash('crash with Redis', 'nothing')
}
await sink.end()

const titles = new Map([['floor', 'floor'], ...contenders.map(({ name, title }) => [name, title] as const)])
report(measured, titles, { quick, seconds: Math.round((Date.now() - startedAt) / 1_000) })
