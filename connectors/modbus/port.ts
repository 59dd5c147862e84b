import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { BridgeError, messageOf } from '../../core/error.ts'

/** Where the bytes go: a socket or a serial port that is open, and how to shut it at once. */
export interface Channel {
  readonly stream: Duplex
  /** In words: "10.0.4.20:502", "/dev/ttyUSB0". */
  readonly where: string
  shut(): void
}

/**
 * What modbus-serial sends its requests through: one at a time, and an answer counts only while its request waits.
 * The library's own ports match answers by an id that wraps at 256, or by nothing at all on a serial line, so that after
 * a stall an answer can be taken for that of another request: a false press.
 */
export abstract class Port extends EventEmitter {
  /** Settles when the connection is gone, with the reason. */
  readonly lost: Promise<BridgeError>
  /** modbus-serial files its requests under these; with one at a time one number is enough. */
  readonly _transactionIdWrite = 1
  readonly _transactionIdRead = 1
  protected readonly channel: Channel
  #why: BridgeError | null = null

  constructor(channel: Channel) {
    super()
    this.channel = channel
    const { stream, where } = channel
    stream.on('data', (bytes: Buffer) => this.isOpen && this.receive(bytes))
    stream.on('error', (error) => this.drop(new BridgeError('UNREACHABLE', `${where}: ${messageOf(error)}`)))
    stream.on('end', () => this.drop(new BridgeError('UNREACHABLE', `${where}: closed by the other side`)))
    this.lost = new Promise((resolve) => {
      stream.once('close', () => {
        this.#why ??= new BridgeError('UNREACHABLE', `${where}: connection closed`)
        this.emit('close')
        resolve(this.#why)
      })
    })
  }

  get isOpen(): boolean {
    return this.#why === null
  }

  /** Why the port is no longer open. */
  get why(): BridgeError | null {
    return this.#why
  }

  /** Called by modbus-serial; the channel is open already. */
  open(done: () => void): void {
    done()
  }

  close(done?: () => void): void {
    this.drop(new BridgeError('LINK_DOWN', `${this.channel.where}: closed by us`))
    done?.()
  }

  drop(why: BridgeError): void {
    if (this.#why) return
    this.#why = why
    this.channel.shut()
  }

  /** Called by modbus-serial with a serial frame: unit, PDU, CRC. */
  abstract write(serial: Buffer): void

  /** Resolves when the unit can be asked, so that only the answer to what is asked then is taken for it; asking for that takes up to `limitMs`. */
  abstract ready(unit: number, limitMs: number): Promise<void>

  /** The request that is on the way has no answer that can be used. Whether the port survives that is its own matter; it may know better why. */
  abstract unanswered(unit: number, why: BridgeError): BridgeError

  protected abstract receive(bytes: Buffer): void
}
