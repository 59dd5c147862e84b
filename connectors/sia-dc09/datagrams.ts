import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { BoundedMap } from '../../core/bounded.ts'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Splitter } from './frame.ts'
import { Rate } from './limits.ts'
import type { Receiver } from './receiver.ts'

/** Messages that may be on their way to the disk; what is more gets no answer, and is sent again. */
const underWayMax = 2_000
/** Senders whose rate is remembered; the oldest are forgotten first. */
const sendersMax = 10_000

/** The UDP port: each datagram holds whole frames. */
export class Datagrams {
  readonly #socket: Socket
  readonly #receiver: Receiver
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #rates = new BoundedMap<string, Rate>(sendersMax)
  /** Settles when it no longer listens, with the reason. */
  readonly lost: Promise<unknown>
  #underWay = 0
  #closing: Promise<void> | null = null

  private constructor(socket: Socket, receiver: Receiver, perSecond: number, clock: Clock) {
    this.#socket = socket
    this.#receiver = receiver
    this.#clock = clock
    this.#perSecond = perSecond
    this.lost = new Promise((resolve) => {
      socket.once('close', () => resolve(new BridgeError('NOT_LISTENING', 'closed')))
      // An ICMP error of one sender is none of the port.
      socket.on('error', (error) => {
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') resolve(error)
      })
    })
    socket.on('message', (bytes, from) => this.#hear(bytes, from))
  }

  /** Listens at `host`:`port`. Rejects with NOT_LISTENING. */
  static async listen(
    at: { host: string; port: number },
    receiver: Receiver,
    perSecond: number,
    clock: Clock,
  ): Promise<Datagrams> {
    const socket = createSocket(at.host.includes(':') ? 'udp6' : 'udp4')
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error) => {
        socket.close()
        reject(
          new BridgeError('NOT_LISTENING', `UDP ${at.host}:${at.port}: ${messageOf(error)}`, {
            cause: error,
          }),
        )
      }
      socket.once('error', refused)
      socket.bind({ address: at.host, port: at.port }, () => {
        socket.off('error', refused)
        resolve()
      })
    })
    return new Datagrams(socket, receiver, perSecond, clock)
  }

  get port(): number {
    return this.#closing ? 0 : this.#socket.address().port
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.#socket.close(() => resolve()))
    return this.#closing
  }

  #hear(bytes: Buffer, from: RemoteInfo): void {
    const { counts } = this.#receiver.refusals
    const splitter = new Splitter()
    const cuts = [...splitter.push(bytes), ...splitter.giveUp()]
    counts.damaged += splitter.damaged
    for (const cut of cuts) {
      if (this.#underWay >= underWayMax || this.#rateOf(from).take(this.#clock) > 0) {
        counts.silenced++
        continue
      }
      this.#underWay++
      void this.#receiver.answer(cut).then((answer) => {
        this.#underWay--
        if (answer && !this.#closing) this.#socket.send(answer, from.port, from.address, () => {})
      })
    }
  }

  #rateOf({ address, port }: RemoteInfo): Rate {
    const sender = `${address}:${port}`
    const known = this.#rates.get(sender)
    if (known) return known
    const rate = new Rate(this.#perSecond, this.#clock)
    this.#rates.set(sender, rate)
    return rate
  }
}
