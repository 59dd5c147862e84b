import { readFile } from 'node:fs/promises'
import { sleep } from '../../core/clock.ts'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Cameras, isFault } from './camera.ts'
import { Device } from './device.ts'
import { Doors } from './door.ts'
import { type Config, type Input, kindOf, type OnvifCan, type Output } from './index.ts'
import { Inputs, isAnswer, isSlow } from './inputs.ts'
import { type Parts, probe } from './probe.ts'
import { Relays } from './relay.ts'
import { Round, type Watched, watch } from './watch.ts'
import { Wire } from './wire.ts'

/** How long a device that does not tell its events still serves its outputs, until core tries again, ms. */
const deafMs = 10_000

/** Dials one device once: its time, its services, our login, then what its outputs and inputs need. */
export const open = async (
  opening: Opening<Config, Input, Output>,
  ctx: Context,
): Promise<Link<OnvifCan, Output>> => {
  const { config, inputs, outputs } = opening
  const closing = new AbortController()
  /** Nothing is looked at any more: the link is lost, or about to close. */
  const over = new AbortController()
  const login = { username: config.username, password: await ctx.secret(config.password) }
  const tls = {
    ca: config.tls.ca === undefined ? null : await readCa(config.tls.ca),
    serverName: config.tls['server-name'] ?? null,
  }
  const wire = new Wire({ clock: ctx.clock, login, timeoutMs: config.timeout, tls, closing: closing.signal })
  let listening: Inputs | null = null
  const end = async () => {
    ctx.signal.removeEventListener('abort', close)
    over.abort()
    // The subscription is given back while there still is a wire.
    await listening?.end()
    closing.abort()
    await wire.close()
  }
  let ended: Promise<void> | undefined
  const close = () => {
    ended ??= end()
    return ended
  }
  ctx.signal.addEventListener('abort', close, { once: true })
  if (ctx.signal.aborted) closing.abort()
  const options = {
    url: addressOf(config, [...outputs.values(), ...inputs.values()]),
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
    inputs,
  }
  try {
    const about = await device.enter()
    ctx.log.debug({ host: device.host, ...about, offsetMs: device.offsetMs }, 'logged in')
    await prepare(parts, outputs)
    if (inputs.size > 0) listening = new Inputs(device, opening, ctx)
    const deaf = await listening?.begin().then(nothing, (error: unknown) => {
      // Doors and pictures must not wait for events; but nobody waits for a device that isn't there.
      if (outputs.size === 0 || !(isAnswer(error) || isSlow(error))) throw error
      return error
    })
    const watched = watchedOf(parts, outputs, config.poll, listening)
    // A door that can't be read is noted as such; only a device that can't be reached keeps the link from opening.
    await new Round(watched, ctx).note(closing.signal).catch((error: unknown) => {
      if (!isFault(error)) throw error
    })
    const gone = [watch(watched, ctx, over.signal)]
    if (deaf) gone.push(sleep(ctx.clock, deafMs, over.signal).then(() => deaf))
    else if (listening) gone.push(listening.run())
    const lost = Promise.race(gone).then((why) => {
      over.abort()
      listening?.over(why)
      return why
    })
    return { lost, acts: actsOf(parts), probe: probe(parts), close }
  } catch (error) {
    await close()
    throw error
  }
}

const nothing = (): null => null

const readCa = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `cannot read \`tls.ca\`: ${messageOf(error)}`, { cause: error })
  }
}

/** All devices of a link have the same address: it is the link's key. */
const addressOf = (config: Config, [first]: readonly (Input | Output)[]): URL => {
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
  listening: Inputs | null,
): Watched => {
  const doorTokens = new Map<string, string>()
  const others: string[] = []
  for (const [name, { token }] of outputs)
    if (token !== undefined) doorTokens.set(name, token)
    else others.push(name)
  return {
    device,
    doors,
    doorTokens,
    others,
    pollMs,
    isUnknown: (name) => listening?.isUnknown(name) ?? false,
  }
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
