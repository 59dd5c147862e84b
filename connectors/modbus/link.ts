import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { actsOf, type Can, readDoor } from './acts.ts'
import { bitAt } from './codec.ts'
import { type Config, type Input, type Output, relayOf } from './index.ts'
import { Poll } from './poll.ts'
import { dial } from './tcp.ts'
import { Wire } from './wire.ts'

/** A module on the same network answers a connection at once; less would fail on a busy one, ms. */
const connectLeastMs = 1_000

/** Connects, reads everything once, and goes on reading until the connection is lost. */
export const open = async (
  opening: Opening<Config, Input, Output>,
  ctx: Context,
): Promise<Link<Can, Output>> => {
  const { config, inputs, outputs } = opening
  const port = await dial(config, Math.max(config.timeout, connectLeastMs), ctx.clock, ctx.signal)
  const [any] = [...inputs.values(), ...outputs.values()]
  const wire = new Wire(port, any?.unit ?? config.unit, config.timeout)
  const ended = new AbortController()
  const stop = () => {
    ctx.signal.removeEventListener('abort', stop)
    ended.abort()
    wire.close()
  }
  ctx.signal.addEventListener('abort', stop)
  const poll = new Poll(wire, opening, until(ctx, ended.signal))
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
    probe: (address, signal) => probe(wire, poll, address, signal),
    close: async () => {
      stop()
      await lost
    },
  }
}

/** The context with an end of its own. */
const until = (ctx: Context, signal: AbortSignal): Context => ({
  clock: ctx.clock,
  log: ctx.log,
  signal,
  record: (fact) => ctx.record(fact),
  note: (device, state) => ctx.note(device, state),
  heard: () => ctx.heard(),
  keep: (bytes, about) => ctx.keep(bytes, about),
  secret: (ref) => ctx.secret(ref),
})

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
    const on = bitAt(relay, await wire.read(relay), relay)
    return address.door ? { on, ...(await readDoor(wire, address)) } : { on }
  })
}
