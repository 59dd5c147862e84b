import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { Bench, quietMs } from './bench.ts'
import { Between, type Disturbance, disturbances } from './between.ts'
import type { Case } from './kit.ts'
import { honest } from './orders.ts'
import { Random } from './random.ts'
import type { Button, Peer, Stage, Subject, Trial } from './subject.ts'
import { pause, until } from './wait.ts'

/** More than this is not taken in, whatever comes, bytes: the flood alone is 48 MiB. */
const memoryMax = 40 * 1_048_576
const lateMs = 100
/** Openings over a disturbed line, each with other bytes. */
const openings = 4

type Work = (bench: Bench, line: Between, disturbance: Disturbance) => Promise<void>

/** Bytes that no peer would send: nothing crashes, nothing is made up, memory stays bounded. */
export const disturbedCases = (subject: Subject, { peer, trials = [], buttons = [] }: Stage): Case[] => {
  if (!peer) return []
  /** All at once, each on a stage and a line of its own; but a flood alone, since it is the one that is measured. */
  const test = (name: string, among: readonly Disturbance[], works: readonly Work[]): Case[] =>
    among.length === 0 || works.length === 0
      ? []
      : [
          {
            name,
            run: async () => {
              const all = among.flatMap((disturbance) => works.map((work) => [disturbance, work] as const))
              await Promise.all(all.map(([disturbance, work]) => onLine(subject, disturbance, work)))
            },
          },
        ]
  const others = disturbances.filter((disturbance) => disturbance !== 'flood')
  // A bit that flips may well be the one that says "pressed".
  const harmless = others.filter((disturbance) => disturbance !== 'mutated')
  const acts = trials.map(
    (_, nth): Work =>
      (bench, line, disturbance) =>
        acting(bench, line, disturbance, bench.trials[nth] as Trial),
  )
  const listens = buttons.map(
    (_, nth): Work =>
      (bench, line, disturbance) =>
        listening(bench, line, disturbance, bench.stage.buttons?.[nth] as Button),
  )
  return [
    ...test('opening survives disturbed answers', others, [opening]),
    ...test('opening survives a flood', ['flood'], [opening]),
    ...test('every order has an outcome over a disturbed line', others, acts),
    ...test('every order has an outcome in a flood', ['flood'], acts),
    ...test('disturbed answers are no press', harmless, listens),
    ...test('a flood is no press', ['flood'], listens),
  ]
}

/** Says with which seed it failed. */
const onLine = (subject: Subject, disturbance: Disturbance, work: Work): Promise<void> =>
  Bench.with(subject, async (bench) => {
    const random = new Random(randomInt(1_000_000_007))
    const line = await Between.to((bench.stage.peer as Peer).port, random)
    try {
      await work(bench, line, disturbance)
    } catch (error) {
      const told = `answers that are ${disturbance}, seed ${random.seed}: ${(error as Error).message}`
      throw new Error(told, { cause: error })
    } finally {
      await line.close()
    }
  })

const opening: Work = async (bench, line, disturbance) => {
  line.disturbance = disturbance
  for (let time = 0; time < openings; time++) {
    const before = memory()
    try {
      await bench.close(await bench.open({ port: line.port }))
    } catch (error) {
      if ((error as Error).name !== 'BridgeError') throw error
    }
    mustBeBounded(disturbance, before, 1)
  }
  await until(() => line.openSockets === 0, 'no socket is left of an opening that is over')
  if (disturbance !== 'mutated') bench.expectNoPress()
}

const acting = async (bench: Bench, line: Between, disturbance: Disturbance, trial: Trial): Promise<void> => {
  trial.prepare?.()
  const live = await bench.open({ port: line.port })
  const asked = trial.acts?.() ?? 0
  const before = memory()
  line.disturbance = disturbance
  const outcome = await bench.act(live, trial)
  mustBeBounded(disturbance, before, bench.trials.length)
  await honest(trial, asked, outcome, lateMs)
  line.disturbance = null
  await bench.close(live)
}

const listening = async (
  bench: Bench,
  line: Between,
  disturbance: Disturbance,
  button: Button,
): Promise<void> => {
  const live = await bench.open({ port: line.port })
  line.disturbance = disturbance
  await pause(2 * quietMs)
  bench.expectNoPress()
  line.disturbance = null
  await pause(2 * quietMs)
  await bench.alive(live)
  bench.expectNoPress()
  await button.press()
  await bench.expectPresses(button, 1)
}

/** Several links in one process take in a flood at the same time. */
const mustBeBounded = (disturbance: Disturbance, before: number, links: number): void => {
  if (disturbance === 'flood') assert.ok(memory() - before < memoryMax * links, 'memory stays bounded')
}

const memory = (): number => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
