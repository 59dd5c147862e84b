import { levels } from '../fact.ts'
import type { SiteConfig } from './config.ts'
import type { Problem } from './explain.ts'
import type { Place } from './site.ts'
import { didYouMean } from './suggest.ts'

type Node = SiteConfig['places'][string]
type Growing = { -readonly [Key in keyof Place]: Place[Key] } & { children: Growing[]; beside: Growing[] }

/** Where a node stands in the config. */
interface Standing {
  readonly node: Node
  readonly at: readonly (string | number)[]
  readonly place: Growing
}

const grow = (key: string, node: Node, parent: Growing | null, targetMs: number, sole: boolean): Growing => ({
  path: parent ? `${parent.path}/${key}` : key,
  name: node.name ?? key,
  short: node.short ?? node.name ?? key,
  level: node.level,
  parent,
  sole,
  children: [],
  beside: [],
  targetMs: node.target ?? parent?.targetMs ?? targetMs,
  address: node.address ?? parent?.address ?? null,
  precision: node.precision ?? parent?.precision ?? null,
  at: node.at ?? null,
  outline: node.outline ?? null,
  floorPlan: node.plan ?? parent?.floorPlan ?? null,
  camerasMayMove: node['cameras-may-move'] ?? parent?.camerasMayMove ?? false,
  noImage: node.privacy === 'no-image' || (parent?.noImage ?? false),
})

/** The tree of places, by path; `known` says which paths stand in the config but could not be read. */
export const buildPlaces = (
  config: Pick<SiteConfig, 'places' | 'incidents'>,
  known: (path: string) => boolean,
): { places: ReadonlyMap<string, Place>; problems: Problem[] } => {
  const all = new Map<string, Standing>()
  const problems: Problem[] = []
  const tops = Object.keys(config.places).length
  const walk = (nodes: Record<string, Node>, at: readonly (string | number)[], parent: Growing | null) => {
    for (const [key, node] of Object.entries(nodes)) {
      const place = grow(key, node, parent, config.incidents.target, parent === null && tops === 1)
      parent?.children.push(place)
      const standing = { node, at: [...at, key], place }
      all.set(place.path, standing)
      if (parent && levels.indexOf(node.level) < levels.indexOf(parent.level))
        problems.push({
          path: [...standing.at, 'level'],
          message: `a ${node.level} can't be inside a ${parent.level}: use \`${parent.level}\` or something narrower`,
          fatal: true,
        })
      walk(node.in ?? {}, [...standing.at, 'in'], place)
    }
  }
  walk(config.places, ['places'], null)
  for (const standing of all.values()) problems.push(...join(standing, all, known))
  return { places: new Map([...all].map(([path, { place }]) => [path, place])), problems }
}

/** Makes neighbours know each other, both ways. */
const join = (
  { node, at, place }: Standing,
  all: ReadonlyMap<string, Standing>,
  known: (path: string) => boolean,
): Problem[] => {
  const problems: Problem[] = []
  for (const [index, name] of (node.beside ?? []).entries()) {
    const sibling = place.parent ? `${place.parent.path}/${name}` : name
    const other = (all.get(sibling) ?? all.get(name))?.place
    const say = (message: string) => problems.push({ path: [...at, 'beside', index], message, fatal: true })
    if (!other) {
      if (known(sibling) || known(name)) continue
      const siblings = (place.parent?.children ?? []).map(({ path }) => path.slice(path.lastIndexOf('/') + 1))
      say(`there is no place \`${name}\` beside this one: ${didYouMean(name, [...siblings, ...all.keys()])}`)
    } else if (other === place) say('a place is not beside itself: take it out')
    else if (`${other.path}/`.startsWith(`${place.path}/`) || `${place.path}/`.startsWith(`${other.path}/`))
      say(`\`${name}\` and this place contain one another: \`beside\` is for neighbours`)
    else {
      if (!place.beside.includes(other)) place.beside.push(other)
      if (!other.beside.includes(place)) other.beside.push(place)
    }
  }
  return problems
}
