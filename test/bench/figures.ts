import type { Sent } from './load.ts'
import type { Part } from './process.ts'

export const percentile = (sorted: readonly number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN

export const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

export const median = (values: readonly number[]): number => percentile(ascending(values), 50)

/** Waits until `presses` have arrived whole, or nothing more comes for `quietMs`. */
export const arrived = async (sink: Part, presses: number, quietMs = 3_000): Promise<void> => {
  let complete = -1
  for (let quiet = 0; quiet < quietMs / 50; quiet++) {
    const seen = (await sink.ask('count')) as { complete: number }
    if (seen.complete >= presses) return
    if (seen.complete !== complete) quiet = 0
    complete = seen.complete
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** How one press arrived: how often, at how many targets, when last, and when each target was first told. */
interface Arrival {
  readonly count: number
  readonly different: number
  readonly lastAt: number
  readonly firsts: readonly (number | null)[]
}

const nowhere: Arrival = { count: 0, different: 0, lastAt: 0, firsts: [] }

/** What the targets saw of each press that was acknowledged; they forget it. */
export const taken = async (sink: Part, sent: readonly Sent[]): Promise<(Sent & Arrival)[]> => {
  const rows = (await sink.ask('report')) as [string, number, number, number, (number | null)[]][]
  await sink.ask('reset')
  const arrivals = new Map<string, Arrival>(
    rows.map(([press, count, different, lastAt, firsts]) => [press, { count, different, lastAt, firsts }]),
  )
  return sent.map((one) => ({ ...one, ...(arrivals.get(one.press) ?? nowhere) }))
}
