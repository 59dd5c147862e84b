import type { DoorReport, doorRelease, doorSecure, doorState, relaySet } from '../../core/capability.ts'
import { type Clock, sleep } from '../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import type { Acts } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { bitAt, exceptionOf } from './codec.ts'
import type { Output } from './config.ts'
import { inWords, type Point, relayOf } from './points.ts'
import { ModbusException, NotSent } from './refusal.ts'
import type { Unit } from './unit.ts'
import type { Wire } from './wire.ts'

/** How long a door's own system may take to say that it is locked, and how often it is asked, ms. */
const door = { reportsWithinMs: 3_000, askedEveryMs: 50 }

export type Can = typeof relaySet | typeof doorState | typeof doorSecure | typeof doorRelease

export const actsOf = (wire: Wire, clock: Clock): Acts<Can, Output> => ({
  'relay.set': async (order) => {
    const failure = await setRelay(wire, order, order.args.on)
    return failure ?? done('confirmed', { on: order.args.on })
  },
  'door.state': (order) => reported(wire, order),
  'door.secure': async (order) => {
    const failure = await setRelay(wire, order, true)
    return failure ?? untilLocked(wire, clock, order)
  },
  'door.release': async (order) => {
    const failure = await setRelay(wire, order, false)
    // What the door does without us is its own system's business: locked by its schedule is released as well.
    return failure ?? reported(wire, order, 'possible')
  },
})

/** Sets the relay and reads it back; null when it is as it should be. */
const setRelay = async (wire: Wire, order: Order<Output>, on: boolean): Promise<Outcome | null> => {
  const relay = relayOf(order.address)
  const unit = wire.unit(order.address.unit)
  let reached: 'nothing' | 'writing' | 'written' = 'nothing'
  try {
    return await wire.turn(async () => {
      const word = relay.bit === null ? 0 : ((await unit.read(relay))[0] ?? 0)
      await unit.ready()
      if (order.signal.aborted) return failed('ABORTED', `${inWords(relay)}: given up before it was set`)
      reached = 'writing'
      await write(unit, relay, word, on)
      reached = 'written'
      if (bitAt(relay, await unit.read(relay), relay) === on) return null
      return failed('UNCONFIRMED', `${inWords(relay)} was set ${onOff(on)}, but reads ${onOff(!on)}`, {
        effect: 'possible',
      })
    })
  } catch (error) {
    return explain(error, reached)
  }
}

const write = (unit: Unit, relay: Point, word: number, on: boolean): Promise<void> => {
  if (relay.bit === null) return unit.writeCoil(relay.address, on)
  const mask = 1 << relay.bit
  return unit.writeRegister(relay.address, on ? word | mask : word & ~mask)
}

/** What the door says of itself: by its own contact where there is one, else by our relay. */
export const readDoor = async (unit: Unit, address: Output): Promise<DoorReport> => {
  const relay = relayOf(address)
  const contact: Point | null = address.state
    ? { read: 2, address: address.state.discrete, length: 1, bit: null }
    : null
  const at = contact ?? relay
  const is = bitAt(at, await unit.read(at), at)
  const locked = contact ? is === (address.state?.normally === 'open') : is
  return { mode: locked ? 'locked' : 'unlocked' }
}

const reported = async (
  wire: Wire,
  order: Order<Output>,
  effect: 'none' | 'possible' = 'none',
): Promise<Outcome> => {
  if (order.signal.aborted && effect === 'none') return failed('ABORTED', 'given up before the door was read')
  try {
    return done('confirmed', {
      ...(await wire.turn(() => readDoor(wire.unit(order.address.unit), order.address))),
    })
  } catch (error) {
    return explain(error, effect === 'none' ? 'nothing' : 'written')
  }
}

/** Waits until the door itself says that it is locked. */
const untilLocked = async (wire: Wire, clock: Clock, order: Order<Output>): Promise<Outcome> => {
  const end = clock.mono() + door.reportsWithinMs
  for (;;) {
    const outcome = await reported(wire, order, 'possible')
    if (!outcome.ok || (outcome.result as DoorReport).mode === 'locked') return outcome
    if (order.signal.aborted || clock.mono() >= end)
      return failed('UNCONFIRMED', 'the relay is set, but the door does not report that it is locked', {
        effect: 'possible',
      })
    await sleep(clock, door.askedEveryMs, order.signal)
  }
}

const onOff = (on: boolean) => (on ? 'on' : 'off')

const explain = (error: unknown, reached: 'nothing' | 'writing' | 'written'): Outcome => {
  if (error instanceof ModbusException) {
    const { code, retry, effect } = exceptionOf(error.exception)
    const possible = reached === 'written' || (reached === 'writing' && effect === 'possible')
    return failed(code, error.message, { retry, effect: possible ? 'possible' : 'none' })
  }
  const code = error instanceof BridgeError ? error.code : 'CRASHED'
  const untouched = reached === 'nothing' || (reached === 'writing' && error instanceof NotSent)
  return failed(code, messageOf(error), { effect: untouched ? 'none' : 'possible' })
}
