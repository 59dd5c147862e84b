import { type Behaviour, Journal, type Mock } from '../mock.ts'
import { exception, type Frame, type WrongAnswer } from './frame.ts'
import { Polls } from './polls.ts'
import { ModbusServer, type ServerOptions } from './server.ts'
import { type Counters, type Diagnostics, Unit, writes } from './unit.ts'

/** How long a press lasts when nothing else is said: that of a finger. */
const PRESS_MS = 200

export interface ModbusPanelOptions extends ServerOptions {
  readonly port?: number
  /** The unit ids behind this port (default 1); more than one is a gateway. */
  readonly units?: readonly number[]
  readonly discretes?: number
  readonly coils?: number
  readonly registers?: number
  /** false: a panel whose inputs have no counters. */
  readonly counters?: Counters | false
  /** What the units do with function 8; refused by default. */
  readonly diagnostics?: Diagnostics
  /** Shorthand for `counters.wordOrder`. */
  readonly wordOrder?: 'hi-lo' | 'lo-hi'
}

/** Which unit is meant; without it the first. */
export interface On {
  readonly unit?: number
}

type OnTable = On & { readonly table?: 'input' | 'holding' }

interface Failure {
  readonly code: number
  readonly from: number
  readonly to: number
}

/** A panel of inputs, relays and registers that speaks Modbus TCP. */
export class ModbusPanel implements Mock {
  readonly host = '127.0.0.1'
  readonly journal = new Journal()
  readonly #first: number
  readonly #units = new Map<number, Unit>()
  readonly #dead = new Set<number>()
  readonly #failures = new Map<number, Failure[]>()
  readonly #polls = new Polls()
  readonly #server: ModbusServer

