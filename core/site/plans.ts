import type { Json } from '../fact.ts'
import type { SiteConfig } from './config.ts'
import type { Lookup } from './devices.ts'
import { pathDepth } from './places.ts'
import type { Act, Plan } from './site.ts'

type PlanConfig = SiteConfig['plans'][string]
type ActConfig = PlanConfig['steps'][number]['do'][number]

const asList = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T]

const actOf = (entry: ActConfig): Act => {
  const [capability, fields] = Object.entries(entry)[0]!
  const { to, expires, limit, because: _why, ...args } = fields
  return {
    capability,
    to: asList(to),
    args: args as { readonly [name: string]: Json | undefined },
    expiresMs: expires ?? null,
    limitMs: limit ?? null,
  }
}

const planOf = (name: string, config: PlanConfig, find: Lookup): Plan => {
  const { kind, place } = config.when
  const single = typeof place === 'string'
  const places = asList(place).map((path, index) =>
    find.place(path, ['plans', name, 'when', 'place', ...(single ? [] : [index])]),
  )
  return {
    name,
    kinds: kind === undefined ? null : new Set(asList(kind)),
    places: place === undefined ? null : places.filter((found) => found !== null),
    silent: config.silent,
    steps: config.steps.map((step, index) => ({
      index,
      atMs: step.at,
      unless: asList(step.unless),
      do: step.do.map(actOf),
    })),
  }
}

const deepest = ({ places }: Plan): number => Math.max(-1, ...(places ?? []).map(pathDepth))

/** The plans, the most specific first. */
export const buildPlans = (configs: SiteConfig['plans'], find: Lookup): readonly Plan[] =>
  Object.entries(configs)
    .map(([name, config]) => planOf(name, config, find))
    .sort((a, b) => deepest(b) - deepest(a) || Number(b.kinds !== null) - Number(a.kinds !== null))
