import type { Unread } from '../core/site/compile.ts'
import { SiteConfig } from '../core/site/config.ts'
import { type Problem, read } from '../core/site/explain.ts'

type Path = readonly (string | number)[]
type Fields = Record<string, any>

const named = ['connectors', 'devices', 'responders', 'plans']

const isMap = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** What the rest is read with, where the original can't be. */
const substitutes: Fields = {
  site: { name: 'unnamed', timezone: 'UTC' },
  places: {},
  connectors: {},
  devices: {},
  responders: {},
  plans: {},
}

/** Takes the smallest entry out that a problem is in, so that the others can be read. */
const prune = (config: Fields, [section, ...inner]: Path): void => {
  const entries = config[section as string]
  if (inner.length > 0 && named.includes(section as string)) delete entries[inner[0] as string]
  else if (inner.length > 0 && section === 'places') prunePlace(entries, inner)
  else if (section !== undefined && Object.hasOwn(substitutes, section))
    config[section] = substitutes[section]
  else delete config[section as string]
}

const prunePlace = (places: Fields, [key, into, ...inner]: Path): void => {
  const node = places[key as string]
  if (into === 'in' && inner.length > 0 && isMap(node?.['in'])) prunePlace(node['in'], inner)
  else delete places[key as string]
}

const unreadIn =
  (raw: Fields): Unread =>
  (section, name) => {
    if (!isMap(raw[section])) return section in raw ? raw[section] !== undefined : true
    if (section !== 'places') return Object.hasOwn(raw[section], name)
    let nodes: unknown = raw[section]
    for (const key of name.split('/')) {
      if (!isMap(nodes) || !Object.hasOwn(nodes, key)) return false
      nodes = nodes[key]?.in
    }
    return true
  }

/** A config as far as it fits the schema. */
export interface Shape {
  /** null: nothing of it can be read. */
  readonly config: SiteConfig | null
  readonly problems: readonly Problem[]
  readonly unread: Unread
}

/** Reads a whole config by the schema; entries that don't fit are reported and left out, so that the rest is checked too. */
export const readShape = (raw: unknown): Shape => {
  if (!isMap(raw)) {
    const problem = {
      path: [],
      message: 'a config is a map with `site`, `places`, `connectors` and `plans`',
      fatal: true,
    }
    return { config: null, problems: [problem], unread: () => true }
  }
  const rest = structuredClone(raw)
  const problems: Problem[] = []
  for (let round = 0; round < 4; round++) {
    const { value, problems: found } = read(SiteConfig, rest, [])
    if (value) return { config: value, problems, unread: unreadIn(raw) }
    problems.push(...found)
    for (const { path } of found) prune(rest, path)
  }
  return { config: null, problems, unread: unreadIn(raw) }
}
