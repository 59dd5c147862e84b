import { randomInt } from 'node:crypto'
import { type Clock, sleep } from '../../core/clock.ts'
import { BridgeError } from '../../core/error.ts'
import { type Answer, answerBytes, exceptionBit, nextAnswer, sealed } from './codec.ts'
import { type Channel, Port } from './port.ts'
import { NotSent } from './refusal.ts'

/** Bytes that may come between two frames before the line is taken for something else than RTU. */
const noiseMax = 4_096
/** As much as one frame can have (Modbus over Serial Line 1.02, 2.4), twice: a late one and the right one. */
const keptBytes = 512
/** Diagnostics, sub-function 0: the unit sends back what it gets (MODBUS Application Protocol 1.1b3, 6.8). */
const diagnostics = 8
/** How long a unit that does not know diagnostics must have said nothing until it is asked something else, ms. */
const quietMs = 1_000

export interface Timing {
  /** Silence before a frame, ms: 3.5 characters (Modbus over Serial Line 1.02, 2.5.1.1); 0 where a gateway sees to it. */
  readonly silenceMs: number
  /** The adapter hears itself: what we send comes back before the answer. */
  readonly echo: boolean
}

interface Waiting {
  readonly unit: number
  readonly code: number
  readonly length: number
  readonly request: Buffer
  take(answer: Answer): void
}

/**
 * Modbus RTU, on a serial line or over TCP. Its frames carry no number, so a late answer looks like that to the next
 * request. A unit that owes one is therefore asked to echo a random number first: units answer in order, so that
 * whatever comes before the echo is late, and thrown away.
 */
export class RtuPort extends Port {
  readonly #clock: Clock
  readonly #timing: Timing
  #waiting: Waiting | null = null
  #received: Buffer = Buffer.alloc(0)
  #noise = 0
  #movedAt = Number.NEGATIVE_INFINITY
  /** Units that owe no answer. */
  readonly #clear = new Set<number>()
  /** Units that have ever echoed a number: nothing else will do for them. */
  readonly #echoing: Set<number>
  /** Units that refuse the echo: their "no" has no number, so that it counts only while no other can be on the way. */
  readonly #refusing = new Set<number>()
  /** Units that left it unanswered, and since when nothing came: they may be dead, or not know it. */
  readonly #mute = new Map<number, { since: number; answers: boolean }>()

  constructor(channel: Channel, timing: Timing, clock: Clock, echoing: Set<number>) {
    super(channel)
    this.#timing = timing
    this.#clock = clock
    this.#echoing = echoing
    channel.stream.resume()
  }

