import type { Clock } from '../clock.ts'
import type { Json } from '../fact.ts'
import type { FaultRow } from '../store/port.ts'
import { type FaultClass, kindOf } from './kinds.ts'

/** Open faults at a time; what goes beyond is not opened, since whoever reads so many reads none. */
const openMax = 5_000
/** What opens more often than this within the window is flapping: it stays open until it was quiet. */
const openingsMax = 5
const openingsWindowMs = 600_000
/** How long what flapped must be quiet, where nobody says otherwise, ms. */
const quietDefaultMs = 600_000

/** Something wrong with a device, a link or a path. */
export interface Fault {
  /** What is wrong with what: `link-down:cameras`. One is open at a time. */
  readonly id: string
  readonly class: FaultClass
  readonly what: string
  readonly openedAt: number
  readonly closedAt: number | null
  /** It comes and goes; it stays open until it has been quiet for a while. */
  readonly flapping?: true
  /** When people were told of it, ms since the epoch. */
  readonly pagedAt?: number
}

/** Open faults: each opens once and closes once; one that comes and goes stays open. */
export class Faults {
  readonly #clock: Clock
  readonly #turned: (fault: Fault) => void
  readonly #quietMs: number
  readonly #open = new Map<string, Fault>()
  /** When each fault opened within the window, by id. */
  readonly #openings = new Map<string, number[]>()
  /** Flapping ones that are all right at the moment, by id: since when. */
  readonly #quietSince = new Map<string, number>()

  constructor(clock: Clock, turned: (fault: Fault) => void, quietMs = quietDefaultMs) {
    this.#clock = clock
    this.#turned = turned
    this.#quietMs = quietMs
  }

  restore(faults: readonly Fault[]): void {
    for (const fault of faults) this.#open.set(fault.id, { ...fault, class: kindOf(fault.id).class })
  }

  /** Opens a fault, or closes it where `what` is null. Saying the same again changes nothing. */
  set(id: string, what: string | null): void {
    const open = this.#open.get(id)
    if (what === null) {
      if (!open) return
      if (!open.flapping) this.#close(open)
      else if (!this.#quietSince.has(id)) this.#quietSince.set(id, this.#clock.now())
    } else if (open) this.#quietSince.delete(id)
    else if (this.#open.size < openMax) this.#start(id, what.slice(0, 500))
  }

  open(): Fault[] {
    return [...this.#open.values()]
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  /** People have been told; returns the rows that say so on disk. */
  paged(ids: readonly string[], at: number): FaultRow[] {
    return ids.flatMap((id) => {
      const open = this.#open.get(id)
      if (!open) return []
      const told = { ...open, pagedAt: at }
      this.#open.set(id, told)
      return [faultRow(told)]
    })
  }

  /** Closes what has stopped to flap. Called every second. */
  review(): void {
    const now = this.#clock.now()
    for (const [id, since] of this.#quietSince) {
      if (now - since < this.#quietMs) continue
      this.#quietSince.delete(id)
      const open = this.#open.get(id)
      if (open) this.#close(open)
    }
    for (const [id, openings] of this.#openings)
      if (now - (openings.at(-1) as number) >= openingsWindowMs) this.#openings.delete(id)
  }

  #start(id: string, what: string): void {
    const now = this.#clock.now()
    const before = (this.#openings.get(id) ?? []).filter((at) => now - at < openingsWindowMs)
    const openings = [...before, now]
    this.#openings.set(id, openings)
    const flapping = openings.length > openingsMax
    const fault: Fault = {
      id,
      class: kindOf(id).class,
      what: flapping ? `${what} (FLAPPING: ${openings.length} times in ${minutes(openings)})` : what,
      openedAt: now,
      closedAt: null,
      ...(flapping ? { flapping } : {}),
    }
    this.#open.set(id, fault)
    this.#turned(fault)
  }

  #close(open: Fault): void {
    this.#open.delete(open.id)
    this.#turned({ ...open, closedAt: this.#clock.now() })
  }
}

const minutes = (times: readonly number[]): string =>
  `${Math.max(1, Math.ceil(((times.at(-1) as number) - (times[0] as number)) / 60_000))} min`

/** Id of the fault of a source that nobody configured; it ends with the incident that the source opened. */
export const unknownSource = (words: string): string => `unknown-source:${words}`

/** What the store keeps of a fault; each opening is a row of its own. */
export const faultRow = (fault: Fault): FaultRow => ({
  id: `${fault.id}@${fault.openedAt}`,
  openedAt: fault.openedAt,
  closedAt: fault.closedAt,
  body: fault as unknown as Json,
})
