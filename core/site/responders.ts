import { linkOf, readAddress } from './addresses.ts'
import type { SiteConfig } from './config.ts'
import type { Lookup } from './devices.ts'
import type { Problem } from './explain.ts'
import type { ContactPath, Responder } from './site.ts'
import { didYouMean } from './suggest.ts'

type ResponderConfig = SiteConfig['responders'][string]

const pathsOf = (
  name: string,
  config: Extract<ResponderConfig, { page: unknown }>,
  find: Lookup,
  problems: Problem[],
): ContactPath[] => {
  const ways = Array.isArray(config.page) ? config.page : [config.page]
  return ways.flatMap((way, index) => {
    const at = ['responders', name, 'page', ...(Array.isArray(config.page) ? [index] : [])]
    const { connector, place: path, perceptible, ...raw } = way
    const place = path === undefined ? null : find.place(path, [...at, 'place'])
    const entry = find.connector(connector, [...at, 'connector'])
    if (!entry) return []
    const address = readAddress(entry, 'output', raw, at, problems)
    return {
      name: index === 0 ? name : `${name}#${index + 1}`,
      responder: name,
      person: config.person ?? null,
      connector,
      link: linkOf(entry, address, at, problems),
      address,
      place,
      perceptible: perceptible ?? null,
    }
  })
}

/** All who can be told; a group has the contact paths of all its members. */
export const buildResponders = (
  configs: SiteConfig['responders'],
  find: Lookup,
  known: (name: string) => boolean,
  problems: Problem[],
): ReadonlyMap<string, Responder> => {
  const own = new Map<string, readonly ContactPath[]>()
  for (const [name, config] of Object.entries(configs))
    if ('page' in config) own.set(name, pathsOf(name, config, find, problems))

  const gather = (name: string, above: readonly string[]): readonly ContactPath[] => {
    const config = Object.hasOwn(configs, name) ? configs[name] : undefined
    if (!config || 'page' in config) return own.get(name) ?? []
    return config.group.flatMap((member, index) => {
      const say = (message: string) =>
        problems.push({ path: ['responders', name, 'group', index], message, fatal: true })
      if (member === name || above.includes(member)) {
        if (above.length === 0 || member === above[0])
          say(`the group \`${name}\` contains itself: take \`${member}\` out`)
        return []
      }
      if (!Object.hasOwn(configs, member)) {
        if (above.length === 0 && !known(member))
          say(`there is no responder \`${member}\`: ${didYouMean(member, Object.keys(configs))}`)
        return []
      }
      return gather(member, [...above, name])
    })
  }

  const all = Object.entries(configs).map(([name, config]): [string, Responder] => {
    const paths = [...new Map(gather(name, []).map((path) => [path.name, path])).values()]
    return [name, { name, label: config.label ?? name, paths }]
  })
  return new Map(all)
}
