/** The promises, as this run can see them broken. */
export const invariants = {
  recorded: 'an acknowledged press is on the trail and belongs to an incident',
  receipt: 'every command has exactly one receipt',
  truthful: 'a receipt says what the target says: done arrived, without effect did not',
  waits: 'nobody waits for a stranger: commands due at once arrive at once at targets that are well',
  late: 'no lock arrives after its expiry, or after its release',
  fire: 'no lock arrives while the fire input of its door is active',
  held: 'nobody is locked in: a door whose holds have ended is released',
  repeated: 'nothing is done twice but where an attempt may have been lost, and then it says so',
  trail: 'the trail is whole',
  resources: 'memory and open files of the bridge do not grow',
  progress: 'after everything is healed the bridge catches up',
} as const
export type Invariant = keyof typeof invariants

/** Shown of each invariant with all that is known of them; the rest is counted. */
const shownMax = 20

export interface Violation {
  readonly invariant: Invariant
  readonly what: string
  readonly known: object
}

/** What was found, and how much was looked at: an invariant that judged nothing proves nothing. */
export class Violations {
  readonly shown: Violation[] = []
  readonly counts: { [invariant in Invariant]?: number } = {}
  readonly judged: { [invariant in Invariant]?: number } = {}

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  add(invariant: Invariant, what: string, known: object): void {
    const count = (this.counts[invariant] ?? 0) + 1
    this.counts[invariant] = count
    if (count <= shownMax) this.shown.push({ invariant, what, known })
  }

  /** One more thing was held against an invariant. */
  looked(invariant: Invariant, times = 1): void {
    this.judged[invariant] = (this.judged[invariant] ?? 0) + times
  }
}