  override write(serial: Buffer): void {
    const unit = serial[0] ?? 0
    this.#send(serial, (answer) => {
      const mute = this.#mute.get(unit)
      if (mute) mute.answers = true
      this.emit('data', answer.bytes)
    })
  }

  override async ready(unit: number, limitMs: number): Promise<void> {
    if (!this.#clear.has(unit)) await this.#fence(unit, limitMs)
    const silent = this.#movedAt + this.#timing.silenceMs - this.#clock.mono()
    if (silent > 0) await sleep(this.#clock, silent)
    if (this.why) throw new NotSent('LINK_DOWN', this.why.message)
  }

  override unanswered(unit: number, why: BridgeError): BridgeError {
    const echoed = this.#waiting && this.#received.indexOf(this.#waiting.request) === 0
    this.#waiting = null
    this.#doubt(unit)
    // It answered neither: the next time it is asked for the echo again.
    if (this.#mute.get(unit)?.answers === false) this.#mute.delete(unit)
    if (!echoed || this.#timing.echo) return why
    return new BridgeError(
      why.code,
      `${why.message}; what we send comes back: is it an adapter that needs \`line.echo: true\`?`,
    )
  }

  /** The unit may still send what is not the answer to the next request. */
  #doubt(unit: number): void {
    this.#clear.delete(unit)
    const mute = this.#mute.get(unit)
    if (mute) mute.since = this.#clock.mono()
  }

  /** After it the unit owes no answer. Rejects with NotSent. */
  async #fence(unit: number, limitMs: number): Promise<void> {
    const mute = this.#mute.get(unit)
    const now = this.#clock.mono()
    if (mute && now - mute.since < quietMs)
      throw new NotSent(
        'TIMEOUT',
        `unit ${unit}: waiting until no late answer can come`,
        mute.since + quietMs,
      )
    if (mute && !this.#refusing.has(unit)) {
      this.#clear.add(unit)
      return
    }
    this.#mute.delete(unit)
    if (!(await this.#echoes(unit, limitMs))) {
      if (!this.#echoing.has(unit)) this.#mute.set(unit, { since: this.#clock.mono(), answers: false })
      throw new NotSent('TIMEOUT', `unit ${unit}: no answer within ${limitMs} ms`)
    }
    this.#clear.add(unit)
  }

  async #echoes(unit: number, limitMs: number): Promise<boolean> {
    await sleep(this.#clock, this.#movedAt + this.#timing.silenceMs - this.#clock.mono())
    const number = randomInt(65_536)
    const request = sealed(Buffer.from([unit, diagnostics, 0, 0, number >> 8, number & 0xff]))
    return new Promise((resolve) => {
      const end = (is: boolean) => {
        limit.cancel()
        this.removeListener('close', giveUp)
        this.#waiting = null
        resolve(is)
      }
      const giveUp = () => end(false)
      const limit = this.#clock.after(limitMs, giveUp)
      this.once('close', giveUp)
      this.#send(request, ({ bytes, code }) => {
        const isEcho = bytes.equals(request)
        if (isEcho) this.#echoing.add(unit)
        else if (code !== diagnostics) this.#refusing.add(unit)
        // The echo of another number is late.
        if (isEcho || code !== diagnostics) end(true)
        else this.#waiting = waiting
      })
      const waiting = this.#waiting
    })
  }

  #send(request: Buffer, take: (answer: Answer) => void): void {
    if (!this.isOpen) return
    if (this.#waiting) throw new Error('a second request while one is on the way')
    this.#received = Buffer.alloc(0)
    this.#noise = 0
    this.#movedAt = this.#clock.mono()
    this.#waiting = {
      unit: request[0] ?? 0,
      code: request[1] ?? 0,
      length: answerBytes(request),
      request,
      take,
    }
    this.channel.stream.write(request)
  }

  protected override receive(bytes: Buffer): void {
    this.#movedAt = this.#clock.mono()
    this.#noise += bytes.length
    if (this.#noise > noiseMax) {
      this.#bad()
      return
    }
    this.#received = Buffer.concat([this.#received, bytes]).subarray(-keptBytes)
    if (this.#timing.echo && !this.#skipEcho()) return
    for (;;) {
      const answer = nextAnswer(this.#received)
      if (!answer) return
      this.#received = this.#received.subarray(answer.end)
      this.#noise = 0
      this.#deliver(answer)
    }
  }

  /** Whether our own request has come back already. */
  #skipEcho(): boolean {
    const request = this.#waiting?.request
    if (!request || request.length === 0) return true
    const at = this.#received.indexOf(request)
    if (at < 0) return false
    this.#received = this.#received.subarray(at + request.length)
    this.#waiting = this.#waiting && { ...this.#waiting, request: Buffer.alloc(0) }
    return true
  }

  #deliver(answer: Answer): void {
    const waiting = this.#waiting
    const isException = waiting !== null && answer.code === (waiting.code | exceptionBit)
    const fits =
      waiting?.unit === answer.unit &&
      (isException || (answer.code === waiting.code && answer.bytes.length === waiting.length))
    // Late, or one too many; another of its kind may follow.
    if (!fits) this.#doubt(answer.unit)
    else {
      this.#waiting = null
      waiting.take(answer)
    }
  }

  #bad(): void {
    const { where } = this.channel
    const what = `${noiseMax} bytes without an answer among them`
    this.drop(
      new BridgeError('BAD_ANSWER', `${where} sent ${what}: check framing, baud rate, parity and wiring`),
    )
  }
}
