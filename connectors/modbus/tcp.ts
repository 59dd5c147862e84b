import { BridgeError } from '../../core/error.ts'
import { crc16, crcBytes, frame, frameBytesMax, unframe } from './codec.ts'
import { type Channel, Port } from './port.ts'

/** Modbus TCP: all 16 bits of the transaction number, and the end at the first frame that does not fit. */
export class TcpPort extends Port {
  #id = Math.floor(Math.random() * 65_536)
  #waiting = false
  #received: Buffer = Buffer.alloc(0)

  constructor(channel: Channel) {
    super(channel)
    channel.stream.resume()
  }

  override write(serial: Buffer): void {
    if (!this.isOpen) return
    if (this.#waiting) throw new Error('a second request while one is on the way')
    this.#id = (this.#id + 1) & 0xffff
    this.#waiting = true
    this.channel.stream.write(frame(this.#id, serial.subarray(0, -crcBytes)))
  }

  override async ready(): Promise<void> {}

  /** What comes late now would answer the next request. */
  override unanswered(_unit: number, why: BridgeError): BridgeError {
    this.drop(why)
    return why
  }

  protected override receive(bytes: Buffer): void {
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
    const { where } = this.channel
    this.drop(new BridgeError('BAD_ANSWER', `${where} sent ${what}: is it a Modbus TCP device?`))
  }
}
