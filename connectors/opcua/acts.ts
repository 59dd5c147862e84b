import type { DoorMode } from '../../core/capability.ts'
import { type Clock, sleep } from '../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import type { Acts } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Fault, NotSent } from './channel.ts'
import { doorModeOf, means, qualityOf } from './codec.ts'
import { type Act, type Can, type Output, reportsWithinMs } from './index.ts'
import type { Nodes } from './nodes.ts'

/** How often what was asked for is looked for, ms. */
const askedEveryMs = 50

type Relay = NonNullable<Output['relay']>
type Door = NonNullable<Output['door']>

/** Looks once: the outcome when it is as it was asked for, else in words what is reported instead. */
type Look = (signal: AbortSignal) => Promise<Outcome | string>

export const actsOf = (nodes: Nodes, clock: Clock): Acts<Can, Output> => ({
  'relay.set': async (order) => {
    const { relay } = order.address
    if (!relay) return unsupported('relay.set')
    const { on } = order.args
    const act = { write: relay.node, value: on ? relay.on : relay.off, type: relay.type }
    return acting(nodes, clock, order, act, async (signal) => {
      const is = await readRelay(nodes, relay, signal)
      return is === on
        ? done('confirmed', { on })
        : `it reads ${is === null ? 'neither on nor off' : onOff(is)}`
    })
  },
  'door.state': async (order) => {
    const { door } = order.address
    if (!door) return unsupported('door.state')
    if (order.signal.aborted) return failed('ABORTED', 'given up before the door was read')
    try {
      return done('confirmed', { mode: await readDoor(nodes, door, order.signal) })
    } catch (error) {
      return explained(error, 'nothing')
    }
  },
  'door.secure': (order) => locking(nodes, clock, order, order.address.door?.secure, isSecured),
  'door.lockdown': (order) => locking(nodes, clock, order, order.address.door?.lockdown, isLockedDown),
  'door.release': (order) => {
    const { from, before } = order.args
    const { door } = order.address
    const act = from === 'lockdown' ? (door?.['release-lockdown'] ?? door?.release) : door?.release
    // Locked by its own schedule counts as released, unless it was unlocked before our lock.
    const isOurs = (mode: DoorMode) =>
      from === 'lockdown' ? isLockedDown(mode) : before === 'unlocked' && isSecured(mode)
    return locking(nodes, clock, order, act, (mode) => mode !== 'unknown' && !isOurs(mode))
  },
})

const isLockedDown = (mode: DoorMode): boolean => mode === 'lockdown'
const isSecured = (mode: DoorMode): boolean =>
  mode === 'locked' || mode === 'double-locked' || mode === 'lockdown'

/** Does one act at a door and waits until the door itself reports it. */
const locking = async (
  nodes: Nodes,
  clock: Clock,
  order: Order<Output>,
  act: Act | undefined,
  isDone: (mode: DoorMode) => boolean,
): Promise<Outcome> => {
  const { door } = order.address
  if (!door || !act) return unsupported('this')
  return acting(nodes, clock, order, act, async (signal) => {
    const mode = await readDoor(nodes, door, signal)
    return isDone(mode) ? done('confirmed', { mode }) : `the door reports ${mode}`
  })
}

const acting = async (
  nodes: Nodes,
  clock: Clock,
  order: Order<Output>,
  act: Act,
  look: Look,
): Promise<Outcome> => {
  const what = 'write' in act ? act.write : act.call
  let reached: Reached = 'nothing'
  const aborted = () => failed('ABORTED', `${what}: given up before it was sent`)
  if (order.signal.aborted) return aborted()
  try {
    const send = await prepared(nodes, act, order.signal)
    if (order.signal.aborted) return aborted()
    reached = 'sending'
    await send(order.signal)
  } catch (error) {
    return explained(error, reached)
  }
  return readBack(clock, order.signal, what, look)
}

