import type { Kind } from '../fact.ts'
import type { Device, Place, Plan, Site } from './site.ts'

/** Whether `place` is `ancestor` or lies inside it. */
export const within = (place: Place, ancestor: Place): boolean => {
  for (let at: Place | null = place; at; at = at.parent) if (at === ancestor) return true
  return false
}

const ancestors = (place: Place): Place[] => {
  const up: Place[] = []
  for (let at = place.parent; at; at = at.parent) up.push(at)
  return up
}

const descendants = (place: Place): Place[] =>
  place.children.flatMap((child) => [child, ...descendants(child)])

/** How many places contain it. */
export const pathDepth = (place: Place): number => ancestors(place).length

/** Worked out once a place: every message says it. */
const once = (name: (place: Place) => string): ((place: Place) => string) => {
  const names = new WeakMap<Place, string>()
  return (place) => {
    const known = names.get(place) ?? name(place)
    names.set(place, known)
    return known
  }
}

/** The place in words, nearest first: "Triage 2, Emergency, Level 2". The only top of the tree goes without saying. */
export const pathName = once((place) =>
  [place, ...ancestors(place).filter((above) => !above.sole)].map(({ name }) => name).join(', '),
)

/** The name that fits a pager, from the unit (or else the building) down: "ED Triage 2". */
export const shortName = once((place) => {
  const line = [place, ...ancestors(place)]
  const end = ['unit', 'building']
    .map((level) => line.findIndex((at) => at.level === level))
    .find((at) => at >= 0)
  return line
    .slice(0, (end ?? 0) + 1)
    .reverse()
    .map(({ short }) => short)
    .join(' ')
})

const enclosed = (place: Place): boolean => ['zone', 'room', 'bed'].includes(place.level)

const nearOf = (place: Place): readonly Place[] => {
  const inside = [place, ...descendants(place)]
  // What is said in a room is heard at all its beds, and a zone has no walls.
  const around = ancestors(place).filter(enclosed)
  const here = [...inside, ...around.flatMap((room) => [room, ...descendants(room)])]
  const next = here.flatMap(({ beside }) => beside)
  // What is placed only at the unit or building may stand anywhere in it, this place included.
  return [...new Set([...here, ...next, ...next.flatMap(descendants), ...ancestors(place)])]
}

const nearBy = new WeakMap<Place, ReadonlySet<Place>>()

/**
 * Where something that acts may be noticed at `place`: the place and all inside it, the room or zone that it is in, what is
 * beside these, and whatever contains it (since a thing that is placed at the unit may stand right here). The closest first.
 */
export const near = (place: Place): ReadonlySet<Place> => {
  const known = nearBy.get(place) ?? new Set(nearOf(place))
  nearBy.set(place, known)
  return known
}

/** A camera and what it shows. */
export interface View {
  readonly device: Device
  readonly place: Place
  /** null: it shows the place without being turned. */
  readonly preset: string | null
}

interface Index {
  readonly views: ReadonlyMap<Place, readonly View[]>
  readonly doors: readonly Device[]
  readonly cameras: Map<Place, readonly View[]>
  readonly guarding: Map<Place, readonly Device[]>
}

const indexes = new WeakMap<Site, Index>()

const indexOf = (site: Site): Index => {
  const known = indexes.get(site)
  if (known) return known
  const devices = [...site.devices.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const views = new Map<Place, View[]>()
  for (const device of devices)
    for (const [path, { preset }] of device.camera?.sees ?? []) {
      const place = site.places.get(path)
      if (place) views.set(place, [...(views.get(place) ?? []), { device, place, preset }])
    }
  const doors = devices.filter(({ door }) => door !== null)
  const index = { views, doors, cameras: new Map(), guarding: new Map() }
  indexes.set(site, index)
  return index
}

/** The floor that a place is on, or the building or campus that has none. */
export const floorOf = (place: Place): Place | undefined =>
  [place, ...ancestors(place)].find(
    ({ level }) => level === 'floor' || level === 'building' || level === 'campus',
  )

/** Squared distance on the floor plan; unknown counts as far. */
const distance = (from: Place, to: Place): number =>
  from === to
    ? 0
    : from.at && to.at && floorOf(from) === floorOf(to)
      ? (from.at[0] - to.at[0]) ** 2 + (from.at[1] - to.at[1]) ** 2
      : Number.POSITIVE_INFINITY

const maxCameras = 4

/** One view a camera, the closest first; equally close ones in the order of their names. */
const pick = (place: Place, views: readonly View[]): readonly View[] => {
  const ranked = views
    .map((view) => ({ view, far: distance(place, view.place) }))
    .sort((a, b) => (a.far === b.far ? 0 : a.far - b.far))
    .map(({ view }) => view)
  const first = ranked.filter(
    (view, index) => ranked.findIndex(({ device }) => device === view.device) === index,
  )
  return first.slice(0, maxCameras)
}

/** The cameras that see the place; else those that see a place near it; else those of the same unit. At most 4. */
export const nearestCameras = (site: Site, place: Place): readonly View[] => {
  const index = indexOf(site)
  const known = index.cameras.get(place)
  if (known) return known
  const unit = [place, ...ancestors(place)].find(({ level }) => level === 'unit')
  const circles = [[place], [...near(place)], unit ? [unit, ...descendants(unit)] : []]
  const seen = circles
    .map((circle) => circle.flatMap((at) => index.views.get(at) ?? []))
    .find(({ length }) => length > 0)
  const cameras = pick(place, seen ?? [])
  index.cameras.set(place, cameras)
  return cameras
}

/** The doors that lead to the place, or to what contains it, or, for a unit and wider, to what is inside it. The closest first. */
export const guardingDoors = (site: Site, place: Place): readonly Device[] => {
  const index = indexOf(site)
  const known = index.guarding.get(place)
  if (known) return known
  const covers = (guarded: Place) => within(place, guarded) || (!enclosed(place) && within(guarded, place))
  const doors = index.doors
    .map((device) => ({ device, depth: Math.max(-1, ...device.door!.guards.filter(covers).map(pathDepth)) }))
    .filter((door) => door.depth >= 0)
    .sort((a, b) => b.depth - a.depth)
    .map(({ device }) => device)
  index.guarding.set(place, doors)
  return doors
}

/** Works out the above for all places, so that no press waits for it. */
export const warm = (site: Site): void => {
  for (const place of site.places.values()) {
    near(place)
    nearestCameras(site, place)
    guardingDoors(site, place)
  }
}

/** The plan for a press: the closest place wins, then a plan for kinds over one for all, then the order of the file. */
export const findPlan = (site: Site, kind: Kind, place: Place | null): Plan => {
  let best: Plan | null = null
  let score = -1
  for (const plan of site.plans) {
    if (plan.kinds && !plan.kinds.has(kind)) continue
    const closeness = plan.places
      ? Math.max(-1, ...plan.places.filter((at) => place && within(place, at)).map((at) => pathDepth(at) + 1))
      : 0
    if (closeness < 0) continue
    const value = closeness * 2 + (plan.kinds ? 1 : 0)
    if (value > score) [best, score] = [plan, value]
  }
  // The check demands a plan for everything; should there be none all the same, the widest one summons help.
  return best ?? site.plans.at(-1)!
}
