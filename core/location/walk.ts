import type { Clock } from '../clock.ts'
import type { Json } from '../fact.ts'
import type { Register } from '../register.ts'
import { within } from '../site/places.ts'
import type { Place, Site } from '../site/site.ts'

/** A place that the tester stood in, and what was reported of the badge meanwhile. */
interface Tap {
  readonly place: string
  readonly at: number
  /** When the badge was first reported there after the tap, ms later; null: never while the tester stood there. */
  lagMs: number | null
  /** Where the badge was reported last before the tester went on. */
  reported: string | null
}

/** A walk through a unit with one badge: where it is said to be, against where the tester says it is. */
export interface LocationWalk {
  readonly id: string
  readonly device: string
  readonly unit: string
  readonly by: string
  readonly startedAt: number
  endedAt: number | null
  readonly taps: readonly Readonly<Tap>[]
}

/** How well a unit locates. */
export interface Score {
  readonly rooms: number
  /** Reported in the room, or exactly enough for it. */
  readonly right: number
  /** Half of those that were right took at most so long, ms; null: none was. */
  readonly lagMs: number | null
  readonly wrong: readonly { readonly place: string; readonly reported: string | null }[]
  /** Rooms of the unit that were not tried. */
  readonly missing: readonly string[]
}

const kind = 'location-walk'
/** A walk that nobody ends is over after this, ms. */
const walkMax = 4 * 3_600_000
const tapsMax = 2_000
const openMax = 50

/** Location walks: under way in memory, their results on record. */
export class LocationWalks {
  readonly #clock: Clock
  readonly #site: Site
  readonly #register: Register
  readonly #open = new Map<string, Omit<LocationWalk, 'taps'> & { readonly taps: Tap[] }>()

  constructor(clock: Clock, site: Site, register: Register) {
    this.#clock = clock
    this.#site = site
    this.#register = register
  }

  /** Begins one; null: there are too many. */
  begin(about: Pick<LocationWalk, 'id' | 'device' | 'unit' | 'by'>): LocationWalk | null {
    this.#endOld()
    if (this.#open.size >= openMax) return null
    const walk = { ...about, startedAt: this.#clock.now(), endedAt: null, taps: [] }
    this.#open.set(about.id, walk)
    return walk
  }

  /** Under way, or ended and on record. */
  of(id: string): LocationWalk | undefined {
    return this.#open.get(id) ?? this.#register.get<LocationWalk>(kind, id)
  }

  /** Those that have ended, newest first. */
  ended(): LocationWalk[] {
    return [...this.#register.all<LocationWalk>(kind).values()].sort((a, b) => b.startedAt - a.startedAt)
  }

  isOpen(id: string): boolean {
    return this.#open.has(id)
  }

  /** The tester stands in a place now. */
  tap(id: string, place: string): boolean {
    const walk = this.#open.get(id)
    if (!walk || walk.taps.length >= tapsMax) return false
    walk.taps.push({ place, at: this.#clock.now(), lagMs: null, reported: null })
    return true
  }

  /** A badge was reported somewhere. */
  seen(device: string, path: string): void {
    for (const walk of this.#open.values()) {
      const tap = walk.taps.at(-1)
      if (walk.device !== device || !tap) continue
      tap.reported = path
      if (isThere(this.#site, tap)) tap.lagMs ??= this.#clock.now() - tap.at
    }
  }

  /** Ends one and puts it on record. */
  end(id: string, by: string): LocationWalk | undefined {
    const walk = this.#open.get(id)
    if (!walk) return undefined
    this.#open.delete(id)
    walk.endedAt = this.#clock.now()
    const { right, rooms } = scoreOf(this.#site, walk)
    void this.#register.set(
      [{ kind, name: id, body: walk as unknown as Json }],
      [{ what: 'location-walk', incident: null, unit: walk.unit, right, rooms, by }],
    )
    return walk
  }

  #endOld(): void {
    for (const { id, startedAt } of this.#open.values())
      if (this.#clock.now() - startedAt > walkMax) this.end(id, 'nobody: it was left open')
  }
}

/** Reported in the place or inside it; or around it, where no more than that is promised. */
const isThere = (site: Site, { place: path, reported }: Pick<Tap, 'place' | 'reported'>): boolean => {
  const place = site.places.get(path)
  const found = site.places.get(reported ?? '')
  if (!place || !found) return false
  if (within(found, place)) return true
  return within(place, found) && place.precision !== null && place.precision === found.level
}

const roomsOf = (unit: Place): Place[] =>
  unit.children.flatMap((child) => (child.children.length === 0 ? [child] : roomsOf(child)))

/** The score of a walk; of a room that was tried twice the last try counts. */
export const scoreOf = (site: Site, { unit, taps }: LocationWalk): Score => {
  const last = new Map(taps.map((tap) => [tap.place, tap]))
  const right = [...last.values()].filter((tap) => isThere(site, tap))
  const lags = right.flatMap(({ lagMs }) => lagMs ?? []).sort((a, b) => a - b)
  const place = site.places.get(unit)
  return {
    rooms: last.size,
    right: right.length,
    lagMs: lags[Math.floor((lags.length - 1) / 2)] ?? null,
    wrong: [...last.values()]
      .filter((tap) => !right.includes(tap))
      .map(({ place, reported }) => ({ place, reported })),
    missing: (place ? roomsOf(place) : []).map(({ path }) => path).filter((path) => !last.has(path)),
  }
}