  constructor(options: ModbusPanelOptions) {
    const { units = [1], discretes = 64, coils = 64, registers = 256, wordOrder = 'hi-lo' } = options
    const standard = { at: 0x10, table: 'input', wordOrder } as const
    const counters = options.counters === false ? null : { ...standard, ...options.counters }
    for (const id of units)
      this.#units.set(id, new Unit({ discretes, coils, registers }, counters, options.diagnostics))
    this.#first = units[0] ?? 1
    this.#server = new ModbusServer(options, {
      alive: (unit) => this.#units.has(unit) && !this.#dead.has(unit),
      execute: (frame) => this.#execute(frame),
      seen: ({ unit, pdu }) => {
        if (reading(pdu)) this.#polls.count(unit)
      },
    })
  }

  get port(): number {
    return this.#server.port.port
  }

  /** Connections that are open now: what a client leaks stays here. */
  get openSockets(): number {
    return this.#server.port.sockets.size
  }

  listen(port?: number): Promise<void> {
    return this.#server.port.open(port)
  }

  /** Presses a button for `forMs` (200 by default), or until `release`. Resolves when it is let go, or held. */
  async press(discrete: number, how: On & { forMs?: number; hold?: true } = {}): Promise<void> {
    this.#unit(how).press(discrete)
    if (how.hold) return
    await new Promise((resolve) => setTimeout(resolve, how.forMs ?? PRESS_MS))
    this.release(discrete, how)
  }

  release(discrete: number, on: On = {}): void {
    this.#unit(on).set(discrete, false)
  }

  /** Sets the raw contact, for NC and antivalent wiring; the counter stays. */
  set(discrete: number, closed: boolean, on: On = {}): void {
    this.#unit(on).set(discrete, closed)
  }

  /** From now on the input stays active after a press, until the coil is written 1 (and the button is let go). */
  latch(discrete: number, resetCoil: number, on: On = {}): void {
    this.#unit(on).latch(discrete, resetCoil)
  }

  /** What a client would read of the input now. */
  active(discrete: number, on: On = {}): boolean {
    return this.#unit(on).active(discrete)
  }

  counter(discrete: number, on: On = {}): number {
    return this.#unit(on).counted(discrete)
  }

  setCounter(discrete: number, value: number, on: On = {}): void {
    this.#unit(on).count(discrete, value)
  }

  coil(address: number, on: On = {}): boolean {
    return this.#unit(on).coils[address] === 1
  }

  setCoil(address: number, value: boolean, on: On = {}): void {
    this.#unit(on).coils[address] = value ? 1 : 0
  }

  /** The relay accepts writes but stays where it is; `stuck` false frees it. */
  relayStuck(coil: number, stuck = true, on: On = {}): void {
    if (stuck) this.#unit(on).stuck.add(coil)
    else this.#unit(on).stuck.delete(coil)
  }

  register(address: number, on: OnTable = {}): number {
    return this.#table(on)[address] ?? 0
  }

  setRegister(address: number, value: number, on: OnTable = {}): void {
    this.#table(on)[address] = value
  }

  /** From now on the unit answers with this exception, to all requests or to those that touch these addresses. */
  fail(unit: number, code: number, { from = 0, to = 0xffff }: { from?: number; to?: number } = {}): void {
    this.#failures.set(unit, [...(this.#failures.get(unit) ?? []), { code, from, to }])
  }

  /** Takes the unit off the bus: nothing that is sent to it happens. */
  kill(unit: number): void {
    this.#dead.add(unit)
  }

  /** Ends `fail` and `kill`. */
  heal(unit: number): void {
    this.#failures.delete(unit)
    this.#dead.delete(unit)
  }

  /** The next answers to requests that touch these addresses wait until `letGo`: late, but in their order. */
  holdBack(
    count = 1,
    { unit = this.#first, from = 0, to = 0xffff }: On & { from?: number; to?: number } = {},
  ): void {
    this.#server.holdBack(count, (request) => request.unit === unit && touches(request.pdu, { from, to }))
  }

  letGo(): void {
    this.#server.letGo()
  }

  /** Answers that are held back at the moment. */
  get held(): number {
    return this.#server.held
  }

  /** How many read requests have come for the unit, dead or not. */
  reads(unit: number = this.#first): number {
    return this.#polls.reads(unit)
  }

  /** Resolves after `times` further read requests for the unit; rejects after `withinMs`. */
  polled(
    unit: number = this.#first,
    times = 1,
    { withinMs = 5_000 }: { withinMs?: number } = {},
  ): Promise<void> {
    return this.#polls.further(unit, times, withinMs)
  }

  /** Slow acts late as well; half-open acts and says nothing; refusing drops the connections that are open. */
  behave(behaviour: Behaviour): void {
    this.#server.port.behave(behaviour)
  }

  /** Chooses what the behaviour `wrong-answer` gives. */
  answerWrong(how: WrongAnswer): void {
    this.#server.wrongAnswer = how
    this.behave({ is: 'wrong-answer' })
  }

  /** Counters start at 0 again, relays and registers too; a button that is held stays pressed. */
  async reboot(awayMs: number): Promise<void> {
    for (const unit of this.#units.values()) unit.restart()
    await this.#server.reboot(awayMs)
  }

  close(): Promise<void> {
    return this.#server.port.close()
  }

  #unit({ unit = this.#first }: On): Unit {
    const found = this.#units.get(unit)
    if (!found) throw new RangeError(`the panel has units ${[...this.#units.keys()].join(', ')}, not ${unit}`)
    return found
  }

  #table({ table = 'holding', ...on }: OnTable): Uint16Array {
    return table === 'input' ? this.#unit(on).inputs : this.#unit(on).holdings
  }

  #execute({ unit, pdu }: Frame): Buffer {
    const failure = this.#failures.get(unit)?.find((each) => touches(pdu, each))
    const answer = failure ? exception(pdu[0] ?? 0, failure.code) : this.#unit({ unit }).execute(pdu)
    const refused = ((answer[0] ?? 0) & 0x80) !== 0
    for (const { what, address, value } of writes(pdu))
      this.journal.note(what, { unit, address, value, ...(refused && { exception: answer[1] }) })
    return answer
  }
}

/** Function codes 1 to 4 read. */
const reading = (pdu: Buffer): boolean => (pdu[0] ?? 0) >= 1 && (pdu[0] ?? 0) <= 4

/** Whether a request reads or writes an address within the failing range. */
const touches = (pdu: Buffer, { from, to }: Omit<Failure, 'code'>): boolean => {
  if (pdu.length < 5) return from === 0 && to === 0xffff
  const first = pdu.readUInt16BE(1)
  const one = pdu[0] === 5 || pdu[0] === 6
  return first <= to && first + (one ? 1 : pdu.readUInt16BE(3)) > from
}

export { type Pty, startPty } from './pty.ts'

/** Starts a panel on loopback; port 0 (default) takes a free one. */
export const startModbusPanel = async (options: ModbusPanelOptions = {}): Promise<ModbusPanel> => {
  const panel = new ModbusPanel(options)
  await panel.listen(options.port)
  return panel
}
