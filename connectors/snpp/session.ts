import { connect, type Socket } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { command, NoReply, type Reply, ReplyReader, type Verb } from './codec.ts'

/** More replies than asked for that may wait; a server that goes on talking is mad. */
const waitingMax = 16

/** How long the server has to close after QUIT, ms; then we do. */
const leaveMs = 500

/** One conversation with a paging server. */
export class Session {
  readonly #socket: Socket
  readonly #where: string
  readonly #clock: Clock
  readonly #reader = new ReplyReader()
  readonly #replies: Reply[] = []
  #failure: BridgeError | null = null
  #wake: () => void = () => {}

  /** Dials, or takes the `socket` that has dialled; `signal` ends the conversation whenever it aborts. */
  constructor(host: string, port: number, signal: AbortSignal, clock: Clock, socket?: Socket) {
    this.#clock = clock
    this.#where = `${host}:${port}`
    this.#socket = socket ?? connect({ host, port, noDelay: true })
    const late = () =>
      this.#fail(
        new BridgeError('TIMEOUT', `${this.#where} did not answer in time`, { cause: signal.reason }),
      )
    if (signal.aborted) late()
    else signal.addEventListener('abort', late, { once: true })
    this.#socket.once('close', () => {
      signal.removeEventListener('abort', late)
      this.#fail(new BridgeError('UNREACHABLE', `${this.#where} closed the connection`))
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(
        new BridgeError('UNREACHABLE', `no connection to ${this.#where}: ${error.code ?? messageOf(error)}`, {
          cause: error,
        }),
      ),
    )
    this.#socket.on('data', (bytes: Buffer) => this.#take(bytes))
  }

  /** The server's next answer; rejects with BridgeError TIMEOUT, UNREACHABLE, BUSY or BAD_ANSWER. */
  async reply(): Promise<Reply> {
    while (this.#replies.length === 0 && !this.#failure)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    const reply = this.#replies.shift()
    if (!reply) throw this.#failure
    // 421 and 554 may answer anything: the server has no way for us just now (RFC 1861, 4.5).
    if (reply.code === 421 || reply.code === 554) throw this.#busy(reply)
    return reply
  }

  #busy(reply: Reply): BridgeError {
    return new BridgeError('BUSY', `${this.#where} is busy: ${said(reply)}`)
  }

  async ask(verb: Verb, ...words: readonly string[]): Promise<Reply> {
    this.check()
    this.#socket.write(command(verb, ...words))
    return this.reply()
  }

  /** Throws when nothing may be written any more. */
  check(): void {
    if (this.#failure) throw this.#failure
    // An answer that came before its question belongs to nothing that we asked; 421 says goodbye at any time.
    const early = this.#replies[0]
    if (early)
      throw early.code === 421 || early.code === 554
        ? this.#busy(early)
        : new BridgeError('BAD_ANSWER', `${this.#where} answered before it was asked: ${said(early)}`)
  }

  /** Takes leave without waiting for the answer: nothing depends on it. */
  quit(): void {
    if (this.#socket.destroyed) return
    this.#socket.end(command('QUIT'))
    const timer = this.#clock.after(leaveMs, () => this.#socket.destroy())
    this.#socket.once('close', () => timer.cancel())
  }

  /** Breaks off at once. */
  drop(): void {
    this.#fail(new BridgeError('ABORTED', `the link to ${this.#where} is closing`))
  }

  #take(bytes: Buffer): void {
    try {
      this.#replies.push(...this.#reader.feed(bytes))
      if (this.#replies.length > waitingMax) throw new NoReply('answers that nobody asked for')
      this.#wake()
    } catch (error) {
      this.#fail(
        new BridgeError('BAD_ANSWER', `${this.#where} does not speak SNPP: it sent ${messageOf(error)}`),
      )
    }
  }

  #fail(failure: BridgeError): void {
    this.#failure ??= failure
    this.#socket.destroy()
    this.#wake()
  }
}

/** What the server said, for people. */
export const said = ({ code, text }: Reply): string => `${code} ${text}`.trim().slice(0, 160)
