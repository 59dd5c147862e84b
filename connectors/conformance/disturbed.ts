import assert from 'node:assert/strict'
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

/** Bytes that no peer would send: nothing crashes, nothing is made up, memory stays bounded. */
export const disturbedCases = (subject: Subject, { peer, trials = [], buttons = [] }: Stage): Case[] =>
  peer
    ? disturbances.flatMap((disturbance) => [
        {
          name: `opening survives answers that are ${disturbance}`,
          run: () => onLine(subject, (bench, line) => opening(bench, line, disturbance)),
        },
        ...(trials.length > 0
          ? [
              {
                name: `every order has an outcome when answers are ${disturbance}`,
                run: async () => {
                  const one = (nth: number) =>
                    onLine(subject, (bench, line) =>
                      acting(bench, line, disturbance, bench.trials[nth] as Trial),
                    )
                  await Promise.all(trials.map((_, nth) => one(nth)))
                },
              },
            ]
          : []),
        ...(buttons.length > 0 && disturbance !== 'mutated'
          ? [
              {
                name: `answers that are ${disturbance} are no press`,
                run: async () => {
                  const one = (nth: number) =>
                    onLine(subject, (bench, line) =>
                      listening(bench, line, disturbance, bench.stage.buttons?.[nth] as Button),
                    )
                  await Promise.all(buttons.map((_, nth) => one(nth)))
                },
              },
            ]
          : []),
      ])
    : []

/** Says with which seed it failed. */
const onLine = (subject: Subject, run: (bench: Bench, line: Between) => Promise<void>): Promise<void> =>
  Bench.with(subject, async (bench) => {
    const random = new Random(Date.now() % 1_000_000_007)
    const line = await Between.to((bench.stage.peer as Peer).port, random)
    try {
      await run(bench, line)
    } catch (error) {
      throw new Error(`with seed ${random.seed}: ${(error as Error).message}`, { cause: error })
    } finally {
      await line.close()
    }
  })

const opening = async (bench: Bench, line: Between, disturbance: Disturbance): Promise<void> => {
  line.disturbance = disturbance
  const before = memory()
  for (let time = 0; time < openings; time++) {
    try {
      await bench.close(await bench.open({ port: line.port }))
    } catch (error) {
      if ((error as Error).name !== 'BridgeError') throw error
    }
  }
  await until(() => line.openSockets === 0, 'no socket is left of an opening that is over')
  assert.ok(memory() - before < memoryMax * openings, 'memory stays bounded')
  bench.expectNoPress()
}

const acting = async (bench: Bench, line: Between, disturbance: Disturbance, trial: Trial): Promise<void> => {
  trial.prepare?.()
  const live = await bench.open({ port: line.port })
  const asked = trial.acts?.() ?? 0
  const before = memory()
  line.disturbance = disturbance
  const outcome = await bench.act(live, trial)
  assert.ok(memory() - before < memoryMax * bench.trials.length, 'memory stays bounded')
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
  if (live.lost) {
    await bench.close(live)
    await bench.open({ port: line.port })
  }
  await pause(quietMs)
  bench.expectNoPress()
  await button.press()
  await bench.expectPresses(button, 1)
}

const memory = (): number => {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
