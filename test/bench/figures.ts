import type { Sent } from './load.ts'
import { now, type Part } from './process.ts'

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

const arrivals = async (sink: Part): Promise<Map<string, Arrival>> => {
  const rows = (await sink.ask('report')) as [string, number, number, number, (number | null)[]][]
  return new Map(
    rows.map(([press, count, different, lastAt, firsts]) => [press, { count, different, lastAt, firsts }]),
  )
}

/**
 * Waits until just these have arrived whole, or nothing more comes for `quietMs`: after a kill others arrive too, whose
 * acknowledgement was cut off.
 */
export const arrivedAll = async (sink: Part, sent: readonly Sent[], quietMs: number): Promise<void> => {
  let told = -1
  for (let quietSince = now(); now() - quietSince < quietMs; ) {
    const seen = await arrivals(sink)
    if (sent.every(({ press }) => seen.get(press)?.different === 10)) return
    const count = [...seen.values()].reduce((sum, { different }) => sum + different, 0)
    if (count !== told) quietSince = now()
    told = count
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** What the targets saw of each press that was acknowledged; they forget it. */
export const taken = async (sink: Part, sent: readonly Sent[]): Promise<(Sent & Arrival)[]> => {
  const seen = await arrivals(sink)
  await sink.ask('reset')
  return sent.map((one) => ({ ...one, ...(seen.get(one.press) ?? nowhere) }))
}
