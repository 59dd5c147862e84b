import type { Position } from '../fact.ts'
import type { Place, Site } from '../site/site.ts'

/** Corners of a place on the globe, each latitude and longitude in degrees (WGS 84). */
export type Outline = readonly (readonly [number, number])[]

/** Where a position lies among the outlined places. */
export interface Spot {
  readonly place: Place
  /** Whether the whole circle of accuracy lies inside it: else it may as well be outside. */
  readonly sure: boolean
  /** Other outlined places that the circle touches. */
  readonly orElse: readonly Place[]
}

/** A receiver that says nothing of its accuracy is taken for one on a phone under open sky, metres. */
const accuracyDefaultM = 20
/** Metres in a degree of latitude: a quarter of the meridian is 10,002 km. */
const metresPerDegree = 111_133

type Point = readonly [x: number, y: number]

/** Metres east and north of `at`; flat, which over the size of a campus is right to centimetres. */
const around = (at: Position): ((corner: readonly [number, number]) => Point) => {
  const eastM = metresPerDegree * Math.cos((at.latitude * Math.PI) / 180)
  return ([latitude, longitude]) => {
    // The short way round: a campus may lie across the date line.
    const east = ((longitude - at.longitude + 540) % 360) - 180
    return [east * eastM, (latitude - at.latitude) * metresPerDegree]
  }
}

const edges = (corners: readonly Point[]): [Point, Point][] =>
  corners.map((corner, index) => [corner, corners[(index + 1) % corners.length] as Point])

/** Whether the origin is inside: a ray from it to the east crosses the edges an odd number of times. */
const holdsOrigin = (corners: readonly Point[]): boolean => {
  let inside = false
  for (const [[ax, ay], [bx, by]] of edges(corners))
    if (ay > 0 !== by > 0 && ax + (-ay * (bx - ax)) / (by - ay) > 0) inside = !inside
  return inside
}

const distanceToEdge = (corners: readonly Point[]): number =>
  Math.min(
    ...edges(corners).map(([[ax, ay], [bx, by]]) => {
      const [dx, dy] = [bx - ax, by - ay]
      const length = dx * dx + dy * dy
      const along = length === 0 ? 0 : Math.max(0, Math.min(1, -(ax * dx + ay * dy) / length))
      return Math.hypot(ax + along * dx, ay + along * dy)
    }),
  )

/** Beyond this many degrees of latitude nothing is near, and a flat map says nothing. */
const farDegrees = 1

const isFar = ({ latitude, longitude }: Position, outline: Outline): boolean =>
  outline.every(([lat, lon]) => {
    const east = Math.abs(((lon - longitude + 540) % 360) - 180)
    return Math.abs(lat - latitude) > farDegrees || (east > farDegrees && Math.abs(latitude) < 80)
  })

const depth = (place: Place): number => (place.parent ? 1 + depth(place.parent) : 0)

const outlined = new WeakMap<Site, readonly Place[]>()

/** The places with an outline, the innermost first. */
const outlinedPlaces = (site: Site): readonly Place[] => {
  const known = outlined.get(site)
  if (known) return known
  const places = [...site.places.values()].filter(({ outline }) => outline !== null)
  places.sort((a, b) => depth(b) - depth(a))
  outlined.set(site, places)
  return places
}

/**
 * The innermost place that surely holds the position, its accuracy honoured; else the outermost that may hold it, as a guess.
 * null: none comes near it.
 */
export const spotOf = (site: Site, position: Position): Spot | null => {
  const toPoint = around(position)
  const accuracyM = position.accuracyM ?? accuracyDefaultM
  const touched = outlinedPlaces(site).flatMap((place) => {
    const outline = place.outline as Outline
    if (isFar(position, outline)) return []
    const corners = outline.map(toPoint)
    const inside = holdsOrigin(corners)
    const edgeM = distanceToEdge(corners)
    return inside || edgeM <= accuracyM ? [{ place, sure: inside && edgeM >= accuracyM }] : []
  })
  const sure = touched.find((spot) => spot.sure)
  const found = sure ?? touched.at(-1)
  if (!found) return null
  const orElse = sure ? [] : touched.filter((spot) => spot !== found).map(({ place }) => place)
  return { ...found, orElse }
}
