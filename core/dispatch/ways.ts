import { type Capability, capabilities } from '../capability.ts'
import type { Command } from '../command.ts'
import { defaultAttemptMs } from '../connector.ts'
import type { ContactPath, Device, Site } from '../site/site.ts'

/** Targets that a connector says nothing about: each a lane of its own with this many in flight. */
const atOnceDefault = 4

/** How a command gets to its target, and what is demanded of it there. */
export interface Way {
  readonly link: string
  /** undefined: the config does not know it any more. */
  readonly target: Device | ContactPath | undefined
  readonly lane: { readonly key: string; readonly atOnce: number }
  /** How long one attempt may take, ms. */
  readonly attemptMs: number
  readonly capability: Pick<Capability, 'proof' | 'expiresAfterMs' | 'perceptible'>
}

/** What commands are told apart by, as far as their ways go. */
type Key = Pick<Command, 'connector' | 'capability' | 'target'>

/** The ways of commands, found once for each target. */
export class Ways {
  readonly #site: Site
  readonly #graceMs: (link: string) => number
  readonly #paths: ReadonlyMap<string, ContactPath>
  /** By address: that is one object as long as the site lives. */
  readonly #known = new WeakMap<object, { readonly key: Key; readonly way: Way }[]>()

  /** `graceMs`: how much longer an attempt may take on a link, ms. */
  constructor(site: Site, graceMs: (link: string) => number) {
    this.#site = site
    this.#graceMs = graceMs
    this.#paths = new Map(
      [...site.responders.values()].flatMap(({ paths }) => paths.map((path) => [path.name, path] as const)),
    )
  }

  of(command: Command): Way {
    const { address } = command
    if (typeof address !== 'object' || address === null) return this.#find(command)
    const all = this.#known.get(address) ?? []
    for (const { key, way } of all) if (isSame(key, command)) return way
    const { connector, capability, target } = command
    const way = this.#find(command)
    all.push({ key: { connector, capability, target }, way })
    this.#known.set(address, all)
    return way
  }

  #find(command: Command): Way {
    const { connector, capability, target: name } = command
    const target = capability === 'page.send' ? this.#paths.get(name) : this.#site.devices.get(name)
    const link = connector === 'console' ? 'console' : (target?.link ?? '')
    const entry = this.#site.connectors.get(connector)
    const attemptMs = entry?.connector.attemptMs?.(entry.config, capability) ?? defaultAttemptMs
    return {
      link,
      target,
      lane: this.#lane(command),
      attemptMs: attemptMs + this.#graceMs(link),
      capability: this.#capability(command),
    }
  }

  #lane({ connector, address, target }: Command): Way['lane'] {
    const entry = this.#site.connectors.get(connector)
    const lane = entry?.connector.lane?.(entry.config, address)
    return lane
      ? { key: `${connector} ${lane.key}`, atOnce: lane.atOnce }
      : { key: `${connector}/${target}`, atOnce: atOnceDefault }
  }

  /** Built in, or brought by the connector; what neither knows is judged strictly. */
  #capability({ connector, capability }: Command): Way['capability'] {
    const builtIn = capabilities[capability as keyof typeof capabilities]
    const { can } = this.#site.connectors.get(connector)?.connector ?? {}
    return (
      builtIn ??
      can?.find(({ name }) => name === capability) ?? {
        proof: 'answered',
        expiresAfterMs: 60_000,
        perceptible: 'sound',
      }
    )
  }
}

const isSame = (a: Key, b: Key): boolean =>
  a.capability === b.capability && a.target === b.target && a.connector === b.connector
