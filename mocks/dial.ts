import { connect, type Socket } from 'node:net'

/** A bare TCP connection for the mocks' own tests: bytes out, bytes in, and whether it was closed. */
export class Dial {
  readonly closed: Promise<void>
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #wake: () => void = () => {}
  #over = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#over = true
        this.#wake()
        resolve()
      })
    })
  }

  static to(port: number): Promise<Dial> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' })
      const dial = new Dial(socket)
      socket.once('error', reject)
      socket.once('connect', () => resolve(dial))
    })
  }

  send(bytes: Buffer | string): void {
    this.#socket.write(bytes)
  }

  /** The next `length` bytes; rejects when the connection ends before, or after 5 s. */
  async read(length: number): Promise<Buffer> {
    await this.#until(() => this.#received.length >= length)
    return this.#take(length)
  }

  /** The next line without its CR LF. */
  async line(): Promise<string> {
    await this.#until(() => this.#received.includes('\r\n'))
    const length = this.#received.indexOf('\r\n')
    return this.#take(length + 2)
      .subarray(0, length)
      .toString('latin1')
  }

  /** What has come and nobody has read. */
  get unread(): Buffer {
    return this.#received
  }

  end(): Promise<void> {
    this.#socket.destroy()
    return this.closed
  }

  #take(length: number): Buffer {
    const bytes = this.#received.subarray(0, length)
    this.#received = this.#received.subarray(length)
    return bytes
  }

  #until(enough: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`only ${this.#received.toString('hex')} came`)), 5_000)
      this.#wake = () => {
        if (enough()) resolve()
        else if (this.#over) reject(new Error(`closed after ${this.#received.toString('hex')}`))
        else return
        clearTimeout(timer)
        this.#wake = () => {}
      }
      this.#wake()
    })
  }
}
