import { type Capability, capabilities } from '../capability.ts'
import type { Command } from '../command.ts'
import { defaultAttemptMs } from '../connector.ts'
import type { ContactPath, Device, Site } from '../site/site.ts'

/** Targets that a connector says nothing about: each a lane of its own with this many in flight. */
const atOnceDefault = 4

/** How a command gets to its target: link, lane, time, and what the capability demands. */
export class Ways {
  readonly #site: Site
  readonly #paths: ReadonlyMap<string, ContactPath>
  /** Lanes by address: an address is one object as long as the site lives. */
  readonly #lanes = new WeakMap<object, { key: string; atOnce: number }>()

  constructor(site: Site) {
    this.#site = site
    this.#paths = new Map(
      [...site.responders.values()].flatMap(({ paths }) => paths.map((path) => [path.name, path] as const)),
    )
  }

  target({ capability, target }: Command): Device | ContactPath | undefined {
    return capability === 'page.send' ? this.#paths.get(target) : this.#site.devices.get(target)
  }

  link(command: Command): string {
    return command.connector === 'console' ? 'console' : (this.target(command)?.link ?? '')
  }

  lane(command: Command): { key: string; atOnce: number } {
    const address = command.address as object
    const known = this.#lanes.get(address)
    if (known) return known
    const lane = this.#laneOf(command)
    if (address !== null && typeof address === 'object') this.#lanes.set(address, lane)
    return lane
  }

  #laneOf(command: Command): { key: string; atOnce: number } {
    const entry = this.#site.connectors.get(command.connector)
    const lane = entry?.connector.lane?.(entry.config, command.address)
    return lane
      ? { key: `${command.connector} ${lane.key}`, atOnce: lane.atOnce }
      : { key: `${command.connector}/${command.target}`, atOnce: atOnceDefault }
  }

  attemptMs(command: Command): number {
    const entry = this.#site.connectors.get(command.connector)
    return entry?.connector.attemptMs?.(entry.config, command.capability) ?? defaultAttemptMs
  }

  /** Built in, or brought by the connector; what neither knows is judged strictly. */
  capability(command: Command): Pick<Capability, 'proof' | 'expiresAfterMs' | 'perceptible'> {
    const builtIn = capabilities[command.capability as keyof typeof capabilities]
    return builtIn ?? this.#ownCapability(command)
  }

  #ownCapability({
    connector,
    capability,
  }: Command): Pick<Capability, 'proof' | 'expiresAfterMs' | 'perceptible'> {
    const { can } = this.#site.connectors.get(connector)?.connector ?? {}
    return (
      can?.find(({ name }) => name === capability) ?? {
        proof: 'answered',
        expiresAfterMs: 60_000,
        perceptible: 'sound',
      }
    )
  }
}
