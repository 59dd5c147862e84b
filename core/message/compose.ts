import type { Incident } from '../incident/incident.ts'
import type { Location } from '../intake/event.ts'
import { pathName, shortName } from '../site/places.ts'
import type { Site } from '../site/site.ts'
import type { Message, Whereabouts } from './message.ts'

/** Says an incident to people; what changes between two messages is `about`, when it was due and where. */
export const compose = (
  site: Site,
  incident: Incident,
  about: Message['about'],
  dueAt: number,
  location: Location = incident.location,
): Message => ({
  incident: incident.id,
  site: site.name,
  timezone: site.timezone,
  number: incident.number,
  about,
  kind: incident.kind,
  drill: incident.drill,
  ...(incident.mode === 'walk-test' ? { walkTest: true } : {}),
  silent: incident.silent,
  where: tell(site, location),
  who: whoOf(incident),
  source: incident.unknown.at(-1) ?? null,
  receivedAt: incident.openedAt,
  dueAt,
  acknowledgedBy: (incident.onScene ?? incident.onTheWay ?? incident.acknowledged)?.by ?? null,
  notes: notes(incident),
})

const whoOf = ({ rounds }: Incident): string | null => {
  const { person = null, role } = rounds.at(-1) ?? {}
  return person !== null && role !== undefined ? `${person} (${role})` : person
}

const tell = (site: Site, location: Location): Whereabouts => {
  const place = location.place === null ? undefined : site.places.get(location.place)
  if (!place)
    return {
      place: null,
      name: 'place unknown',
      short: 'PLACE UNKNOWN',
      precision: null,
      from: location.from,
      at: location.at,
      ...(location.address === undefined ? {} : { address: location.address }),
      ...(location.position === undefined ? {} : { position: location.position }),
    }
  const orElse = (location.orElse ?? []).flatMap((path) => {
    const other = site.places.get(path)
    return other ? [pathName(other)] : []
  })
  return {
    place: place.path,
    name: pathName(place),
    short: shortName(place),
    precision: location.precision,
    from: location.from,
    at: location.at,
    ...(location.confidence === undefined ? {} : { confidence: location.confidence }),
    ...(orElse.length > 0 ? { orElse } : {}),
    ...addressOf(location.address ?? place.address),
    ...(location.position === undefined ? {} : { position: location.position }),
  }
}

const addressOf = (address: string | null) => (address === null ? {} : { address })

/** What the kind demands of responders (safety.md, "Kinds differ in the answer"), then what else is known. */
const notes = (incident: Incident): string[] => [
  ...(incident.kind === 'weapon' ? ['WEAPON: do not enter unarmed'] : []),
  ...(incident.kind === 'hold-up' ? ['HOLD-UP: do not enter, let the robber leave'] : []),
  ...(incident.mode === 'service' ? ['device in SERVICE MODE: come all the same'] : []),
  ...(incident.presses > 1 ? [`${incident.presses} presses`] : []),
  ...incident.rounds.slice(-1).flatMap(({ context }) => (context === undefined ? [] : [context])),
  ...(incident.takenBack !== null ? ['taken back by the caller, coerced?'] : []),
]

/** Says to people what is wrong with devices and links; it has no incident, and nobody can take it for a call for help. */
export const composeFault = (
  site: Pick<Site, 'name' | 'timezone'>,
  notice: { readonly id: string; readonly lines: readonly string[]; readonly since: number },
  dueAt: number,
): Message => ({
  incident: notice.id,
  site: site.name,
  timezone: site.timezone,
  number: 0,
  about: 'fault',
  kind: 'unknown',
  drill: false,
  silent: false,
  where: { place: null, name: '', short: '', precision: null, from: 'unknown', at: notice.since },
  who: null,
  source: null,
  receivedAt: notice.since,
  dueAt,
  acknowledgedBy: null,
  notes: [...notice.lines],
})
