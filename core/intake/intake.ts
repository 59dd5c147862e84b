import type { Connector } from '../connector.ts'
import type { Json, Kind, Press, Sighting, State } from '../fact.ts'
import { levels } from '../fact.ts'
import type { Device, Site } from '../site/site.ts'
import type { Event, Location } from './event.ts'

/** A location older than this reads "last seen …" and drives no door (safety.md, "Location, honestly"). */
export const staleLocationMs = 120_000

/** More of a raw message than this is cut, bytes of JSON. */
const rawBytesMax = 4_096

/** Fact to event: who, where, what kind. Pure; everything that can be looked up was compiled at start. */
export const intake = (
  site: Site,
  connector: string,
  press: Press,
  context: { readonly id: string; readonly now: number; readonly state: State | undefined },
): Event => {
  const device = press.device === null ? undefined : site.devices.get(press.device)
  return {
    id: context.id,
    key: press.key,
    kind: kindOf(press, device),
    phase: press.phase,
    source: {
      connector,
      device: device?.name ?? null,
      type: sourceOf(site.connectors.get(connector)?.connector, device),
      words: device ? device.label : press.from.slice(0, 200),
    },
    receivedAt: context.now,
    occurredAt: press.occurredAt ?? null,
    clockOffsetMs: context.state?.clockOffsetMs ?? null,
    location: locate(site, device, press.sighting ?? context.state?.sighting, context.now),
    person: press.person ?? device?.person ?? null,
    silent: device?.silent ?? false,
    drill: press.drill ?? false,
    simulated: press.simulated ?? false,
    raw: bounded(press.raw),
  }
}

const sourceOf = (connector: Connector | undefined, device: Device | undefined): Event['source']['type'] =>
  (device && device.input !== null ? connector?.sourceOf?.(device.input) : undefined) ??
  connector?.source ??
  'api'

/** Unmapped is duress: nobody's call is weakened by a gap in the config. */
const kindOf = (press: Press, device: Device | undefined): Kind => {
  const pattern = press.pattern === undefined ? undefined : device?.patterns[press.pattern]
  return pattern ?? press.kind ?? device?.kind ?? 'duress'
}

/** A fixed device is where it hangs; a worn one where it was seen last. Never claims more than the source can tell. */
export const locate = (
  site: Site,
  device: Device | undefined,
  sighting: Sighting | undefined,
  now: number,
): Location => {
  const seen = sighting && site.places.get(sighting.place)
  if (sighting && seen)
    return {
      place: seen.path,
      precision: coarser(sighting.precision, seen.level),
      from: now - sighting.at > staleLocationMs ? 'last-known' : sighting.from,
      at: Math.min(sighting.at, now),
      ...(sighting.confidence === undefined ? {} : { confidence: sighting.confidence }),
      ...(sighting.orElse ? { orElse: sighting.orElse.filter((path) => site.places.has(path)) } : {}),
    }
  if (device?.place)
    return { place: device.place.path, precision: device.place.level, from: 'fixed', at: now }
  return { place: null, precision: null, from: 'unknown', at: now }
}

const coarser = (a: Location['precision'], b: Location['precision']): Location['precision'] =>
  a === null || b === null ? null : levels[Math.min(levels.indexOf(a), levels.indexOf(b))]!

const bounded = (raw: Json): Json => {
  const text = JSON.stringify(raw) ?? 'null'
  return text.length <= rawBytesMax ? raw : { cut: text.slice(0, rawBytesMax), length: text.length }
}
