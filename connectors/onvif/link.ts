import { readFile } from 'node:fs/promises'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Cameras, isFault } from './camera.ts'
import { Device } from './device.ts'
import { Doors } from './door.ts'
import { type Config, kindOf, type OnvifCan, type Output } from './index.ts'
import { type Parts, probe } from './probe.ts'
import { Relays } from './relay.ts'
import { Round, type Watched, watch } from './watch.ts'
import { Wire } from './wire.ts'

/** Dials one device once: its time, its services, our login, then what its outputs need. */
export const open = async (
  { config, outputs }: Opening<Config, never, Output>,
  ctx: Context,
): Promise<Link<OnvifCan, Output>> => {
  const closing = new AbortController()
  const login = { username: config.username, password: await ctx.secret(config.password) }
  const tls = {
    ca: config.tls.ca === undefined ? null : await readCa(config.tls.ca),
    serverName: config.tls['server-name'] ?? null,
  }
  const wire = new Wire({ clock: ctx.clock, login, timeoutMs: config.timeout, tls, closing: closing.signal })
  const close = async () => {
    ctx.signal.removeEventListener('abort', close)
    closing.abort()
    await wire.close()
  }
  ctx.signal.addEventListener('abort', close, { once: true })
  if (ctx.signal.aborted) closing.abort()
  const options = {
    url: addressOf(config, outputs),
    clock: ctx.clock,
    login,
    otherHosts: config['other-hosts'],
  }
  const device = new Device(wire, options)
  const parts: Parts = {
    device,
    doors: new Doors(device, ctx.clock),
    relays: new Relays(device, ctx.clock),
    cameras: new Cameras(device, wire, ctx),
  }
  try {
    const about = await device.enter()
    ctx.log.debug({ host: device.host, ...about, offsetMs: device.offsetMs }, 'logged in')
    await prepare(parts, outputs)
    const watched = watchedOf(parts, outputs, config.poll)
    // A door that can't be read is noted as such; only a device that can't be reached keeps the link from opening.
    await new Round(watched, ctx).note(closing.signal).catch((error: unknown) => {
      if (!isFault(error)) throw error
    })
    return { lost: watch(watched, ctx, closing.signal), acts: actsOf(parts), probe: probe(parts), close }
  } catch (error) {
    await close()
    throw error
  }
}

const readCa = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `cannot read \`tls.ca\`: ${messageOf(error)}`, { cause: error })
  }
}

/** All devices of a link have the same address: it is the link's key. */
const addressOf = (config: Config, outputs: ReadonlyMap<string, Output>): URL => {
  const [first] = outputs.values()
  const url = first?.url ?? config.url
  if (url === undefined)
    throw new BridgeError('CONFIG_TARGET', 'no address: write `url` at the device or the connector')
  return new URL(url)
}

/** Reads what commands will need, for the kinds of output that there are. What the device hasn't got, its acts will say. */
const prepare = async (
  { doors, relays, cameras }: Parts,
  outputs: ReadonlyMap<string, Output>,
): Promise<void> => {
  const of = (kind: ReturnType<typeof kindOf>) =>
    [...outputs.values()].filter((output) => kindOf(output) === kind)
  const profiles = new Set(of('camera').map(({ profile }) => profile))
  await Promise.all([
    of('door').length > 0 ? doors.list() : undefined,
    of('relay').length > 0 ? relays.list() : undefined,
    ...[...profiles].map((profile) =>
      cameras.look(profile).catch((error: unknown) => {
        if (!isFault(error)) throw error
      }),
    ),
  ])
}

const watchedOf = (
  { device, doors }: Parts,
  outputs: ReadonlyMap<string, Output>,
  pollMs: number,
): Watched => {
  const doorTokens = new Map<string, string>()
  const others: string[] = []
  for (const [name, { token }] of outputs)
    if (token !== undefined) doorTokens.set(name, token)
    else others.push(name)
  return { device, doors, doorTokens, others, pollMs }
}

const actsOf = ({ doors, relays, cameras }: Parts): Link<OnvifCan, Output>['acts'] => ({
  'camera.preset': (order) => cameras.preset(order),
  'camera.snapshot': (order) => cameras.snapshot(order),
  'relay.set': (order) => relays.set(order),
  'door.state': (order) => doors.state(order),
  'door.secure': (order) => doors.secure(order),
  'door.lockdown': (order) => doors.lockdown(order),
  'door.release': (order) => doors.release(order),
})
