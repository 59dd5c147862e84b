import type { Connector } from '../connector.ts'
import type { Json, Kind, Press, Sighting, State } from '../fact.ts'
import { locate } from '../location/locate.ts'
import type { Assignment } from '../people/assignments.ts'
import type { Device, Site } from '../site/site.ts'
import type { Event } from './event.ts'

/** More of a raw message than this is cut, bytes of JSON. */
const rawBytesMax = 4_096

/** What is known beside the press itself. */
export interface Context {
  readonly id: string
  readonly now: number
  /** What was remembered of its device. */
  readonly state: State | undefined
  /** Where the device was before, newest first. */
  readonly before: readonly Sighting[]
  /** Who carries the device now. */
  readonly assignment: Assignment | null
}

/** Fact to event: who, where, what kind. Pure; everything that can be looked up was compiled at start. */
export const intake = (site: Site, connector: string, press: Press, context: Context): Event => {
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
    location: locate(site, device, evidenceOf(press, context), context.now),
    person: press.person ?? context.assignment?.person ?? device?.person ?? null,
    role: press.person === undefined ? (context.assignment?.role ?? null) : null,
    context: contextOf(press, context),
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

const contextOf = ({ words }: Press, { state, now }: Context): Event['context'] =>
  words === undefined ? (state?.context ?? null) : { words: words.slice(0, 200), at: now }

const evidenceOf = (press: Press, { state, before }: Context) => ({
  sighting: press.sighting ?? state?.sighting,
  position: press.position ?? state?.position,
  address: press.address,
  before,
})

const bounded = (raw: Json): Json => {
  const text = JSON.stringify(raw) ?? 'null'
  return text.length <= rawBytesMax ? raw : { cut: text.slice(0, rawBytesMax), length: text.length }
}
