import type { Event, Location } from '../intake/event.ts'
import { type Deed, historyMax, type Incident, type Resolution } from './incident.ts'

/** Everything that can happen to an incident. */
export type Change =
  | { readonly is: 'pressed'; readonly event: Event }
  | { readonly is: 'restored'; readonly at: number }
  | { readonly is: 'moved'; readonly at: number; readonly location: Location }
  | ({ readonly is: 'acknowledged' | 'on-the-way' | 'on-scene' | 'declined' | 'released' } & Deed)
  | ({ readonly is: 'resolved'; readonly as: Resolution; readonly note: string } & Deed)

/** Opens an incident for a press that joins none. */
export const openIncident = (
  event: Event,
  about: {
    readonly id: string
    readonly number: number
    readonly revision: string
    plan: string
    silent: boolean
  },
): Incident => ({
  id: about.id,
  number: about.number,
  revision: about.revision,
  openedAt: event.receivedAt,
  kind: event.kind,
  drill: event.drill,
  ...(event.mode ? { mode: event.mode } : {}),
  silent: about.silent || event.silent,
  plan: about.plan,
  presses: 1,
  lastPressAt: event.receivedAt,
  rounds: [{ n: 0, at: event.receivedAt, ...who(event) }],
  armedAt: event.receivedAt,
  arm: 0,
  location: event.location,
  moves: [],
  been: event.location.place === null ? [] : [event.location.place],
  persons: event.person === null ? [] : [event.person],
  devices: event.source.device === null ? [] : [event.source.device],
  follows: event.source.device,
  unknown: event.source.device === null ? [event.source.words] : [],
  acknowledged: null,
  onTheWay: null,
  onScene: null,
  declines: [],
  takenBack: null,
  released: null,
  resolved: null,
})

/** The incident after a change. Pure and total: a change that no longer matters returns the same incident. */
export const apply = (incident: Incident, change: Change): Incident => {
  if (incident.resolved) return incident
  switch (change.is) {
    case 'pressed':
      return pressed(incident, change.event)
    case 'restored':
      return { ...incident, takenBack: incident.takenBack ?? change.at }
    case 'moved':
      return moved(incident, change.location, change.at)
    case 'acknowledged':
      return incident.acknowledged ? incident : { ...incident, acknowledged: deed(change) }
    case 'on-the-way':
      return incident.onTheWay ? incident : { ...incident, onTheWay: deed(change) }
    case 'on-scene':
      return incident.onScene ? incident : { ...incident, onScene: deed(change) }
    case 'declined':
      return declined(incident, deed(change))
    case 'released':
      return incident.released ? incident : { ...incident, released: deed(change) }
    case 'resolved':
      return { ...incident, resolved: { ...deed(change), as: change.as, note: change.note.slice(0, 2_000) } }
  }
}

/** Who had acknowledged and now declines takes the acknowledgement along: others are waited for anew. */
const declined = (incident: Incident, by: Deed): Incident => {
  const declines = newest([...incident.declines, by])
  const { acknowledged, onTheWay } = incident
  if (acknowledged?.by !== by.by && onTheWay?.by !== by.by) return { ...incident, declines }
  return {
    ...incident,
    declines,
    acknowledged: acknowledged?.by === by.by ? null : acknowledged,
    onTheWay: onTheWay?.by === by.by ? null : onTheWay,
    armedAt: by.at,
    arm: incident.arm + 1,
  }
}

const deed = ({ at, by }: Deed): Deed => ({ at, by })

/**
 * A further press. By somebody else, or after the acknowledgement, it starts the first step again; after the
 * acknowledgement it also waits for a new one, so that the second call can't be lost behind the first (ADR 0005).
 */
const pressed = (incident: Incident, event: Event): Incident => {
  const answered = incident.acknowledged !== null || incident.onTheWay !== null || incident.onScene !== null
  const again = answered || isSomebodyElse(incident, event)
  const taken: Incident = {
    ...incident,
    presses: incident.presses + 1,
    lastPressAt: event.receivedAt,
    silent: incident.silent || event.silent,
    takenBack: null,
    persons: added(incident.persons, event.person),
    devices: added(incident.devices, event.source.device),
    follows: event.source.device ?? incident.follows,
    unknown: event.source.device === null ? added(incident.unknown, event.source.words) : incident.unknown,
    rounds: again
      ? newest([...incident.rounds, { n: next(incident.rounds), at: event.receivedAt, ...who(event) }])
      : incident.rounds,
    ...(answered
      ? { acknowledged: null, onTheWay: null, armedAt: event.receivedAt, arm: incident.arm + 1 }
      : {}),
  }
  return moved(taken, event.location, event.receivedAt)
}

const isSomebodyElse = (incident: Incident, event: Event): boolean =>
  event.person !== null
    ? !incident.persons.includes(event.person)
    : event.source.device !== null
      ? !incident.devices.includes(event.source.device)
      : !incident.unknown.includes(event.source.words)

/** A new place is a move; the same place seen again only refreshes its age. An unknown place never replaces a known one. */
const moved = (incident: Incident, location: Location, at: number): Incident => {
  if (location.place === null || location.at < incident.location.at) return incident
  if (location.place === incident.location.place) return { ...incident, location }
  return {
    ...incident,
    location,
    moves: newest([...incident.moves, { n: next(incident.moves), at, location }]),
    been: added(incident.been, location.place),
  }
}

/** What a device said longer ago tells nothing of the press, ms. */
const contextMs = 12 * 3_600_000

const who = ({ source, person, role, context, receivedAt }: Event) => ({
  words: source.words,
  person,
  ...(role === null ? {} : { role }),
  ...(context && receivedAt - context.at < contextMs ? { context: context.words.slice(0, 200) } : {}),
})

const next = (numbered: readonly { readonly n: number }[]): number => (numbered.at(-1)?.n ?? -1) + 1

const newest = <T>(list: readonly T[]): readonly T[] => list.slice(-historyMax)

const added = (list: readonly string[], item: string | null): readonly string[] =>
  item === null || list.includes(item) || list.length >= 10 * historyMax ? list : [...list, item]
