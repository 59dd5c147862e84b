import type { Connector } from '../connector.ts'
import { BridgeError } from '../error.ts'
import type { Extent } from './check/subject.ts'
import type { SiteConfig } from './config.ts'
import { buildDevice, coverDoors, type Lookup } from './devices.ts'
import { type Problem, read } from './explain.ts'
import { warm } from './places.ts'
import { buildPlans } from './plans.ts'
import { buildResponders } from './responders.ts'
import { revisionOf } from './revision.ts'
import type { ConnectorEntry, Device, Site } from './site.ts'
import { didYouMean } from './suggest.ts'
import { buildSupervision } from './supervision.ts'
import { buildPlaces } from './tree.ts'

/** Connectors by type. */
export type Catalogue = ReadonlyMap<string, Connector>

/** Says whether a name stands in the config although its entry could not be read: then it isn't missing. */
export type Unread = Extent['unread']

const buildConnectors = (
  configs: SiteConfig['connectors'],
  catalogue: Catalogue,
  problems: Problem[],
): ReadonlyMap<string, ConnectorEntry> => {
  const entries = new Map<string, ConnectorEntry>()
  for (const [name, { type, isolate, 'runs-on': runsOn = [], ...raw }] of Object.entries(configs)) {
    const connector = catalogue.get(type)
    if (!connector) {
      const types = [...catalogue.keys()].filter((known) => known !== 'console')
      const message = `there is no connector type \`${type.slice(0, 40)}\`: ${didYouMean(type, types)}`
      problems.push({ path: ['connectors', name, 'type'], message, fatal: true })
      continue
    }
    const { value, problems: found } = read(connector.config, raw, ['connectors', name])
    problems.push(...found)
    // Without its config the addresses of its devices can still be read.
    entries.set(name, {
      name,
      connector,
      config: value,
      isolate: isolate ?? connector.extension === true,
      runsOn: [runsOn].flat(),
    })
  }
  // Built in, so that highlighting a door needs no config.
  const console = catalogue.get('console')
  if (console)
    entries.set('console', {
      name: 'console',
      connector: console,
      config: console.config.parse({}),
      isolate: false,
      runsOn: [],
    })
  return entries
}

/** What the connectors say of the places that they hear devices in. */
const locatingOf = (entries: ReadonlyMap<string, ConnectorEntry>): Site['locating'] =>
  new Map(
    [...entries.values()].flatMap(({ name, connector, config }) => {
      const named = config === null ? [] : (connector.places?.(config) ?? [])
      return named.length > 0 ? [[name, named] as const] : []
    }),
  )

/** The site, as far as the config can be put together, and everything that could not. */
export const assemble = (
  config: SiteConfig,
  catalogue: Catalogue,
  revision: string,
  unread: Unread = () => false,
): { readonly site: Site; readonly problems: readonly Problem[] } => {
  const { places, problems } = buildPlaces(config, (path) => unread('places', path))
  const connectors = buildConnectors(config.connectors, catalogue, problems)
  const find: Lookup = {
    connector(name, path) {
      const found = connectors.get(name)
      if (!found && !Object.hasOwn(config.connectors, name) && !unread('connectors', name)) {
        const message = `there is no connector \`${name}\`: ${didYouMean(name, Object.keys(config.connectors))}`
        problems.push({ path, message, fatal: true })
      }
      return found ?? null
    },
    place(name, path, at) {
      const found = places.get(name)
      if (!found && !unread('places', name)) {
        const message = `there is no place \`${name}\`: ${didYouMean(name, places.keys())}`
        problems.push({ path, message, fatal: true, ...(at ? { at } : {}) })
      }
      return found ?? null
    },
  }
  const devices = new Map<string, Device>()
  for (const [name, entry] of Object.entries(config.devices)) {
    const device = buildDevice(name, entry, find, problems)
    if (device) devices.set(name, device)
  }
  const isUnread = (name: string) => unread('responders', name)
  const responders = buildResponders(config.responders, find, isUnread, problems)
  const site: Site = {
    revision,
    catalogue,
    name: config.site.name,
    timezone: config.site.timezone,
    source: config,
    places,
    connectors,
    devices: coverDoors(devices),
    locating: locatingOf(connectors),
    responders,
    plans: buildPlans(config.plans, find),
    people: config.people,
    assignments: new Map(),
    supervision: buildSupervision(config.supervision, find, responders, devices),
    incidents: config.incidents,
    api: config.api,
    queue: config.queue ?? null,
  }
  return { site, problems }
}

/**
 * Compiles a parsed config; the parts that belong to connectors are raw in it and parsed here, so that `site.source`, stored
 * as JSON, compiles to the same site again. Pure. Throws BAD_CONFIG for what `checkSite` would have refused.
 */
export const compileSite = (
  config: SiteConfig,
  catalogue: Catalogue,
  revision = revisionOf(config),
): Site => {
  const { site, problems } = assemble(config, catalogue, revision)
  if (Object.keys(config.plans).length === 0)
    throw new BridgeError('BAD_CONFIG', 'plans: there must be at least one plan')
  if (problems.length > 0) {
    const lines = problems.slice(0, 10).map(({ path, message }) => `${path.join('.')}: ${message}`)
    throw new BridgeError('BAD_CONFIG', `the config can't be used: ${lines.join('; ')}`)
  }
  warm(site)
  return site
}
