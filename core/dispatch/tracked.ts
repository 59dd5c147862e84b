import type { Command, Effect, Failure, Order } from '../command.ts'
import type { Way } from './ways.ts'

/** A command on its way to its receipt. */
export class Tracked {
  readonly command: Command
  readonly way: Way
  /** It sets the state of its target. */
  readonly isStateful: boolean
  /** The last attempt that is recorded as started; 0: none. */
  attempt: number
  /** That attempt is recorded but has not been sent: it needs no further row. */
  recorded: boolean
  /** Attempts that were handed to a connector. */
  sends = 0
  state: 'waiting' | 'starting' | 'in-flight' | 'settled' = 'waiting'
  /** Whether an earlier attempt may have moved something. */
  effect: Effect
  /** Not tried before this, on the monotonic clock. */
  notBefore = 0
  lastFailure: Failure | null = null
  abort: AbortController | null = null

  constructor(command: Command, way: Way, from: { attempt: number; recorded: boolean; effect: Effect }) {
    this.command = command
    this.way = way
    this.isStateful = setsState.has(command.capability)
    this.attempt = from.attempt
    this.recorded = from.recorded
    this.effect = from.effect
  }

  order(signal: AbortSignal): Order {
    const { id, address, args, capability } = this.command
    const repeat = this.effect === 'possible' && tells.has(capability)
    return {
      id,
      attempt: this.sends,
      address,
      args: repeat ? ({ message: { ...messageOf(args), possibleRepeat: true } } as Order['args']) : args,
      signal,
    }
  }
}

const setsState = new Set(['camera.preset', 'relay.set', 'door.secure', 'door.lockdown', 'door.release'])

const tells = new Set(['page.send', 'event.send'])

const messageOf = (args: unknown): object => (args as { message: object }).message
