import type { Kind } from '../fact.ts'
import type { Location } from '../intake/event.ts'

/** Somebody did something about the incident. */
export interface Deed {
  /** ms since the epoch */
  readonly at: number
  /** Responder, account or source. */
  readonly by: string
}

/** What people respond to. A plain value: stored as it is, changed only by `apply`. */
export interface Incident {
  readonly id: string
  /** The number that people say on the radio. */
  readonly number: number
  /** The revision of the config that it was opened with, and keeps. */
  readonly revision: string
  readonly openedAt: number
  readonly kind: Kind
  readonly drill: boolean
  /** What the device was in that opened it: a walk test resolves itself, service mode only stands in the pages. */
  readonly mode?: 'walk-test' | 'service'
  /** Sticky: once true it stays. */
  readonly silent: boolean
  /** Name of the plan that responds. */
  readonly plan: string
  /** How many presses it has taken in. */
  readonly presses: number
  readonly lastPressAt: number
  /** Each start of the first step: the opening, a press of somebody else, a press after the acknowledgement. Newest last. */
  readonly rounds: readonly {
    readonly n: number
    readonly at: number
    readonly words: string
    readonly person: string | null
    readonly role?: string
    /** What the device had said shortly before. */
    readonly context?: string
  }[]
  /** When waiting for an acknowledgement began; escalation counts from here. */
  readonly armedAt: number
  /** How often it began. */
  readonly arm: number
  /** Where the person is, as far as known. */
  readonly location: Location
  /** Each change of place after the opening, newest last; `at` is when it became known. */
  readonly moves: readonly { readonly n: number; readonly at: number; readonly location: Location }[]
  /** Paths of all places that it has had. */
  readonly been: readonly string[]
  readonly persons: readonly string[]
  readonly devices: readonly string[]
  /** The device that pressed last: the incident moves with it. */
  readonly follows: string | null
  /** Sources in words, of presses that no configured device matches. */
  readonly unknown: readonly string[]
  readonly acknowledged: Deed | null
  readonly onTheWay: Deed | null
  readonly onScene: Deed | null
  readonly declines: readonly Deed[]
  /** The caller took it back; shown as "coerced?", stops nothing. */
  readonly takenBack: number | null
  /** An operator took our holds off the doors; no later step of this incident sets one again. */
  readonly released: Deed | null
  readonly resolved: (Deed & { readonly as: Resolution; readonly note: string }) | null
}

export const resolutions = ['real', 'false-alarm', 'drill', 'test'] as const
export type Resolution = (typeof resolutions)[number]

/** Of rounds, moves and declines the newest are kept, of names the first; what goes beyond is counted. */
export const historyMax = 50
