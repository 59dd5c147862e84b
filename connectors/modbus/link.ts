import { sleep } from '../../core/clock.ts'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { actsOf, type Can, readDoor } from './acts.ts'
import { breakerOf } from './breaker.ts'
import { bitAt } from './codec.ts'
import type { Config, Input, Output } from './config.ts'
import { dial } from './dial.ts'
import { Heartbeat } from './heartbeat.ts'
import { relayOf } from './points.ts'
import { Poll } from './poll.ts'
import { sharesOneLine } from './timing.ts'
import { Wire } from './wire.ts'

/** The longest that an opening waits for a unit's rest to be over, ms; then core comes again. */
const waitMs = 4_000

/** Connects, reads everything once, and goes on reading until the connection is lost. */
export const open = async (
  opening: Opening<Config, Input, Output>,
  ctx: Context,
): Promise<Link<Can, Output>> => {
  const { config } = opening
  if (!sharesOneLine(config)) await rest(config, unitsOf(opening), ctx)
  const wire = new Wire(await dial(config, ctx.clock, ctx.signal), config, ctx.clock)
  const ended = new AbortController()
  const stop = () => {
    ctx.signal.removeEventListener('abort', stop)
    ended.abort()
    wire.close()
  }
  ctx.signal.addEventListener('abort', stop)
  const own = { ...ctx, signal: ended.signal }
  const heartbeat = hasHeartbeat(opening) ? new Heartbeat(opening, wire, own) : null
  const poll = new Poll(wire, opening, own, heartbeat)
  const lost = wire.lost.then((why) => {
    poll.forget()
    return why
  })
  try {
    await poll.cycle()
  } catch (error) {
    stop()
    throw error
  }
  poll.run().catch((error: unknown) => wire.drop(crashed(error)))
  return {
    lost,
    acts: actsOf(wire, ctx.clock),
    ...(heartbeat && { beat: (mark: string, signal: AbortSignal) => heartbeat.beat(mark, signal) }),
    probe: (address, signal) => probe(wire, poll, address, signal),
    close: async () => {
      stop()
      await lost
    },
  }
}

const unitsOf = ({ config, inputs, outputs }: Opening<Config, Input, Output>): number[] =>
  [...inputs.values(), ...outputs.values()].map(({ unit }) => unit ?? config.unit)

/** A link is of one unit, unless all share a line; the heartbeat is in that of its own unit. */
const hasHeartbeat = (opening: Opening<Config, Input, Output>): boolean => {
  const { config } = opening
  if (!config.heartbeat) return false
  return sharesOneLine(config) || unitsOf(opening).includes(config.heartbeat.unit ?? config.unit)
}

/** A dead unit behind a gateway is left alone for a while, since the others wait there while it is asked. */
const rest = async (config: Config, [unit = config.unit]: readonly number[], ctx: Context): Promise<void> => {
  const left = breakerOf(config, unit).restUntil - ctx.clock.mono()
  if (left > waitMs)
    throw new BridgeError(
      'TIMEOUT',
      `unit ${unit} did not answer; it is asked again in ${Math.ceil(left / 1_000)} s, for the sake of the others`,
    )
  if (left > 0) await sleep(ctx.clock, left, ctx.signal)
}

const crashed = (error: unknown): BridgeError =>
  error instanceof BridgeError ? error : new BridgeError('CRASHED', messageOf(error), { cause: error })

/** Reads an output, or says how the inputs are read; moves nothing. */
const probe = async (wire: Wire, poll: Poll, address: Output | null, signal: AbortSignal): Promise<Json> => {
  if (signal.aborted) throw new BridgeError('ABORTED', 'given up before anything was read')
  if (address === null) {
    if (!wire.isOpen) throw new BridgeError('LINK_DOWN', 'the connection is gone')
    if (poll.refusal) throw poll.refusal
    await poll.ping()
    return { ...poll.measured }
  }
  const relay = relayOf(address)
  return wire.turn(async () => {
    const unit = wire.unit(address.unit)
    const on = bitAt(relay, await unit.read(relay), relay)
    return address.door ? { on, ...(await readDoor(unit, address)) } : { on }
  })
}
