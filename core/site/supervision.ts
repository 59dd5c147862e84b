import type { FaultClass } from '../supervision/kinds.ts'
import type { SiteConfig } from './config.ts'
import type { Lookup } from './devices.ts'
import { pathDepth } from './places.ts'
import type { ContactPath, Device, FaultPlan, Responder, Supervision } from './site.ts'

type Config = SiteConfig['supervision']

const asList = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T]

/** A list of names, each with the way to it below `supervision`. */
export const namedIn = (config: Config): { readonly at: (string | number)[]; readonly name: string }[] => {
  const list = (at: string[], value: string | readonly string[] | undefined) =>
    asList(value).map((name, index) => ({ at: [...at, ...(Array.isArray(value) ? [index] : [])], name }))
  return [
    ...list(['maintenance'], config.maintenance),
    ...list(['administrators'], config.administrators),
    ...Object.entries(config.plans).flatMap(([name, { to }]) => list(['plans', name, 'to'], to)),
  ]
}

const deepest = ({ places }: FaultPlan): number => Math.max(-1, ...(places ?? []).map(pathDepth))

/** Who is told of faults; names that lead nowhere are for the check to find. */
export const buildSupervision = (
  config: Config,
  find: Lookup,
  responders: ReadonlyMap<string, Responder>,
  devices: ReadonlyMap<string, Device>,
): Supervision => {
  const paths = (names: string | readonly string[] | undefined): readonly ContactPath[] => {
    const all = asList(names).flatMap((name) => responders.get(name)?.paths ?? [])
    return [...new Map(all.map((path) => [path.name, path])).values()]
  }
  const plans = Object.entries(config.plans).map(([name, { when, to }]): FaultPlan => {
    const at = ['supervision', 'plans', name, 'when', 'place']
    const isList = Array.isArray(when.place)
    const places = asList(when.place).map((path, index) =>
      find.place(path, [...at, ...(isList ? [index] : [])]),
    )
    return {
      name,
      classes: when.fault === undefined ? null : new Set<FaultClass>(asList(when.fault)),
      places: when.place === undefined ? null : places.filter((place) => place !== null),
      to: paths(to),
    }
  })
  const named = (name: string): Device[] => {
    const device = devices.get(name)
    return device ? [device] : []
  }
  const { heartbeat = null, watchdog } = config
  const relay = watchdog && devices.get(watchdog.relay)
  return {
    plans: plans.sort(
      (a, b) => deepest(b) - deepest(a) || Number(b.classes !== null) - Number(a.classes !== null),
    ),
    maintenance: paths(config.maintenance),
    administrators: paths(config.administrators ?? config.maintenance),
    digest: config.digest,
    holdOffMs: config['hold-off'],
    quietMs: config.quiet,
    heartbeat: heartbeat && { to: asList(heartbeat.to).flatMap(named), everyMs: heartbeat.every },
    watchdog: relay && watchdog ? { relay, everyMs: watchdog.every } : null,
  }
}
