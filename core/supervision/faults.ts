import type { Clock } from '../clock.ts'
import type { Json } from '../fact.ts'
import type { FaultRow } from '../store/port.ts'

/** Open faults at a time; what goes beyond is not opened, since whoever reads so many reads none. */
const openMax = 5_000

/** Something wrong with a device, a link or a path. */
export interface Fault {
  /** What is wrong with what: `link-down:cameras`. One is open at a time. */
  readonly id: string
  readonly what: string
  readonly openedAt: number
  readonly closedAt: number | null
}

/** Open faults: each opens once and closes once. */
export class Faults {
  readonly #clock: Clock
  readonly #turned: (fault: Fault) => void
  readonly #open = new Map<string, Fault>()

  constructor(clock: Clock, turned: (fault: Fault) => void) {
    this.#clock = clock
    this.#turned = turned
  }

  restore(faults: readonly Fault[]): void {
    for (const fault of faults) this.#open.set(fault.id, fault)
  }

  /** Opens a fault, or closes it where `what` is null. Saying the same again changes nothing. */
  set(id: string, what: string | null): void {
    const open = this.#open.get(id)
    const now = this.#clock.now()
    if (what === null && open) {
      this.#open.delete(id)
      this.#turned({ ...open, closedAt: now })
    } else if (what !== null && !open && this.#open.size < openMax) {
      const fault = { id, what: what.slice(0, 500), openedAt: now, closedAt: null }
      this.#open.set(id, fault)
      this.#turned(fault)
    }
  }

  open(): Fault[] {
    return [...this.#open.values()]
  }
}

/** Id of the fault of a source that nobody configured; it ends with the incident that the source opened. */
export const unknownSource = (words: string): string => `unknown-source:${words}`

/** What the store keeps of a fault; each opening is a row of its own. */
export const faultRow = (fault: Fault): FaultRow => ({
  id: `${fault.id}@${fault.openedAt}`,
  openedAt: fault.openedAt,
  closedAt: fault.closedAt,
  body: fault as unknown as Json,
})
