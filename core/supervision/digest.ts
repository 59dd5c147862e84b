import { pathName, shortName } from '../site/places.ts'
import type { ContactPath, Device, Place, Site } from '../site/site.ts'
import type { Fault } from './faults.ts'
import { kindOf, subjectOf } from './kinds.ts'
import { routeOf } from './route.ts'

/** Names in one line; the screens have them all. */
const namesMax = 5
/** Lines of one message. */
export const linesMax = 10

/** What some people are told at once. */
export interface Notice {
  readonly to: readonly ContactPath[]
  readonly lines: readonly string[]
  /** Since when the oldest of it is so, ms since the epoch. */
  readonly since: number
}

/** One message for each unit and those who look after it: how many of what, and which. */
export const digestsOf = (site: Site, faults: readonly Fault[]): Notice[] => {
  const groups = new Map<string, { unit: Place | null; to: readonly ContactPath[]; faults: Fault[] }>()
  for (const fault of faults) {
    const place = site.devices.get(subjectOf(fault.id))?.place ?? null
    const unit = unitOf(place)
    const to = routeOf(site, fault.class, place)
    if (to.length === 0) continue
    const key = `${unit?.path ?? ''} ${keyOf(to)}`
    const group = groups.get(key) ?? { unit, to, faults: [] }
    groups.set(key, group)
    group.faults.push(fault)
  }
  return [...groups.values()].map(({ unit, to, faults: inUnit }) => ({
    to,
    lines: [`daily digest${unit ? ` ${pathName(unit)}` : ''}`, ...linesOf(site, inUnit)].slice(0, linesMax),
    since: Math.min(...inUnit.map(({ openedAt }) => openedAt)),
  }))
}

const linesOf = (site: Site, faults: readonly Fault[]): string[] =>
  [...Map.groupBy(faults, ({ id }) => kindOf(id).title)].map(([title, of]) => {
    const names = of.map(({ id }) => nameOf(site.devices.get(subjectOf(id)), subjectOf(id)))
    const shown = names.slice(0, namesMax).filter((name) => name !== '')
    const more = names.length - shown.length
    const list = [...shown, ...(more > 0 && shown.length > 0 ? [`${more} more`] : [])].join(', ')
    return `${of.length} ${title}${list === '' ? '' : `: ${list}`}`
  })

const nameOf = (device: Device | undefined, subject: string): string => device?.label ?? subject.slice(0, 60)

const unitOf = (place: Place | null): Place | null => {
  for (let at = place; at; at = at.parent) if (at.level === 'unit') return at
  return null
}

/** A fault as one line, with where it is. */
export const lineOf = (fault: Fault, place: Place | null): string =>
  place ? `${shortName(place)}: ${fault.what}` : fault.what

/** Who is told, as one word. */
export const keyOf = (to: readonly ContactPath[]): string => to.map(({ name }) => name).join(' ')
