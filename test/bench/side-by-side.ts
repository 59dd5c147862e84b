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
  pace,
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
const paceSeconds = quick ? { steady: 3, sustained: 5 } : { steady: 5, sustained: 7 }
const targetSeconds = quick ? { calm: 2, hanging: 5, refusing: 3 } : { calm: 5, hanging: 20, refusing: 10 }

const dir = mkdtempSync(join(tmpdir(), 'duress-rivals-'))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
const { part: sink, ready: targets } = await Part.start('./sink.ts')
const measured: Measured[] = []
let folders = 0

/** Runs one measurement and keeps its figures; says what the machine was doing. What breaks does not end the others. */
const measure = async (name: string, what: string, run: () => Promise<Figures>): Promise<void> => {
  const load = loadavg()[0] as number
  let figures: Figures
  try {
    figures = await run()
  } catch (error) {
    console.error(`${what} ${name} BROKE: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
    return
  } finally {
    await sink.ask('reset')
  }
  measured.push({ name, what, load, figures })
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${Number(value.toFixed(2))}`)
  console.error(`${what.padEnd(16)} ${name.padEnd(9)} load ${load.toFixed(1)}: ${shown.join(', ')}`)
}

/** Starts a contender with so many badges, measures, ends it, whatever comes of it. */
const on = async (
  contender: Contender,
  badges: number,
  run: (stack: Stack) => Promise<Figures>,
): Promise<Figures> => {
  const folder = join(dir, String(folders++))
  mkdirSync(folder)
  const stack = await contender.build({ dir: folder, targets, badges })
  try {
    await stack.start()
    return await run(stack)
  } finally {
    await stack.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

const onFloor = async (): Promise<Figures> => {
  const { part, ready: port } = await Part.start('./floor.ts', join(dir, `floor-${folders++}`), ...targets)
  try {
    return await pace({ port, pids: [part.child.pid as number] }, sink, paceSeconds)
  } finally {
    await part.end()
  }
}

const there = contenders.filter((contender) => {
  if (!isWanted(contender.name, names)) return false
  const missing = missingFor(contender)
  if (missing) console.error(`without ${contender.name}: ${missing}`)
  return !missing
})

const measurePace = async (): Promise<void> => {
  if (isWanted('floor', names)) await measure('floor', 'pace', onFloor)
  for (const contender of there)
    await measure(contender.name, 'pace', () =>
      on(contender, badgesOfPace(paceSeconds), (stack) => pace(stack, sink, paceSeconds)),
    )
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
