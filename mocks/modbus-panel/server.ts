import type { Socket } from 'node:net'
import { TcpPort } from '../tcp.ts'
import { Bus } from './bus.ts'
import { exception, type Frame, join, split, spoil, type WrongAnswer } from './frame.ts'
import { joinRtu, splitRtu } from './rtu.ts'

/** A gateway whose unit didn't answer says so (Modbus Application Protocol 1.1b3, section 7, code 0x0B). */
const TARGET_FAILED_TO_RESPOND = 11
/** How long a gateway waits for a unit when nothing else is said. */
const GATEWAY_WAIT_MS = 1_000
/** A client with more requests under way than this is cut off. */
const MAX_UNDER_WAY = 64

export interface ServerOptions {
  /** As on a two-wire line whose adapter hears itself: what is sent comes back at once. */
  readonly echo?: boolean
  /** What the bytes look like: Modbus TCP (default), or those of a serial line, passed on as they are. */
  readonly framing?: 'tcp' | 'rtu'
  /** After so long a dead unit's request is answered by exception 11; without it, never. */
  readonly gatewayTimeoutMs?: number
  /** Whose requests wait for a dead or slow unit: nobody's (default), those of the same socket, or everybody's. */
  readonly bus?: 'parallel' | 'per-socket' | 'serial'
  /** What the behaviour `wrong-answer` gives; late by default. */
  readonly wrongAnswer?: WrongAnswer
}

/** The units behind the port. */
interface Units {
  alive(unit: number): boolean
  /** Does what the frame asks of a unit that is alive, and gives the answer's PDU. */
  execute(frame: Frame): Buffer
  /** Called once for each request, after its answer, or at once when nobody will answer. */
  seen(frame: Frame): void
}

interface Line {
  readonly bus: Bus
  underWay: number
  before: Frame | undefined
}

/** The Modbus TCP side: frames in, answers out, and the bus between the port and its units. */
export class ModbusServer {
  wrongAnswer: WrongAnswer
  readonly port = new TcpPort((socket) => this.#talk(socket))
  readonly #options: ServerOptions
  readonly #units: Units
  #bus = new Bus()
  #holding = 0
  #isHeld: (request: Frame) => boolean = () => false
  #held: { unit: number; answer: () => void }[] = []

  constructor(options: ServerOptions, units: Units) {
    this.#options = options
    this.#units = units
    this.wrongAnswer = options.wrongAnswer ?? 'late'
  }

  async reboot(awayMs: number): Promise<void> {
    this.#bus = new Bus()
    await this.port.away(awayMs)
  }

  /** The next answers to such requests stay with the device, until `letGo`. */
  holdBack(count: number, isHeld: (request: Frame) => boolean): void {
    this.#holding = count
    this.#isHeld = isHeld
  }

  /** What was held back goes out now, in its order. */
  letGo(): void {
    this.#holding = 0
    for (const { answer } of this.#held.splice(0)) answer()
  }

  /** Answers that are held back at the moment. */
  get held(): number {
    return this.#held.length
  }

  #talk(socket: Socket): void {
    const line: Line = { bus: new Bus(), underWay: 0, before: undefined }
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      if (this.#options.echo) socket.write(chunk)
      const all = Buffer.concat([received, chunk])
      const { frames, rest, broken } =
        this.#options.framing === 'rtu' ? { ...splitRtu(all), broken: false } : split(all)
      received = rest
      for (const frame of frames) this.#request(socket, line, frame)
      if (broken || line.underWay > MAX_UNDER_WAY) socket.destroy()
    })
  }

  #request(socket: Socket, line: Line, frame: Frame): void {
    line.underWay++
    const run = (free: () => void) =>
      this.#serve(socket, line, frame, () => {
        line.underWay--
        free()
      })
    if (this.#options.bus === 'serial') this.#bus.take(run)
    else if (this.#options.bus === 'per-socket') line.bus.take(run)
    else run(() => {})
  }

  #serve(socket: Socket, line: Line, frame: Frame, done: () => void): void {
    if (this.#units.alive(frame.unit))
      this.port.inItsTime(() => {
        this.#answer(socket, line, frame, this.#units.execute(frame))
        this.#units.seen(frame)
        done()
      })
    else {
      this.#units.seen(frame)
      this.#giveUp(socket, line, frame, done)
    }
  }

  #giveUp(socket: Socket, line: Line, frame: Frame, done: () => void): void {
    const { gatewayTimeoutMs } = this.#options
    const pdu = exception(frame.pdu[0] ?? 0, TARGET_FAILED_TO_RESPOND)
    this.port.later(gatewayTimeoutMs ?? GATEWAY_WAIT_MS, () => {
      if (gatewayTimeoutMs !== undefined) this.#answer(socket, line, frame, pdu)
      done()
    })
  }

  /** An empty PDU is no answer at all. */
  #answer(socket: Socket, line: Line, request: Frame, pdu: Buffer): void {
    if (pdu.length === 0) return
    const right = { ...request, pdu }
    const wrong = this.port.behaviour.is === 'wrong-answer'
    const frame = wrong ? spoil(right, this.wrongAnswer, line.before) : right
    line.before = right
    if (!frame) return
    const bytes = this.#options.framing === 'rtu' ? joinRtu(frame) : join(frame)
    if (wrong && this.wrongAnswer === 'check-sum') bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0xff
    const answer = () => this.port.answer(socket, bytes)
    const held = this.#holding > 0 && this.#isHeld(request)
    if (held) this.#holding--
    // A device answers in order: what comes after one that is held back waits for it.
    if (held || this.#held.some(({ unit }) => unit === request.unit))
      this.#held.push({ unit: request.unit, answer })
    else answer()
  }
}
