import type { Clock } from '../clock.ts'
import type { Json, State } from '../fact.ts'
import { Tracks } from '../location/track.ts'
import type { FireReading } from '../plan/fire.ts'
import type { Device } from '../site/site.ts'

/** A fire input without `stale` in its config counts as unknown after this, ms. */
const fireStaleMs = 10_000
/** Cursors are written at most this often a device, ms. */
const cursorEveryMs = 1_000

interface Remembered {
  state: State
  /** When anything was last heard, ms since the epoch. */
  at: number
  /** When the level was last read well, ms since the epoch. */
  readAt: number
}

/** What is only remembered of devices: the newest wins; it never waits for the disk. */
export class Memory {
  /** Where worn devices were. */
  readonly tracks = new Tracks()
  readonly #clock: Clock
  readonly #devices = new Map<string, Remembered>()
  readonly #cursors: Map<string, Json>
  readonly #unsaved = new Map<string, Json>()
  #savedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, cursors: Map<string, Json>) {
    this.#clock = clock
    this.#cursors = cursors
  }

  state(device: string): State | undefined {
    return this.#devices.get(device)?.state
  }

  heardAt(device: string): number | null {
    return this.#devices.get(device)?.at ?? null
  }

  cursor(device: string): Json | undefined {
    return this.#cursors.get(device)
  }

  /** Takes a state in; says whether the level or its quality changed. */
  note(device: string, state: State): { levelChanged: boolean } {
    const now = this.#clock.now()
    const known = this.#devices.get(device) ?? { state: {}, at: now, readAt: 0 }
    const before = known.state
    known.state = { ...before, ...state }
    if (state.sighting) this.tracks.seen(device, state.sighting)
    known.at = now
    if (state.active !== undefined && state.quality !== 'unknown') known.readAt = now
    this.#devices.set(device, known)
    if (state.cursor !== undefined) this.setCursor(device, state.cursor, false)
    return { levelChanged: before.active !== known.state.active || before.quality !== known.state.quality }
  }

  /** `saved`: the cursor is written with its fact anyway. */
  setCursor(device: string, cursor: Json, saved: boolean): void {
    this.#cursors.set(device, cursor)
    if (saved) this.#unsaved.delete(device)
    else this.#unsaved.set(device, cursor)
  }

  /** Cursors that moved without a fact, at most once a second. */
  takeUnsaved(): { device: string; value: Json }[] {
    const now = this.#clock.mono()
    if (this.#unsaved.size === 0 || now - this.#savedAt < cursorEveryMs) return []
    this.#savedAt = now
    const taken = [...this.#unsaved].map(([device, value]) => ({ device, value }))
    this.#unsaved.clear()
    return taken
  }

  cursors(): { device: string; value: Json }[] {
    return [...this.#cursors].map(([device, value]) => ({ device, value }))
  }

  /** A fire input as it was read last. */
  fire(device: Device | undefined): FireReading | undefined {
    const known = device && this.#devices.get(device.name)
    if (!device || !known || known.readAt === 0) return undefined
    return {
      active: known.state.active === true,
      good: known.state.quality !== 'unknown',
      at: known.readAt,
      staleMs: device.staleMs ?? fireStaleMs,
    }
  }
}
