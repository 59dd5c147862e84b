import { oneOf, randomOf } from '../simulation/random.ts'
import { groups } from './ground.ts'

/** What can go wrong, and with what. */
export const faultKinds = [
  'kill-bridge',
  'stop-bridge',
  'target-hangs',
  'target-deaf',
  'target-refuses',
  'target-garbage',
  'target-wrong',
  'target-slow',
  'full-disk',
  'clock-bridge',
] as const
export type FaultKind = (typeof faultKinds)[number]

export interface Fault {
  /** From the start of the presses, ms. */
  readonly at: number
  readonly forMs: number
  readonly kind: FaultKind
  /** The group of targets, or empty. */
  readonly on: string
  /** For a clock: how far it is put off, ms. For something slow: how late it is, ms. */
  readonly by: number
}

/** How often each comes among the others, and how long it lasts, ms. */
const drawn: {
  readonly [kind in FaultKind]: { readonly weight: number; readonly ms: readonly [number, number] }
} = {
  'kill-bridge': { weight: 4, ms: [50, 1_500] },
  'stop-bridge': { weight: 2, ms: [1_000, 6_000] },
  'target-hangs': { weight: 3, ms: [2_000, 12_000] },
  'target-deaf': { weight: 3, ms: [1_000, 8_000] },
  'target-refuses': { weight: 3, ms: [2_000, 12_000] },
  'target-garbage': { weight: 2, ms: [1_000, 8_000] },
  'target-wrong': { weight: 2, ms: [1_000, 8_000] },
  'target-slow': { weight: 2, ms: [2_000, 10_000] },
  'full-disk': { weight: 1, ms: [2_000, 6_000] },
  'clock-bridge': { weight: 2, ms: [3_000, 12_000] },
}

/** Pauses between two beginnings, ms: faults overlap now and then, as they do. */
const pauseMs = [1_500, 6_000] as const
/** At the beginning, and before the end, all is well, ms. */
const calmMs = { first: 4_000, last: 3_000 }

/** The same seed gives the same faults at the same times. */
export const scheduleOf = (
  seed: number,
  lengthMs: number,
  only: readonly FaultKind[] = faultKinds,
): Fault[] => {
  const random = randomOf(seed)
  const between = ([low, high]: readonly [number, number]) => Math.round(low + random() * (high - low))
  const urn = only.flatMap((kind) => Array.from({ length: drawn[kind].weight }, () => kind))
  const all: Fault[] = []
  for (let at = calmMs.first; at < lengthMs - calmMs.last; at += between(pauseMs)) {
    const kind = oneOf(random, urn)
    const on = oneOf(random, Object.keys(groups))
    const forMs = Math.min(between(drawn[kind].ms), Math.max(50, lengthMs - calmMs.last - at))
    const hour = (random() < 0.5 ? -1 : 1) * 3_600_000
    const by = kind === 'target-slow' ? between([100, 1_200]) : kind === 'clock-bridge' ? hour : 0
    all.push({ at, forMs, kind, on: kind.startsWith('target') ? on : '', by })
  }
  return all
}
