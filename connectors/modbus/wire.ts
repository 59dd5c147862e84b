import modbus from 'modbus-serial'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { breakerOf } from './breaker.ts'
import type { Config } from './config.ts'
import type { Port } from './port.ts'
import { ModbusException, NotSent } from './refusal.ts'
import { Unit } from './unit.ts'

/** What modbus-serial throws. */
interface LibraryError {
  readonly modbusCode?: number
  readonly errno?: string
}

/** The modbus-serial client, as far as it is used. */
export type Client = modbus.default

/** Requests to the units of one connection, one at a time. */
export class Wire {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly #port: Port
  readonly #config: Config
  readonly #client: Client
  readonly #units = new Map<number, Unit>()
  #turn: Promise<unknown> = Promise.resolve()
  #giveUp: (why: BridgeError) => void = () => {}

  constructor(port: Port, config: Config, clock: Clock) {
    this.clock = clock
    this.timeoutMs = config.timeout
    this.#port = port
    this.#config = config
    this.#client = new modbus.default(port)
    this.#client.on('error', () => {})
    this.#client.open(() => {})
    port.lost.then((why) => {
      this.#giveUp(why)
      // Takes back the timer of a request that nobody will answer.
      this.#client.destroy(() => {})
    })
  }

  get lost(): Promise<BridgeError> {
    return this.#port.lost
  }

  get isOpen(): boolean {
    return this.#port.isOpen
  }

  close(): void {
    this.#port.close()
  }

  drop(why: BridgeError): void {
    this.#port.drop(why)
  }

  /** A unit by its number; the connector's own where none is given. */
  unit(number: number = this.#config.unit): Unit {
    const unit = this.#units.get(number) ?? new Unit(number, this, breakerOf(this.#config, number))
    this.#units.set(number, unit)
    return unit
  }

  /** Has the wire alone while `work` runs; in order of asking, so that an act goes between two readings of a poll. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  /** Sees to it that the unit owes no answer. Rejects with NotSent. */
  async ready(unit: number, limitMs: number): Promise<void> {
    if (this.#port.why) throw new NotSent('LINK_DOWN', `unit ${unit}: ${this.#port.why.message}`)
    await this.#port.ready(unit, limitMs)
  }

  /** One request and its answer. Rejects with NotSent, ModbusException, or what is wrong with the answer. */
  async ask<T>(
    unit: number,
    limitMs: number,
    what: string,
    request: (client: Client) => Promise<T>,
  ): Promise<T> {
    await this.ready(unit, limitMs)
    this.#client.setID(unit)
    this.#client.setTimeout(limitMs)
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#giveUp = reject
        request(this.#client).then(resolve, reject)
      })
    } catch (thrown) {
      throw this.#explain(unit, limitMs, what, thrown)
    }
  }

  #explain(unit: number, limitMs: number, what: string, thrown: unknown): BridgeError {
    if (thrown instanceof BridgeError) return thrown
    const where = `unit ${unit}, ${what}`
    const { modbusCode, errno } = thrown as LibraryError
    if (modbusCode !== undefined) return new ModbusException(modbusCode, where)
    const why =
      errno === 'ETIMEDOUT'
        ? new BridgeError('TIMEOUT', `${where}: no answer within ${limitMs} ms; is the unit right and alive?`)
        : new BridgeError('BAD_ANSWER', `${where}: ${messageOf(thrown)}`)
    return this.#port.unanswered(unit, why)
  }
}
