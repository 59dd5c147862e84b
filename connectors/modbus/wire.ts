import modbus from 'modbus-serial'
import { BridgeError, messageOf } from '../../core/error.ts'
import { exceptionOf, type Values } from './codec.ts'
import { inWords, type Run } from './index.ts'
import type { TcpPort } from './tcp.ts'

/** The unit answered "no": Modbus exception `exception`. */
export class ModbusException extends BridgeError {
  readonly exception: number

  constructor(exception: number, what: string) {
    const { code, means } = exceptionOf(exception)
    super(code, `${what}: Modbus exception ${exception}, ${means}`)
    this.exception = exception
  }
}

/** The connection was gone before the request: nothing has been sent. */
export class NotSent extends BridgeError {}

/** What modbus-serial throws. */
interface LibraryError {
  readonly modbusCode?: number
  readonly errno?: string
}

/** Requests to one unit, one at a time. After a timeout or a wrong answer the connection is gone. */
export class Wire {
  readonly #port: TcpPort
  readonly #unit: number
  readonly #timeoutMs: number
  readonly #client: modbus.default
  #turn: Promise<unknown> = Promise.resolve()
  #giveUp: (why: BridgeError) => void = () => {}

  constructor(port: TcpPort, unit: number, timeoutMs: number) {
    this.#port = port
    this.#unit = unit
    this.#timeoutMs = timeoutMs
    this.#client = new modbus.default(port)
    this.#client.on('error', () => {})
    this.#client.open(() => {})
    this.#client.setID(unit)
    this.#client.setTimeout(timeoutMs)
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

  /** Has the wire alone while `work` runs; in order of asking, so that an act goes between two readings of a poll. */
  turn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }

  async read(run: Run): Promise<Values> {
    return this.#ask(inWords(run), async () => {
      if (run.read <= 2) {
        const read = run.read === 1 ? 'readCoils' : 'readDiscreteInputs'
        return (await this.#client[read](run.address, run.length)).data.map(Number)
      }
      const read = run.read === 3 ? 'readHoldingRegisters' : 'readInputRegisters'
      return (await this.#client[read](run.address, run.length)).data
    })
  }

  async writeCoil(address: number, on: boolean): Promise<void> {
    await this.#ask(`writing coil ${address}`, () => this.#client.writeCoil(address, on))
  }

  async writeRegister(address: number, value: number): Promise<void> {
    await this.#ask(`writing holding register ${address}`, () => this.#client.writeRegister(address, value))
  }

  async #ask<T>(what: string, request: () => Promise<T>): Promise<T> {
    if (this.#port.why) throw new NotSent('LINK_DOWN', `unit ${this.#unit}: ${this.#port.why.message}`)
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#giveUp = reject
        request().then(resolve, reject)
      })
    } catch (thrown) {
      throw this.#explain(what, thrown)
    }
  }

  #explain(what: string, thrown: unknown): BridgeError {
    if (thrown instanceof BridgeError) return thrown
    const where = `unit ${this.#unit}, ${what}`
    const { modbusCode, errno } = thrown as LibraryError
    if (modbusCode !== undefined) return new ModbusException(modbusCode, where)
    const why =
      errno === 'ETIMEDOUT'
        ? new BridgeError(
            'TIMEOUT',
            `${where}: no answer within ${this.#timeoutMs} ms; is the unit right and alive?`,
          )
        : new BridgeError('BAD_ANSWER', `${where}: ${messageOf(thrown)}`)
    // What comes late now would answer the next request.
    this.#port.drop(why)
    return why
  }
}
