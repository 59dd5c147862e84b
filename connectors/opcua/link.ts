import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { actsOf, readDoor, readRelay } from './acts.ts'
import { surePressMs } from './check.ts'
import type { Act, Can, Config, Input, Output } from './index.ts'
import { Inputs } from './inputs.ts'
import { Nodes } from './nodes.ts'
import { Session } from './session.ts'

/** Connects, logs in, subscribes all inputs, and goes on listening until the connection is lost. */
export const open = async (
  opening: Opening<Config, Input, Output>,
  ctx: Context,
): Promise<Link<Can, Output>> => {
  const { config } = opening
  const session = await Session.open(config, ctx).catch((error: unknown) => {
    throw asBridgeError(error)
  })
  const ended = new AbortController()
  const stop = () => {
    ctx.signal.removeEventListener('abort', stop)
    ended.abort()
    return session.close()
  }
  ctx.signal.addEventListener('abort', stop)
  const own = until(ctx, ended.signal)
  try {
    if (ctx.signal.aborted) throw new BridgeError('ABORTED', `${config.url}: given up while opening`)
    const nodes = await Nodes.of(session)
    await learnTypes(nodes, opening.outputs, own)
    const inputs = await Inputs.open(session, nodes, opening, own)
    const lost = session.lost.then((why) => {
      ended.abort()
      inputs.forget()
      return why
    })
    inputs.watch().catch((error: unknown) => session.leave(asBridgeError(error)))
    const { heartbeat } = config
    return {
      lost,
      acts: actsOf(nodes, ctx.clock),
      ...(heartbeat !== undefined && {
        beat: (mark: string, signal: AbortSignal) => inputs.beat(mark, heartbeat, signal),
      }),
      probe: (address, signal) => probe(session, nodes, inputs, opening, address, signal),
      close: async () => {
        await stop()
        await lost
      },
    }
  } catch (error) {
    await stop()
    throw asBridgeError(error)
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

const asBridgeError = (error: unknown): BridgeError =>
  error instanceof BridgeError ? error : new BridgeError('CRASHED', messageOf(error), { cause: error })

/** Looks up what the outputs want to be written, so that an order needs one exchange; what can't be found now is looked up then. */
const learnTypes = async (
  nodes: Nodes,
  outputs: ReadonlyMap<string, Output>,
  ctx: Context,
): Promise<void> => {
  const acts = [...outputs.values()].flatMap(({ relay, door }): (Act | undefined)[] => [
    relay && { write: relay.node, value: relay.on, type: relay.type },
    door?.secure,
    door?.lockdown,
    door?.release,
    door?.['release-lockdown'],
  ])
  const writes = acts.filter((act) => act !== undefined && 'write' in act && act.type === undefined)
  for (const node of new Set(writes.map((act) => (act as { write: string }).write)))
    await nodes.typeOf(node, ctx.signal).catch((error: unknown) => {
      if (error instanceof BridgeError && (error.code === 'TIMEOUT' || error.code === 'ABORTED')) throw error
      ctx.log.warn({ node, why: messageOf(error) }, 'an output can not be looked up')
    })
}

/** Reads an output, or says how the inputs are listened to; moves nothing. */
const probe = async (
  session: Session,
  nodes: Nodes,
  inputs: Inputs,
  { config, inputs: { size } }: Opening<Config, Input, Output>,
  address: Output | null,
  signal: AbortSignal,
): Promise<Json> => {
  if (signal.aborted) throw new BridgeError('ABORTED', 'given up before anything was read')
  if (session.why) throw new BridgeError('LINK_DOWN', session.why.message)
  if (address?.relay) return { on: await readRelay(nodes, address.relay, signal) }
  if (address?.door) return { mode: await readDoor(nodes, address.door, signal) }
  // Something must answer.
  await nodes.read(['i=2259'], signal)
  const { subscribed, refused, tellsEveryMs } = inputs.measured
  if (refused.length > 0)
    throw new BridgeError(
      'NOT_FOUND',
      `the server does not let us listen to ${refused.join(', ').slice(0, 300)}`,
    )
  return size === 0 ? { subscribed } : { subscribed, tellsEveryMs, surePressMs: surePressMs(config.sampling) }
}
