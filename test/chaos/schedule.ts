import { oneOf, randomOf } from '../simulation/random.ts'
import { groups, workers } from './ground.ts'

/** What can go wrong, and with what. */
export const faultKinds = [
  'kill-bridge',
  'kill-worker',
  'kill-redis',
  'kill-all',
  'stop-bridge',
  'stop-worker',
  'stop-redis',
  'redis-read-only',
  'redis-full',
  'wire-cut',
  'wire-half-open',
  'wire-slow',
  'target-hangs',
  'target-deaf',
  'target-refuses',
  'target-garbage',
  'target-wrong',
  'target-slow',
  'full-disk',
  'clock-bridge',
  'clock-worker',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** The wires that are not to a group of targets. */
export const redisWires = ['bridge-redis', 'workers-redis'] as const

export interface Fault {
  /** From the start of the presses, ms. */
  readonly at: number
  readonly forMs: number
  readonly kind: FaultKind
  /** The group of targets, the worker, the wire; or empty. */
  readonly on: string
  /** For a clock: how far it is put off, ms. For something slow: how late it is, ms. */
  readonly by: number
}

type Range = readonly [number, number]

/** How often each comes among the others, and how long it lasts, ms. */
const drawn: { readonly [kind in FaultKind]: { readonly weight: number; readonly ms: Range } } = {
  'kill-bridge': { weight: 4, ms: [50, 1_500] },
  'kill-worker': { weight: 3, ms: [50, 3_000] },
  'kill-redis': { weight: 2, ms: [50, 4_000] },
  'kill-all': { weight: 1, ms: [50, 1_500] },
  'stop-bridge': { weight: 2, ms: [1_000, 6_000] },
  'stop-worker': { weight: 3, ms: [1_000, 10_000] },
  'stop-redis': { weight: 2, ms: [1_000, 10_000] },
  'redis-read-only': { weight: 1, ms: [1_000, 6_000] },
  'redis-full': { weight: 1, ms: [1_000, 6_000] },
  'wire-cut': { weight: 3, ms: [100, 5_000] },
  'wire-half-open': { weight: 3, ms: [1_000, 10_000] },
  'wire-slow': { weight: 2, ms: [1_000, 8_000] },
  'target-hangs': { weight: 2, ms: [2_000, 12_000] },
  'target-deaf': { weight: 2, ms: [1_000, 8_000] },
  'target-refuses': { weight: 2, ms: [2_000, 12_000] },
  'target-garbage': { weight: 1, ms: [1_000, 8_000] },
  'target-wrong': { weight: 1, ms: [1_000, 8_000] },
  'target-slow': { weight: 1, ms: [2_000, 10_000] },
  'full-disk': { weight: 1, ms: [2_000, 6_000] },
  'clock-bridge': { weight: 2, ms: [3_000, 12_000] },
  'clock-worker': { weight: 1, ms: [3_000, 12_000] },
}

/** Pauses between two beginnings, ms: faults overlap now and then, as they do. */
const pauseMs = [1_500, 6_000] as const
/** At the beginning, and before the end, all is well, ms. */
const calmMs = { first: 4_000, last: 3_000 }
/** How late something slow is, ms, and how far a clock is put off. */
const slowMs = [100, 1_200] as const
const hourMs = 3_600_000

/** The same seed gives the same faults at the same times. */
export const scheduleOf = (
  seed: number,
  lengthMs: number,
  only: readonly FaultKind[] = faultKinds,
): Fault[] => {
  const random = randomOf(seed)
  const between = ([low, high]: Range) => Math.round(low + random() * (high - low))
  const urn = only.flatMap((kind) => Array.from({ length: drawn[kind].weight }, () => kind))
  const all: Fault[] = []
  for (let at = calmMs.first; at < lengthMs - calmMs.last; at += between(pauseMs)) {
    const kind = oneOf(random, urn)
    const forMs = Math.min(between(drawn[kind].ms), Math.max(50, lengthMs - calmMs.last - at))
    // Drawn for each kind alike, so that what is added to one leaves the others as they are.
    const group = oneOf(random, Object.keys(groups))
    const worker = oneOf(random, workers)
    const wire = random() < 0.5 ? group : oneOf(random, redisWires)
    const hour = random() < 0.5 ? -hourMs : hourMs
    const slow = between(slowMs)
    const on = kind.startsWith('target')
      ? group
      : kind.startsWith('wire')
        ? wire
        : kind.endsWith('worker')
          ? worker
          : ''
    const by = kind.endsWith('slow') ? slow : kind.startsWith('clock') ? hour : 0
    all.push({ at, forMs, kind, on, by })
  }
  return all
}
