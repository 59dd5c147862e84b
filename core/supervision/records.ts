/** What the register keeps of a device, by kind (`core/register.ts`). */

/** How a device was proven. */
export const proofWays = ['walk-test', 'drill', 'real', 'heartbeat', 'manual'] as const
export type ProofWay = (typeof proofWays)[number]

/** One output that was seen to act on the press, and how much its receipt proves. */
export interface Observed {
  readonly target: string
  readonly capability: string
  readonly proof: string
}

/** The device works, from its press to its outputs. */
export interface Proof {
  /** ms since the epoch */
  readonly at: number
  readonly by: string
  readonly how: ProofWay
  readonly outputs: readonly Observed[]
  readonly note?: string
}

/** Kind `test`, by device: the last proof, and the last test after it that proved nothing. */
export interface Tested {
  readonly proof: Proof | null
  readonly failed: { readonly at: number; readonly by: string; readonly why: string } | null
}

/** Kind `service`, by device: somebody works on it; its faults page nobody, its presses summon help all the same. */
export interface Serviced {
  readonly since: number
  /** ms since the epoch; at the latest 8 h after `since`. */
  readonly until: number
  readonly by: string
  readonly why: string
}

/** Kind `inspection`, by device: what somebody saw who looked at it. */
export interface Inspection {
  readonly damaged: boolean
  readonly note: string
  /** sha256 of the picture among the evidence. */
  readonly photo: string | null
  readonly by: string
  readonly at: number
}

/** Kind `walk-test`, by id: presses of these devices are tests until then. */
export interface WalkTest {
  readonly id: string
  readonly devices: readonly string[]
  /** The place that was named instead of devices. */
  readonly place: string | null
  readonly since: number
  readonly until: number
  readonly by: string
  /** Started by who wears it. */
  readonly self: boolean
}

/** Kind `seen`, by worn device: written at most hourly, since nobody's way is to be kept. */
export interface Seen {
  /** When it was last heard, ms since the epoch; null: not yet. */
  readonly at: number | null
  /** Since when it is waited for. */
  readonly since: number
}
