import type { Json, Level } from '../fact.ts'
import { levels } from '../fact.ts'
import type { Assignment } from '../people/assignments.ts'
import type { Register } from '../register.ts'
import { within } from '../site/places.ts'
import type { Device, Place, Site } from '../site/site.ts'

/** A badge that says nothing for so long has been lost where it was seen last, ms. */
const gapMs = 600_000
/** Counters are written so often, ms. */
const writeEveryMs = 3_600_000

const kind = 'coverage'

/** What is counted of a place: how often badges were seen there, and how often one was not seen again. No badge is named. */
export interface Counted {
  readonly seen: number
  readonly unseen: number
  /** ms since the epoch */
  readonly since: number
}

/** Counters per place, without badges: they say where the radio does not reach. */
export class Coverage {
  readonly #register: Register
  readonly #counts = new Map<string, { seen: number; unseen: number; since: number }>()
  readonly #last = new Map<string, { place: string; at: number }>()
  readonly #changed = new Set<string>()
  #writtenAt: number

  constructor(register: Register, now: number) {
    this.#register = register
    this.#writtenAt = now
    for (const [place, counted] of register.all<Counted>(kind)) this.#counts.set(place, { ...counted })
  }

  /** A badge came to a place, or came back after it was not seen for long. */
  seen(device: string, place: string, at: number): void {
    const last = this.#last.get(device)
    this.#last.set(device, { place, at })
    if (last && at - last.at >= gapMs) this.#count(last.place, at).unseen++
    if (last?.place !== place) this.#count(place, at).seen++
  }

  counts(): ReadonlyMap<string, Counted> {
    return this.#counts
  }

  /** Writes what has changed, once an hour; a crash costs counts and nothing else. */
  write(now: number): void {
    if (now - this.#writtenAt < writeEveryMs || this.#changed.size === 0) return
    this.#writtenAt = now
    const rows = [...this.#changed].map((name) => ({
      kind,
      name,
      body: { ...this.#counts.get(name) } as unknown as Json,
    }))
    this.#changed.clear()
    void this.#register.set(rows, [], { waits: false })
  }

  #count(place: string, at: number) {
    const counted = this.#counts.get(place) ?? { seen: 0, unseen: 0, since: at }
    this.#counts.set(place, counted)
    this.#changed.add(place)
    return counted
  }
}

/** A gap in what protects people, in words. */
export interface Gap {
  readonly what: 'no-device' | 'not-exact' | 'unseen' | 'no-role' | 'incident-without-device'
  /** Path of the place; null for a role. */
  readonly place: string | null
  readonly words: string
}

/** What is known besides the site when its gaps are looked for. */
export interface Known {
  readonly counts: ReadonlyMap<string, Counted>
  /** Who carries what at present. */
  readonly assignments: Iterable<Assignment>
  /** Places of incidents, as often as there were incidents. */
  readonly incidents: Iterable<string>
}

/** Units with no device, places known less exactly than they must be, rooms where badges are lost, roles without devices. */
export const gapsOf = (site: Site, known: Known): Gap[] => [
  ...unitsWithout(site),
  ...notExact(site),
  ...lostIn(site, known.counts),
  ...rolesWithout(site, known.assignments),
  ...incidentsWithout(site, known.incidents),
]

interface Source {
  readonly place: Place
  readonly precision: Level
}

const isPressed = ({ means, input, place }: Device): boolean =>
  means === 'press' && input !== null && place !== null

/** Everything that can tell that somebody calls from a place, and how exactly. */
const sourcesOf = (site: Site): Source[] => {
  const fixed = [...site.devices.values()].filter(isPressed).map(({ place }) => place as Place)
  const heard = [...site.locating.values()].flat().flatMap(({ place, precision }) => {
    const found = site.places.get(place)
    return found ? [{ place: found, precision }] : []
  })
  return [...fixed.map((place) => ({ place, precision: place.level })), ...heard]
}

const unitsWithout = (site: Site): Gap[] => {
  const sources = sourcesOf(site)
  const units = [...site.places.values()].filter(({ level }) => level === 'unit')
  return units
    .filter((unit) => !sources.some(({ place }) => within(place, unit) || within(unit, place)))
    .map(({ path }) => ({ what: 'no-device', place: path, words: `${path}: nobody can call from here` }))
}

/** The innermost places of a unit that promises a precision, and nothing that hears so exactly there. */
const notExact = (site: Site): Gap[] => {
  const sources = sourcesOf(site)
  const best = (place: Place): number =>
    Math.max(
      -1,
      ...sources
        .filter((source) => within(place, source.place) || within(source.place, place))
        .map(({ precision }) => levels.indexOf(precision)),
    )
  const leaves = [...site.places.values()].filter(
    ({ children, precision }) => children.length === 0 && precision,
  )
  return leaves.flatMap((place): Gap[] => {
    const had = best(place)
    const required = place.precision as Level
    const wanted = Math.min(levels.indexOf(required), levels.indexOf(place.level))
    if (had < 0 || had >= wanted) return []
    const words = `${place.path}: must be located by ${required}, is by ${levels[had]} at best`
    return [{ what: 'not-exact', place: place.path, words }]
  })
}

const lostIn = (site: Site, counts: Known['counts']): Gap[] =>
  [...counts]
    .filter(([path, { unseen }]) => unseen > 0 && site.places.has(path))
    .sort(([, a], [, b]) => b.unseen - a.unseen)
    .map(([place, { seen, unseen }]) => ({
      what: 'unseen',
      place,
      words: `${place}: badges were not seen again ${unseen} times of ${seen}`,
    }))

const rolesWithout = (site: Site, assignments: Known['assignments']): Gap[] => {
  const having = new Set([...assignments].map(({ role }) => role?.toLowerCase()))
  return site.people.roles
    .filter((role) => !having.has(role.toLowerCase()))
    .map((role) => ({ what: 'no-role', place: null, words: `nobody who is ${role} carries a device` }))
}

const incidentsWithout = (site: Site, incidents: Known['incidents']): Gap[] => {
  const sources = sourcesOf(site)
  const counts = new Map<string, number>()
  for (const path of incidents) counts.set(path, (counts.get(path) ?? 0) + 1)
  return [...counts].flatMap(([path, count]): Gap[] => {
    const place = site.places.get(path)
    const has = place && sources.some((source) => within(source.place, place) || within(place, source.place))
    if (!place || has) return []
    const words = `${path}: ${count} ${count === 1 ? 'incident' : 'incidents'}, and no device`
    return [{ what: 'incident-without-device', place: path, words }]
  })
}
