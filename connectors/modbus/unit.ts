import { BridgeError } from '../../core/error.ts'
import type { Breaker } from './breaker.ts'
import { unreached, type Values } from './codec.ts'
import { inWords, type Run } from './points.ts'
import { ModbusException, NotSent } from './refusal.ts'
import type { Client, Wire } from './wire.ts'

/** One unit on a wire. */
export class Unit {
  readonly number: number
  readonly breaker: Breaker
  readonly #wire: Wire

  constructor(number: number, wire: Wire, breaker: Breaker) {
    this.number = number
    this.breaker = breaker
    this.#wire = wire
  }

  /** Has the wire alone while `work` runs. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    return this.#wire.turn(work)
  }

  /** From here on, in the same turn, a request goes out at once. Rejects with NotSent. */
  async ready(): Promise<void> {
    await this.#watched(() => this.#wire.ready(this.number, this.#limit))
  }

  read(run: Run): Promise<Values> {
    return this.#ask(inWords(run), async (client) => {
      if (run.read <= 2) {
        const read = run.read === 1 ? 'readCoils' : 'readDiscreteInputs'
        return (await client[read](run.address, run.length)).data.map(Number)
      }
      const read = run.read === 3 ? 'readHoldingRegisters' : 'readInputRegisters'
      return (await client[read](run.address, run.length)).data
    })
  }

  async writeCoil(address: number, on: boolean): Promise<void> {
    await this.#write(`coil ${address}`, (client) => client.writeCoil(address, on))
  }

  async writeRegister(address: number, value: number): Promise<void> {
    await this.#write(`holding register ${address}`, (client) => client.writeRegister(address, value))
  }

  get #limit(): number {
    return this.breaker.limit(this.#wire.timeoutMs)
  }

  /** A write may take longer than any reading has: it has all its time. */
  #write<T>(what: string, request: (client: Client) => Promise<T>): Promise<T> {
    return this.#ask(`writing ${what}`, request, this.#wire.timeoutMs)
  }

  #ask<T>(what: string, request: (client: Client) => Promise<T>, limitMs = this.#limit): Promise<T> {
    return this.#watched(() => this.#wire.ask(this.number, limitMs, what, request), true)
  }

  /** Tells the breaker how it went. */
  async #watched<T>(work: () => Promise<T>, answers = false): Promise<T> {
    const { clock } = this.#wire
    const began = clock.mono()
    const took = () => clock.mono() - began
    try {
      const result = await work()
      if (answers) this.breaker.answered(took(), clock.mono())
      return result
    } catch (error) {
      const isException = error instanceof ModbusException
      if (isException ? unreached(error.exception) : isFailure(error))
        this.breaker.failed(took(), clock.mono(), !isException)
      else if (isException) this.breaker.answered(took(), clock.mono())
      throw error
    }
  }
}

/** A connection that is gone, or a pause that the line needs, is not the unit's fault. */
const isFailure = (error: unknown): boolean =>
  error instanceof BridgeError &&
  (error.code === 'TIMEOUT' || error.code === 'BAD_ANSWER') &&
  !(error instanceof NotSent && error.againAt !== null)
