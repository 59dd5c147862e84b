import type { Clock, Timer } from '../clock.ts'
import type { Sighting } from '../fact.ts'
import type { Incident } from '../incident/incident.ts'
import type { Location } from '../intake/event.ts'

/** Two moves of one incident are told at least this far apart; the first is told at once, ms. */
const moveEveryMs = 5_000
/** Back at a place where it was seen so short a time ago, a badge is believed after a stay of `dwellMs`: it may bounce between rooms, ms. */
const bounceMs = 30_000
const dwellMs = 10_000

interface Pending {
  location: Location
  readonly timer: Timer
}

/** Which moves of a badge are told, and when: the first at once, a bouncing one not at all. */
export class Moves {
  readonly #clock: Clock
  readonly #tell: (incident: string, location: Location) => void
  readonly #pending = new Map<string, Pending>()

  /** `tell` is called when a move is to go out. */
  constructor(clock: Clock, tell: (incident: string, location: Location) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** The badge that the incident follows has been seen; `before`: where it was before this stay. */
  seen(incident: Incident, location: Location, before: readonly Sighting[]): void {
    const { id } = incident
    const pending = this.#pending.get(id)
    if (pending?.location.place === location.place) {
      pending.location = location
      return
    }
    this.forget(id)
    if (location.place === incident.location.place) return
    const waitMs = this.#waitMs(incident, location, before)
    if (waitMs > 0) this.#later(id, location, waitMs)
    else this.#tell(id, location)
  }

  #later(id: string, location: Location, waitMs: number): void {
    const timer = this.#clock.after(waitMs, () => {
      const due = this.#pending.get(id)
      this.#pending.delete(id)
      if (due) this.#tell(id, due.location)
    })
    this.#pending.set(id, { location, timer })
  }

  /** What was waiting is no news any more. */
  forget(incident: string): void {
    this.#pending.get(incident)?.timer.cancel()
    this.#pending.delete(incident)
  }

  stop(): void {
    for (const incident of [...this.#pending.keys()]) this.forget(incident)
  }

  #waitMs({ moves }: Incident, { place }: Location, before: readonly Sighting[]): number {
    const last = moves.at(-1)
    if (!last) return 0
    const now = this.#clock.now()
    const bounces = before.some((sighting) => sighting.place === place && now - sighting.at < bounceMs)
    return Math.max(last.at + moveEveryMs - now, bounces ? dwellMs : 0)
  }
}
