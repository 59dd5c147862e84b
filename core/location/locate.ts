import type { Level, Position, Sighting } from '../fact.ts'
import { levels } from '../fact.ts'
import type { Location } from '../intake/event.ts'
import { floorOf } from '../site/places.ts'
import type { Device, Site } from '../site/site.ts'
import { spotOf } from './outline.ts'

/** A location older than this reads "last seen …" and drives no door (safety.md, "Location, honestly"). */
export const staleLocationMs = 120_000
/** Seen on another floor within this time, a badge may be on either: radio goes through ceilings, and lifts take longer, ms. */
const floorDoubtMs = 15_000

/** What is known of where somebody is. */
export interface Evidence {
  readonly sighting?: Sighting | undefined
  readonly position?: Position | undefined
  readonly address?: string | undefined
  /** Where the device was seen before, newest first. */
  readonly before?: readonly Sighting[]
}

/** A fixed device is where it hangs; a worn one where it was seen last. Never claims more than the source can tell. */
export const locate = (site: Site, device: Device | undefined, evidence: Evidence, now: number): Location => {
  const { position, address } = evidence
  const told = {
    ...(address === undefined ? {} : { address: address.slice(0, 300) }),
    ...(position === undefined ? {} : { position: onGlobe(position) }),
  }
  const seen = bySighting(site, evidence, now)
  const fixed = byPosition(site, position, now)
  const newest = seen && fixed ? (fixed.at > seen.at ? fixed : seen) : (seen ?? fixed)
  if (newest) return { ...newest, ...told }
  if (device?.place)
    return { place: device.place.path, precision: device.place.level, from: 'fixed', at: now, ...told }
  const at = Math.min(position?.at ?? now, now)
  return { place: null, precision: null, from: position ? 'gps' : 'unknown', at, ...told }
}

const bySighting = (site: Site, { sighting, before = [] }: Evidence, now: number): Location | null => {
  const seen = sighting && site.places.get(sighting.place)
  if (!sighting || !seen) return null
  const floor = floorOf(seen)
  const elsewhere = before.filter(({ at, place }) => {
    const other = site.places.get(place)
    return other && sighting.at - at <= floorDoubtMs && floorOf(other) !== floor
  })
  const others = [...(sighting.orElse ?? []), ...elsewhere.map(({ place }) => place)]
  const orElse = [...new Set(others)].filter((path) => path !== seen.path && site.places.has(path))
  return {
    place: seen.path,
    precision: coarser(sighting.precision, seen.level),
    from: now - sighting.at > staleLocationMs ? 'last-known' : sighting.from,
    at: Math.min(sighting.at, now),
    ...(sighting.confidence === undefined ? {} : { confidence: sighting.confidence }),
    ...(orElse.length > 0 ? { orElse: orElse.slice(0, 4) } : {}),
  }
}

const byPosition = (site: Site, position: Position | undefined, now: number): Location | null => {
  const spot = position && spotOf(site, position)
  if (!position || !spot) return null
  return {
    place: spot.place.path,
    precision: spot.sure ? spot.place.level : 'campus',
    from: now - position.at > staleLocationMs ? 'last-known' : 'gps',
    at: Math.min(position.at, now),
    ...(spot.orElse.length > 0 ? { orElse: spot.orElse.map(({ path }) => path).slice(0, 4) } : {}),
  }
}

const onGlobe = ({ latitude, longitude, accuracyM }: Position) => ({
  latitude,
  longitude,
  ...(accuracyM === undefined ? {} : { accuracyM }),
})

const coarser = (a: Level, b: Level): Level => levels[Math.min(levels.indexOf(a), levels.indexOf(b))] as Level