/** Everything that may fail without having moved anything comes before the bytes that act. */
const prepared = async (
  nodes: Nodes,
  act: Act,
  signal: AbortSignal,
): Promise<(signal: AbortSignal) => Promise<unknown>> => {
  if ('write' in act) {
    const request = await nodes.toWrite(act.write, act.value, act.type, signal)
    return (until) => nodes.write(request, act.write, until)
  }
  const request = nodes.toCall(act)
  return (until) => nodes.call(request, act.call, until)
}

/** Looks until what was asked for is reported; the answer to the act itself proves nothing. */
const readBack = async (clock: Clock, signal: AbortSignal, what: string, look: Look): Promise<Outcome> => {
  const end = clock.mono() + reportsWithinMs
  for (;;) {
    try {
      const found = await look(signal)
      if (typeof found !== 'string') return found
      if (signal.aborted || clock.mono() + askedEveryMs > end)
        return failed('UNCONFIRMED', `${what}: NOT confirmed: ${found}`, { effect: 'possible' })
    } catch (error) {
      return explained(error, 'sent')
    }
    await sleep(clock, askedEveryMs, signal)
  }
}

/** On, off, or null for neither. Throws when it can't be read. */
export const readRelay = async (nodes: Nodes, relay: Relay, signal: AbortSignal): Promise<boolean | null> => {
  const value = await read(nodes, relay.state ?? relay.node, signal)
  return means(value, relay.on) ? true : means(value, relay.off) ? false : null
}

/** Throws when it can't be read. */
export const readDoor = async (nodes: Nodes, { state }: Door, signal: AbortSignal): Promise<DoorMode> =>
  doorModeOf(await read(nodes, state.node, signal), state.is)

const read = async (nodes: Nodes, node: string, signal: AbortSignal): Promise<unknown> => {
  nodes.id(node)
  const [value] = await nodes.read([node], signal)
  if (value && qualityOf(value.statusCode.value) === 'good') return value.value.value
  const name = value?.statusCode.name ?? 'nothing'
  const unknown = /^BadNodeId(Unknown|Invalid)/.test(name)
  throw new BridgeError(unknown ? 'NOT_FOUND' : 'UNCONFIRMED', `${node} reads ${name}`)
}

const unsupported = (what: string): Outcome =>
  failed('UNSUPPORTED', `the target has nothing configured for ${what}`, { retry: 'never' })

const onOff = (on: boolean) => (on ? 'on' : 'off')

/** The server looked at the request and did nothing: of any other "no" that can't be said. */
const untouched =
  /^Bad(NodeId\w+|NotWritable|TypeMismatch|OutOfRange|UserAccessDenied|MethodInvalid|ArgumentsMissing|TooManyArguments|InvalidArgument|NotExecutable|NotSupported|ServiceUnsupported|NotImplemented|Session\w+|AttributeIdInvalid|WriteNotSupported)$/
/** As long as the config stays as it is, the answer will. */
const hopeless =
  /^Bad(NotWritable|TypeMismatch|OutOfRange|ArgumentsMissing|TooManyArguments|InvalidArgument|WriteNotSupported)$/
const final = new Set(['NOT_FOUND', 'UNSUPPORTED', 'INVALID_ARGS', 'CONFIG_TARGET'])

/** How far an act has come when something goes wrong: what goes wrong after it was sent takes nothing back. */
type Reached = 'nothing' | 'sending' | 'sent'

const explained = (error: unknown, reached: Reached): Outcome => {
  const code = error instanceof BridgeError ? error.code : 'CRASHED'
  const name = error instanceof Fault ? error.status.name : ''
  const stopped = reached === 'sending' && (error instanceof NotSent || untouched.test(name))
  const effect = reached === 'nothing' || stopped ? 'none' : 'possible'
  const retry = final.has(code) || hopeless.test(name) ? 'never' : 'backoff'
  return failed(code, messageOf(error), { effect, retry })
}
