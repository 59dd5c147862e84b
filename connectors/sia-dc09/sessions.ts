import { createServer, type Server, type Socket } from 'node:net'
import { type Clock, every, type Timer } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { type Cut, Splitter } from './frame.ts'
import type { Config } from './index.ts'
import { Rate } from './limits.ts'
import type { Receiver } from './receiver.ts'

/** How often sessions are looked at, ms. */
const lookMs = 1_000
/** A frame that stops in its midst never comes to its end; a radio link may make it wait for its next piece, ms. */
const stalledMs = 20_000
/** Who has said nothing of DC-09 by then is none of ours; a panel may connect long before it supervises, ms. */
const strangerMs = 600_000
/** Bytes of no frame in a row: whoever sends more is no panel. */
const junkMax = 262_144
/** Messages of one session that may be on their way to the disk; more are not read before. */
const underWayMax = 64
/** Answers that a sender may leave unread, bytes. */
const unreadMax = 65_536
/** Dead peers behind a firewall are found by the system after some of these, ms. */
const keepAliveMs = 60_000

/** One TCP connection. */
class Session {
  readonly socket: Socket
  readonly #splitter = new Splitter()
  readonly #receiver: Receiver
  readonly #clock: Clock
  readonly #rate: Rate
  readonly #openedAt: number
  /** When it last said something, on the monotonic clock. */
  heardAt: number
  /** It has sent a frame that is right. */
  proven = false
  #underWay = 0
  #last: Promise<void> = Promise.resolve()
  #ended = false
  #waiting: Timer | null = null

  constructor(socket: Socket, receiver: Receiver, clock: Clock, rate: number) {
    this.socket = socket
    this.#receiver = receiver
    this.#clock = clock
    this.#rate = new Rate(rate, clock)
    this.#openedAt = clock.mono()
    this.heardAt = this.#openedAt
    socket.setNoDelay(true)
    socket.setKeepAlive(true, keepAliveMs)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#waiting?.cancel())
    socket.on('data', (chunk: Buffer) => this.#hear(chunk))
    socket.on('end', () => {
      this.#ended = true
      this.#cut(() => this.#splitter.giveUp())
      void this.#last.then(() => socket.end())
    })
  }

  /** Called at times: gives up on a frame that has stopped; false when the session must go. */
  look(idleMs: number): boolean {
    const now = this.#clock.mono()
    const quietMs = now - this.heardAt
    if (this.#splitter.waits && quietMs >= stalledMs) this.#cut(() => this.#splitter.giveUp())
    const mayStay = quietMs < idleMs && (this.proven || now - this.#openedAt < strangerMs)
    return mayStay || this.#underWay > 0
  }

  #hear(chunk: Buffer): void {
    this.heardAt = this.#clock.mono()
    this.#cut(() => this.#splitter.push(chunk))
    if (this.#splitter.junk > junkMax || this.socket.writableLength > unreadMax) this.socket.destroy()
  }

  #cut(cuts: () => Cut[]): void {
    const damaged = this.#splitter.damaged
    this.#take(cuts())
    this.#receiver.refusals.counts.damaged += this.#splitter.damaged - damaged
  }

  #take(cuts: readonly Cut[]): void {
    for (const cut of cuts) {
      this.proven = true
      this.#underWay++
      const waitMs = this.#rate.take(this.#clock)
      if (waitMs > 0) this.#pause(waitMs)
      const answer = this.#receiver.answer(cut)
      // In the order of the messages, whichever is on disk first.
      this.#last = Promise.all([answer, this.#last]).then(([bytes]) => {
        this.#underWay--
        if (bytes && this.socket.writable) this.socket.write(bytes)
        this.#resume()
      })
    }
    if (this.#underWay >= underWayMax) this.socket.pause()
  }

  #pause(ms: number): void {
    this.socket.pause()
    this.#waiting?.cancel()
    this.#waiting = this.#clock.after(ms, () => {
      this.#waiting = null
      this.#resume()
    })
  }

  #resume(): void {
    if (this.#waiting === null && this.#underWay < underWayMax && !this.#ended && this.socket.isPaused())
      this.socket.resume()
  }
}

/** The TCP port and the connections to it. */
export class Sessions {
  readonly #server: Server
  readonly #receiver: Receiver
  readonly #config: Config
  readonly #clock: Clock
  readonly #sessions = new Set<Session>()
  readonly #timer: Timer
  /** Settles when it no longer listens, with the reason. */
  readonly lost: Promise<unknown>

  private constructor(server: Server, receiver: Receiver, config: Config, clock: Clock) {
    this.#server = server
    this.#receiver = receiver
    this.#config = config
    this.#clock = clock
    this.lost = new Promise((resolve) => {
      server.once('error', resolve)
      server.once('close', () => resolve(new BridgeError('NOT_LISTENING', 'closed')))
    })
    server.on('connection', (socket) => this.#accept(socket))
    this.#timer = every(clock, lookMs, () => this.#look())
  }

  /** Listens at `host`:`port`. Rejects with NOT_LISTENING. */
  static async listen(
    at: { host: string; port: number },
    receiver: Receiver,
    config: Config,
    clock: Clock,
  ): Promise<Sessions> {
    const server = createServer({ allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error) =>
        reject(
          new BridgeError('NOT_LISTENING', `${at.host}:${at.port}: ${messageOf(error)}`, { cause: error }),
        )
      server.once('error', refused)
      server.listen({ ...at, backlog: 1_024 }, () => {
        server.off('error', refused)
        resolve()
      })
    })
    return new Sessions(server, receiver, config, clock)
  }

  get port(): number {
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  }

  get count(): number {
    return this.#sessions.size
  }

  /** Ends the port and its connections; answers that are ready have gone out. */
  close(): Promise<void> {
    this.#timer.cancel()
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      for (const { socket } of this.#sessions) socket.destroy()
    })
  }

  #accept(socket: Socket): void {
    if (this.#sessions.size >= this.#config.sessions) this.#makeRoom()
    const session = new Session(socket, this.#receiver, this.#clock, this.#config.rate)
    this.#sessions.add(session)
    socket.on('close', () => this.#sessions.delete(session))
  }

  /** Whoever has never sent a frame makes room, else whoever was silent longest: callers can't keep panels out. */
  #makeRoom(): void {
    let gone: Session | null = null
    for (const session of this.#sessions) {
      if (!session.proven) {
        gone = session
        break
      }
      if (gone === null || session.heardAt < gone.heardAt) gone = session
    }
    if (gone === null) return
    this.#sessions.delete(gone)
    gone.socket.destroy()
  }

  #look(): void {
    for (const session of this.#sessions) if (!session.look(this.#config.idle)) session.socket.destroy()
  }
}
