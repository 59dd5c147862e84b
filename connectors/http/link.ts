import { failed, type Outcome } from '../../core/command.ts'
import type { Acts, Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { AxisDoors } from './axis.ts'
import type { Connections } from './connections.ts'
import { type Can, type Config, can, type Target } from './index.ts'
import { connectionsTo, type Dialling, dial, diallingOf, type Login, loginOf } from './open.ts'
import { type Act, compileRequest, type HttpOrder } from './request.ts'
import { HttpServer } from './server.ts'

/** What can be done at one base URL. */
interface Base {
  readonly acts: { readonly [capability: string]: Act }
  readonly doors: AxisDoors | null
  readonly origin: string
}

/**
 * HTTP has no connection to keep: opening compiles everything and reads the secrets, each request dials where it
 * must. A server that is down at start is so tried again by the first command that needs it, not by a back-off.
 */
export const open = async (
  { config, outputs }: Opening<Config, never, Target>,
  ctx: Context,
): Promise<Link<Can, Target>> => {
  const bases = new Bases(config, await loginOf(config, ctx), await diallingOf(config), ctx)
  try {
    for (const target of outputs.values()) bases.at(target)
    if (config.url !== undefined) bases.at({ values: {} })
  } catch (error) {
    await bases.close()
    throw new BridgeError('BAD_CONFIG', `the requests can't be compiled: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const act =
    (name: Can['name']) =>
    (order: HttpOrder): Promise<Outcome> => {
      const found = bases.at(order.address)?.acts[name]
      return found
        ? found(order)
        : Promise.resolve(failed('UNSUPPORTED', `no request for ${name}`, { retry: 'never' }))
    }
  return {
    acts: Object.fromEntries(can.map(({ name }) => [name, act(name)])) as unknown as Acts<Can, Target>,
    probe: (address, signal) => bases.probe(address, signal),
    close: () => bases.close(),
  }
}

/** The base URLs of a link; each is compiled once, all of one server share its connections. */
class Bases {
  readonly #config: Config
  readonly #login: Login
  readonly #dialling: Dialling
  readonly #ctx: Context
  readonly #bases = new Map<string, Base>()
  readonly #connections = new Map<string, Connections>()

  constructor(config: Config, login: Login, dialling: Dialling, ctx: Context) {
    this.#config = config
    this.#login = login
    this.#dialling = dialling
    this.#ctx = ctx
  }

  at(target: Target): Base | null {
    const url = target.url ?? this.#config.url
    if (url === undefined) return null
    const known = this.#bases.get(url)
    if (known) return known
    const base = this.#compile(url)
    this.#bases.set(url, base)
    return base
  }

  #compile(url: string): Base {
    const { origin } = new URL(url)
    const connections = this.#connections.get(origin) ?? connectionsTo(origin, this.#config, this.#dialling)
    this.#connections.set(origin, connections)
    const server = new HttpServer(url, connections, this.#login)
    const doors = this.#config.profile ? new AxisDoors(server, this.#ctx) : null
    const requests = can.flatMap((capability) => {
      const request = this.#config.requests[capability.name]
      if (!request) return []
      const compiled = compileRequest(capability, request, server, this.#ctx, this.#config.characters)
      return [[capability.name, compiled] as const]
    })
    return { acts: { ...doors?.acts, ...Object.fromEntries(requests) }, doors, origin }
  }

  /** Connects; where a state can be asked for it is, which finds a wrong password and an unknown door. */
  async probe(target: Target | null, signal: AbortSignal): Promise<Json> {
    const base = this.at(target ?? { values: {} })
    if (!base) throw new BridgeError('CONFIG_TARGET', 'there is no `url` to connect to')
    await dial(base.origin, this.#dialling)
    if (!target) return { connected: base.origin }
    const order: HttpOrder = { id: 'probe', attempt: 1, address: target, args: {}, signal }
    const read = await base.acts['door.state']?.(order)
    if (read && !read.ok) throw new BridgeError(read.failure.code, read.failure.message)
    return {
      connected: base.origin,
      ...(read ? { door: read.result } : {}),
      ...(base.doors ? { can: await base.doors.abilities(order) } : {}),
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((each) => each.destroy()))
  }
}
