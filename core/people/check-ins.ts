import type { Clock } from '../clock.ts'
import type { Json, Position, Press } from '../fact.ts'
import type { Register } from '../register.ts'
import type { Committed, RegisterRow } from '../store/port.ts'

/** Somebody works alone and will say by then that all is well. */
export interface CheckIn {
  readonly id: string
  /** The device that it was made with; null when it was made for somebody. */
  readonly device: string | null
  readonly person: string | null
  /** ms since the epoch */
  readonly since: number
  /** When it counts as missed, ms since the epoch. */
  readonly until: number
  /** Where, in words: a home visit has an address instead of a place. */
  readonly address: string | null
  /** Path of the place, where the site has one for it. */
  readonly place: string | null
  readonly position: Position | null
  /** What responders should know. */
  readonly note: string | null
}

const kind = 'check-in'
/** How often a missed check-in whose press could not be taken in is tried again, ms. */
const againMs = 10_000

/** Timed check-ins of lone workers: one that is missed is a press. They outlive a restart. */
export class CheckIns {
  readonly #clock: Clock
  readonly #register: Register
  readonly #press: (press: Press) => Promise<unknown>
  readonly #triedAt = new Map<string, number>()

  /** `press` takes in the press of a missed check-in. */
  constructor(clock: Clock, register: Register, press: (press: Press) => Promise<unknown>) {
    this.#clock = clock
    this.#register = register
    this.#press = press
  }

  open(): CheckIn[] {
    return [...this.#register.all<CheckIn>(kind).values()].sort((a, b) => a.until - b.until)
  }

  of(id: string): CheckIn | undefined {
    return this.#register.get<CheckIn>(kind, id)
  }

  /** Begins one, or moves its end. */
  set(checkIn: CheckIn, by: string): Promise<Committed> {
    return this.#write(checkIn, { what: 'check-in', is: this.of(checkIn.id) ? 'extended' : 'begun' }, by)
  }

  /** All is well. */
  end(checkIn: CheckIn, by: string): Promise<Committed> {
    return this.#write(checkIn, { what: 'check-in', is: 'ended' }, by)
  }

  /** Makes a press of each one that is missed. Called every second. */
  sweep(): void {
    const now = this.#clock.now()
    for (const checkIn of this.#register.all<CheckIn>(kind).values()) {
      if (checkIn.until > now) continue
      if (now - (this.#triedAt.get(checkIn.id) ?? Number.NEGATIVE_INFINITY) < againMs) continue
      this.#triedAt.set(checkIn.id, now)
      void this.#missed(checkIn)
    }
  }

  /** It stays on record until its press is on disk: a kill in between makes it again, and its key says that it is the same. */
  async #missed(checkIn: CheckIn): Promise<void> {
    try {
      await this.#press(pressOf(checkIn))
    } catch {
      return
    }
    this.#triedAt.delete(checkIn.id)
    // It may have been extended while its press was on the way; the press stands, and so does the new end.
    if (this.of(checkIn.id)?.until === checkIn.until)
      await this.#write(checkIn, { what: 'check-in', is: 'missed' }, 'nobody')
  }

  #write(
    checkIn: CheckIn,
    entry: { what: 'check-in'; is: 'begun' | 'extended' | 'ended' | 'missed' },
    by: string,
  ): Promise<Committed> {
    const isOver = entry.is === 'ended' || entry.is === 'missed'
    const row: RegisterRow = { kind, name: checkIn.id, body: isOver ? null : (checkIn as unknown as Json) }
    const { id, device, until } = checkIn
    return this.#register.set([row], [{ ...entry, incident: null, id, device, until, by }])
  }
}

const pressOf = (checkIn: CheckIn): Press => {
  const { id, device, person, until, since, address, place, position, note } = checkIn
  return {
    is: 'press',
    phase: 'active',
    device,
    from: `missed check-in${person === null ? '' : ` of ${person}`}`,
    key: `check-in/${id}/${until}`,
    kind: 'duress',
    occurredAt: until,
    raw: { checkIn: id, since, until, note },
    words: note === null ? 'check-in missed' : `check-in missed: ${note}`,
    ...(person === null ? {} : { person }),
    ...(address === null ? {} : { address }),
    ...(place === null ? {} : { sighting: { place, precision: 'unit', from: 'manual', at: since } }),
    ...(position === null ? {} : { position }),
  }
}
