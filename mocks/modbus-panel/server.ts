import type { Socket } from 'node:net'
import { TcpPort } from '../tcp.ts'
import { Bus } from './bus.ts'
import { exception, type Frame, join, split, spoil, type WrongAnswer } from './frame.ts'

/** A gateway whose unit didn't answer says so (Modbus Application Protocol 1.1b3, section 7, code 0x0B). */
const TARGET_FAILED_TO_RESPOND = 11
/** How long a gateway waits for a unit when nothing else is said. */
const GATEWAY_WAIT_MS = 1_000
/** A client with more requests under way than this is cut off. */
const MAX_UNDER_WAY = 64

export interface ServerOptions {
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

  constructor(options: ServerOptions, units: Units) {
    this.#options = options
    this.#units = units
    this.wrongAnswer = options.wrongAnswer ?? 'late'
  }

  async reboot(awayMs: number): Promise<void> {
    this.#bus = new Bus()
    await this.port.away(awayMs)
  }

  #talk(socket: Socket): void {
    const line: Line = { bus: new Bus(), underWay: 0, before: undefined }
    let received: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      const { frames, rest, broken } = split(Buffer.concat([received, chunk]))
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
        this.#answer(socket, line, { ...frame, pdu: this.#units.execute(frame) })
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
      if (gatewayTimeoutMs !== undefined) this.#answer(socket, line, { ...frame, pdu })
      done()
    })
  }

  #answer(socket: Socket, line: Line, right: Frame): void {
    const wrong = this.port.behaviour.is === 'wrong-answer'
    const frame = wrong ? spoil(right, this.wrongAnswer, line.before) : right
    line.before = right
    if (frame) this.port.answer(socket, join(frame))
  }
}
