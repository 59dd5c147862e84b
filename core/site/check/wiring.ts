import { isIP } from 'node:net'
import type { Connector } from '../../connector.ts'
import { messageOf } from '../../error.ts'
import type { Problem } from '../explain.ts'
import type { ConnectorEntry } from '../site.ts'
import { advice, type Check, fatal, type Path, type Subject } from './subject.ts'

/** Two devices at one address: one press would be two, or two lanes would fight over one door. */
export const addressesDiffer: Check = ({ site }) => {
  const seen = new Map<string, string>()
  return [...site.devices.values()].flatMap((device) =>
    (['input', 'output'] as const).flatMap((direction) => {
      if (device[direction] === null) return []
      const key = `${device.connector} ${device.link} ${direction} ${JSON.stringify(device[direction])}`
      const other = seen.get(key)
      seen.set(key, other ?? device.name)
      if (!other) return []
      const at = ['devices', device.name, direction]
      const what = `\`${other}\` has the same ${direction} on \`${device.connector}\``
      return direction === 'input' || device.door
        ? fatal(at, `${what}: each device needs its own`)
        : advice(at, `${what}: one device for both would do`)
    }),
  )
}

export const connectorsAreUsed: Check = ({ config, extent }) => {
  if (!extent.complete('devices') || !extent.complete('responders')) return []
  const paths = Object.values(config.responders).flatMap((one) => ('page' in one ? one.page : []))
  const used = new Set([...Object.values(config.devices), ...paths].map(({ connector }) => connector))
  return Object.keys(config.connectors)
    .filter((name) => !used.has(name))
    .map((name) => advice(['connectors', name], `no device and no responder is on \`${name}\``, 'key'))
}

const hostOf = (listen: string): string => listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '')
const portOf = (listen: string): number => Number(listen.slice(listen.lastIndexOf(':') + 1))
const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
const isWildcard = (host: string): boolean => ['', '0.0.0.0', '::', '*'].includes(host)

/** Nothing listens beyond this machine without TLS and credentials, unless the config says so in so many words. */
export const apiIsGuarded: Check = ({ config: { api } }) => {
  const problems: Problem[] = []
  if (portOf(api.listen) > 65_535) problems.push(fatal(['api', 'listen'], 'the port is at most 65535'))
  if (isLoopback(hostOf(api.listen)) || api['plain-beyond-this-machine']) return problems
  const missing = [...(api.tls ? [] : ['`tls`']), ...(api.token ? [] : ['`token`'])]
  if (missing.length === 0) return problems
  const message = `${hostOf(api.listen) || 'it'} is open to other machines: add ${missing.join(' and ')}, listen on 127.0.0.1, or write \`plain-beyond-this-machine: true\``
  return [...problems, fatal(['api', 'listen'], message)]
}

/** Where something listens: `listen` as host:port in the API and in connectors. */
const listeners = ({ config, site }: Subject): { at: Path; listen: string; name: string }[] => {
  const own = [...site.connectors.values()].flatMap(({ name, config: parsed }) => {
    const listen = (parsed as { listen?: unknown } | null)?.listen
    return typeof listen === 'string' && /:\d+$/.test(listen)
      ? [{ at: ['connectors', name, 'listen'], listen, name: `connectors.${name}` }]
      : []
  })
  return [{ at: ['api', 'listen'], listen: config.api.listen, name: 'the API' }, ...own]
}

export const portsDiffer: Check = (subject) => {
  const all = listeners(subject)
  return all.flatMap(({ at, listen }, index) => {
    const other = all.slice(0, index).find((before) => {
      const [a, b] = [hostOf(before.listen), hostOf(listen)]
      const same = a === b || isWildcard(a) || isWildcard(b) || (isLoopback(a) && isLoopback(b))
      return portOf(listen) !== 0 && portOf(before.listen) === portOf(listen) && same
    })
    return other ? [fatal(at, `${other.name} listens on ${other.listen} already: use another port`)] : []
  })
}

const withPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*:[^/?#\s]*@/i

/** A password inside a URL is a secret in the config, too. The value is never repeated. */
export const urlsHoldNoSecrets: Check = ({ config }) => {
  const walk = (value: unknown, at: Path): Problem[] => {
    if (typeof value === 'string')
      return withPassword.test(value)
        ? [
            fatal(
              at,
              'there is a password in this URL: take `user:password@` out and use the fields for them, with `{ env: NAME }` or `{ file: PATH }`',
            ),
          ]
        : []
    if (value === null || typeof value !== 'object') return []
    const step = Array.isArray(value) ? Number : String
    return Object.entries(value).flatMap(([key, inner]) => walk(inner, [...at, step(key)]))
  }
  return walk({ connectors: config.connectors, devices: config.devices, responders: config.responders }, [])
}

type Opening = Parameters<NonNullable<Connector['check']>>[0]

/** What each link will be opened with. */
const openings = ({ site }: Subject, { name, config }: ConnectorEntry): Opening[] => {
  const links = new Map<string, { inputs: Map<string, unknown>; outputs: Map<string, unknown> }>()
  const on = (link: string) => {
    const found = links.get(link) ?? { inputs: new Map(), outputs: new Map() }
    links.set(link, found)
    return found
  }
  for (const device of site.devices.values()) {
    if (device.connector !== name) continue
    if (device.input !== null) on(device.link).inputs.set(device.name, device.input)
    if (device.output !== null) on(device.link).outputs.set(device.name, device.output)
  }
  for (const path of [...site.responders.values()].flatMap(({ paths }) => paths))
    if (path.connector === name && path.address !== null) on(path.link).outputs.set(path.name, path.address)
  return [...links].map(([link, { inputs, outputs }]) => ({ name: link, config, inputs, outputs }))
}

/** From a connector's own paths to those of the config. */
const globalPath = ({ config, site }: Subject, name: string, [root, ...rest]: Path): Path => {
  const target = String(rest[0])
  if (root === 'inputs') return ['devices', target, 'input', ...rest.slice(1)]
  if (root !== 'outputs')
    return ['connectors', name, ...(root === 'config' ? rest : root === undefined ? [] : [root, ...rest])]
  if (site.devices.has(target)) return ['devices', target, 'output', ...rest.slice(1)]
  const [responder, number] = target.split('#') as [string, string | undefined]
  const source = config.responders[responder]
  const many = source && 'page' in source && Array.isArray(source.page)
  return ['responders', responder, 'page', ...(many ? [Number(number ?? 1) - 1] : []), ...rest.slice(1)]
}

/** What the connectors themselves find. */
export const connectorsAgree: Check = (subject) =>
  [...subject.site.connectors.values()].flatMap((entry) => {
    const { connector, name } = entry
    if (!connector.check || entry.config === null) return []
    try {
      return openings(subject, entry)
        .flatMap((opening) => connector.check!(opening))
        .map((finding) => ({ ...finding, path: globalPath(subject, name, finding.path) }))
    } catch (error) {
      return fatal(['connectors', name], `\`${connector.type}\` can't check this: ${messageOf(error)}`)
    }
  })
