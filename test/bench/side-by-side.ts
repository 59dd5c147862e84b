import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
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
const quick = process.argv.includes('--quick')
const given = process.argv.indexOf('--only')
const only = given < 0 ? [] : (process.argv[given + 1] ?? '').split(',')
const measurements = ['pace', 'crash', 'targets'] as const
const names = ['floor', ...contenders.map(({ name }) => name)]
const unknown = only.filter((name) => ![...names, ...measurements].includes(name))
if (unknown.length > 0) {
  console.error(`--only: ${unknown.join(', ')} is none of ${[...names, ...measurements].join(', ')}`)
  process.exit(2)
}
const isWanted = (name: string, among: readonly string[]): boolean =>
  !only.some((one) => among.includes(one)) || only.includes(name)

const rounds = quick ? 1 : 3
const paceSeconds = quick ? { steady: 3, sustained: 3 } : { steady: 5, sustained: 4 }
const targetSeconds = quick ? { calm: 2, hanging: 6, refusing: 4 } : { calm: 6, hanging: 20, refusing: 10 }

const dir = mkdtempSync(join(tmpdir(), 'duress-rivals-'))
const { part: sink, ready: targets } = await Part.start('./sink.ts')
const measured: Measured[] = []
let folders = 0

const build = (contender: Contender, badges: number): Promise<Stack> => {
  const folder = join(dir, String(folders++))
  mkdirSync(folder)
  return contender.build({ dir: folder, targets, badges })
}

/** Runs one measurement of one contender and keeps its figures; says what the machine was doing. */
const measure = async (name: string, what: string, run: () => Promise<Figures>): Promise<void> => {
  const load = loadavg()[0] as number
  const figures = await run()
  await sink.ask('reset')
  measured.push({ name, what, load, figures })
  const shown = Object.entries(figures).map(([key, value]) => `${key} ${Number(value.toFixed(2))}`)
  console.error(`${what.padEnd(16)} ${name.padEnd(9)} load ${load.toFixed(1)}: ${shown.join(', ')}`)
}

/** Starts it, measures, ends it, whatever comes of it. */
const on = async (stack: Stack, run: () => Promise<Figures>): Promise<Figures> => {
  try {
    await stack.start()
    return await run()
  } finally {
    await stack.end()
  }
}

const onFloor = async (run: (port: number) => Promise<Figures>): Promise<Figures> => {
  const { part, ready: port } = await Part.start('./floor.ts', join(dir, `floor-${folders++}`), ...targets)
  try {
    return await run(port)
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

const startedAt = Date.now()
try {
  if (there.some(({ isRival }) => isRival)) installRivals()
  if (isWanted('pace', measurements))
    for (let round = 0; round < rounds; round++) {
      if (isWanted('floor', names))
        await measure('floor', 'pace', () => onFloor((port) => pace(port, sink, paceSeconds)))
      for (const contender of there)
        await measure(contender.name, 'pace', async () => {
          const stack = await build(contender, badgesOfPace(paceSeconds))
          return on(stack, () => pace(stack.port, sink, paceSeconds))
        })
    }
  if (isWanted('targets', measurements))
    for (const contender of there)
      await measure(contender.name, 'targets', async () => {
        const stack = await build(contender, badgesOfTargets(targetSeconds))
        return on(stack, () => oddTarget(stack.port, sink, targetSeconds))
      })
  if (isWanted('crash', measurements))
    for (const spared of ['redis', 'nothing'] as const)
      for (const contender of there) {
        if (spared === 'nothing' && !contender.needsRedis) continue
        // A minute of waiting is too long for a look.
        if (quick && contender.isRival && contender.needsRedis) continue
        for (let round = 0; round < (contender.isRival ? 1 : rounds); round++)
          await measure(contender.name, spared === 'redis' ? 'crash' : 'crash with Redis', async () => {
            const stack = await build(contender, badgesOfCrash)
            try {
              return await crash(stack, sink, spared, contender.patienceMs)
            } finally {
              await stack.end()
            }
          })
      }
} finally {
  await sink.end()
  rmSync(dir, { recursive: true, force: true })
}

const titles = new Map([['floor', 'floor'], ...contenders.map(({ name, title }) => [name, title] as const)])
report(measured, titles, { quick, seconds: Math.round((Date.now() - startedAt) / 1_000) })
