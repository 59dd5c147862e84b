import { EventEmitter } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Clock, deadline } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { crc16, frame, frameBytesMax, unframe } from './codec.ts'

const crcBytes = 2

/**
 * The port under modbus-serial: one request at a time, and an answer counts only while its request waits.
 * The library's own port matches answers by an id that wraps at 256, so that after a stall an answer can be
 * taken for that of another request: a false press. This one uses all 16 bits, keeps one request on the way,
 * and drops the connection at the first frame that does not fit.
 */
export class TcpPort extends EventEmitter {
  /** Settles when the connection is gone, with the reason. */
  readonly lost: Promise<BridgeError>
  /** modbus-serial files its requests under these; with one at a time one number is enough. */
  readonly _transactionIdWrite = 1
  readonly _transactionIdRead = 1
  readonly #socket: Socket
  readonly #where: string
  #id = Math.floor(Math.random() * 65_536)
  #waiting = false
  #received: Buffer = Buffer.alloc(0)
  #why: BridgeError | null = null

  constructor(socket: Socket, where: string) {
    super()
    this.#socket = socket
    this.#where = where
    socket.on('data', (bytes) => this.#receive(bytes))
    socket.on('error', (error) => this.drop(new BridgeError('UNREACHABLE', `${where}: ${messageOf(error)}`)))
    socket.on('end', () => this.drop(new BridgeError('UNREACHABLE', `${where}: closed by the other side`)))
    this.lost = new Promise((resolve) => {
      socket.on('close', () => {
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

  /** Called by modbus-serial; the socket is connected already. */
  open(done: () => void): void {
    done()
  }

  /** Called by modbus-serial with a serial frame: unit, PDU, CRC. */
  write(serial: Buffer): void {
    if (!this.isOpen) return
    if (this.#waiting) throw new Error('a second request while one is on the way')
    this.#id = (this.#id + 1) & 0xffff
    this.#waiting = true
    this.#socket.write(frame(this.#id, serial.subarray(0, -crcBytes)))
  }

  close(done?: () => void): void {
    this.drop(new BridgeError('LINK_DOWN', `${this.#where}: closed by us`))
    done?.()
  }

  drop(why: BridgeError): void {
    this.#why ??= why
    this.#socket.destroy()
  }

  #receive(bytes: Buffer): void {
    if (!this.isOpen) return
    const all = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    const whole = all.length > frameBytesMax ? { wrong: 'more bytes than an answer has' } : unframe(all)
    this.#received = all
    if (whole === 'more') return
    if ('wrong' in whole) this.#bad(whole.wrong)
    else if (!this.#waiting) this.#bad('an answer that nothing was asked for')
    else if (whole.id !== this.#id) this.#bad(`the answer to request ${whole.id} instead of ${this.#id}`)
    else this.#deliver(whole.body)
  }

  #deliver(body: Buffer): void {
    this.#waiting = false
    this.#received = Buffer.alloc(0)
    const serial = Buffer.alloc(body.length + crcBytes)
    body.copy(serial)
    serial.writeUInt16LE(crc16(body), body.length)
    this.emit('data', serial)
  }

  #bad(what: string): void {
    this.drop(new BridgeError('BAD_ANSWER', `${this.#where} sent ${what}: is it a Modbus TCP device?`))
  }
}

/** Connects once. Rejects with UNREACHABLE or TIMEOUT. */
export const dial = async (
  at: { host: string; port: number },
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<TcpPort> => {
  const where = `${at.host}:${at.port}`
  const limit = deadline(clock, limitMs, signal)
  const socket = connect({ host: at.host, port: at.port, noDelay: true, keepAlive: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error) =>
        reject(new BridgeError('UNREACHABLE', `${where}: ${messageOf(error)}`, { cause: error })),
      )
      const giveUp = () =>
        reject(
          signal.aborted
            ? new BridgeError('ABORTED', `${where}: given up while connecting`)
            : new BridgeError('TIMEOUT', `${where}: no connection within ${limitMs} ms`),
        )
      if (limit.signal.aborted) giveUp()
      else limit.signal.addEventListener('abort', giveUp, { once: true })
    })
  } catch (error) {
    socket.on('error', () => {})
    socket.destroy()
    throw error
  } finally {
    limit.cancel()
  }
  socket.removeAllListeners('error')
  return new TcpPort(socket, where)
}
