import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { type Answer, AnswerReader, enciphered, timeText, wrap } from './wire.ts'

export interface PanelOptions {
  readonly host?: string
  /** Where the receiver listens. */
  readonly port: number
  /** By UDP instead of TCP. */
  readonly udp?: boolean
  readonly account: string
  /** `null` leaves the field out, as some panels do. */
  readonly line?: string | null
  readonly receiver?: string | null
  /** The AES key, its 16, 24 or 32 bytes; without it everything goes in clear. */
  readonly key?: Buffer
  /** The CRC as two raw bytes. */
  readonly binaryCrc?: boolean
  /** Whether messages in clear carry the time; encrypted ones always do. */
  readonly stamped?: boolean
  /** How far the panel's clock is off, ms. */
  readonly clockOffsetMs?: number
  /** The last sequence number that was used. */
  readonly seq?: number
}

export interface Sending {
  /** `SIA-DCS` unless the data looks like Contact ID. */
  readonly id?: string
  /** Extension blocks, without brackets. */
  readonly ext?: readonly string[]
  /** Another sequence than the next one. */
  readonly seq?: string
  /** Another time than the panel's, ms since the epoch. */
  readonly at?: number
  /** The data as a whole; else `#account|` is put before it. */
  readonly whole?: boolean
  /** Without the account in the header. */
  readonly anonymous?: boolean
  /** In so many pieces, each a segment of its own. */
  readonly pieces?: number
  /** How long an answer is waited for before the next attempt, ms. */
  readonly withinMs?: number
  /** Attempts with the same bytes; default 1. */
  readonly attempts?: number
}

interface Waiting {
  readonly resolve: (answer: Answer | null) => void
  readonly timer: NodeJS.Timeout
}

/** An alarm communicator: it sends, waits for its answer, and sends the same again when none comes. */
export class Dc09Panel {
  readonly options: PanelOptions
  clockOffsetMs: number
  /** Every answer that came, in order. */
  readonly answers: Answer[] = []
  /** What was wrong with an answer: a panel drops it. */
  readonly faults: string[] = []
  /** How often the other side has closed the connection. */
  drops = 0
  /** The bytes sent last. */
  last: Buffer = Buffer.alloc(0)
  #seq: number
  #tcp: Socket | null = null
  #udp: UdpSocket | null = null

  #waiting: Waiting[] = []
  #supervision: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: PanelOptions) {
    this.options = options
    this.clockOffsetMs = options.clockOffsetMs ?? 0
    this.#seq = options.seq ?? 0
  }

  /** The bytes of the next message; each call takes a sequence number. */
  frame(data: string, sending: Sending = {}): Buffer {
    const { account, line = '0', receiver = null, key, binaryCrc = false, stamped = true } = this.options
    const id = sending.id ?? (/^[136][0-9A-F]{3} /i.test(data) ? 'ADM-CID' : 'SIA-DCS')
    const seq = sending.seq ?? this.#next(id)
    const payload = sending.whole || data === '' ? data : `#${account}|${data}`
    const time = timeText(sending.at ?? Date.now() + this.clockOffsetMs)
    const blocks = (sending.ext ?? []).map((block) => `[${block}]`).join('')
    const from = `${receiver === null ? '' : `R${receiver}`}${line === null ? '' : `L${line}`}${sending.anonymous ? '' : `#${account}`}`
    const content = `${payload}]${blocks}${key || stamped ? time : ''}`
    const body = key
      ? `"*${id}"${seq}${from}[${enciphered(content, key, payload !== '')}`
      : `"${id}"${seq}${from}[${content}`
    return wrap(body, { binaryCrc })
  }

  /** Sends one message; null when no answer came to any attempt. */
  send(data: string, sending: Sending = {}): Promise<Answer | null> {
    return this.transmit(this.frame(data, sending), sending)
  }

  /** Link supervision. */
  supervise(sending: Sending = {}): Promise<Answer | null> {
    return this.send('', { id: 'NULL', ...sending })
  }

  /** Supervises every so many ms until `close`. */
  superviseEvery(ms: number): void {
    this.#supervision = setInterval(() => void this.supervise(), ms)
  }

  /** The bytes sent last once more. */
  again(sending: Sending = {}): Promise<Answer | null> {
    return this.transmit(this.last, sending)
  }

  /** Several messages in one segment; their answers in the order in which they came. */
  async together(frames: readonly Buffer[], withinMs = 2_000): Promise<(Answer | null)[]> {
    const expected = frames.map(() => this.#expect(withinMs))
    await this.#put(Buffer.concat(frames))
    return Promise.all(expected)
  }

  /** Any bytes, and the answer to them. */
  async transmit(
    bytes: Buffer,
    { pieces = 1, withinMs = 2_000, attempts = 1 }: Sending = {},
  ): Promise<Answer | null> {
    this.last = bytes
    for (let attempt = 0; attempt < attempts && !this.#closed; attempt++) {
      const answer = this.#expect(withinMs)
      const size = Math.ceil(bytes.length / pieces)
      for (let at = 0; at < bytes.length; at += size) {
        await this.#put(bytes.subarray(at, at + size))
        // A turn for the network, so that each piece is a segment of its own.
        if (pieces > 1) await new Promise((resolve) => setImmediate(resolve))
      }
      const came = await answer
      if (came) return came
    }
    return null
  }

  /** Opens the connection, where that is wanted before the first message. */
  async connect(): Promise<void> {
    await this.#socket()
  }

  get connected(): boolean {
    return this.#tcp !== null && !this.#tcp.destroyed
  }

  /** Cuts the connection; the next message opens a new one. */
  cut(): void {
    this.#tcp?.resetAndDestroy()
    this.#tcp = null
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#supervision) clearInterval(this.#supervision)
    for (const { resolve, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer)
      resolve(null)
    }
    const [tcp, udp] = [this.#tcp, this.#udp]
    this.#tcp = null
    this.#udp = null
    if (tcp && !tcp.destroyed) {
      const closed = new Promise((resolve) => tcp.once('close', resolve))
      tcp.destroy()
      await closed
    }
    if (udp) await new Promise<void>((resolve) => udp.close(() => resolve()))
  }

  #next(id: string): string {
    if (id === 'NULL') return '0000'
    this.#seq = (this.#seq % 9_999) + 1
    return String(this.#seq).padStart(4, '0')
  }

  #expect(withinMs: number): Promise<Answer | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((each) => each.timer !== timer)
        resolve(null)
      }, withinMs)
      this.#waiting.push({ resolve, timer })
    })
  }

  #hear(bytes: Buffer, reader: AnswerReader): void {
    try {
      for (const answer of reader.read(bytes)) {
        this.answers.push(answer)
        const waiting = this.#waiting.shift()
        if (!waiting) continue
        clearTimeout(waiting.timer)
        waiting.resolve(answer)
      }
    } catch (error) {
      this.faults.push((error as Error).message)
    }
  }

  async #put(bytes: Buffer): Promise<void> {
    const { host = '127.0.0.1', port, udp } = this.options
    if (this.#closed) return
    if (udp) {
      const socket = this.#datagrams()
      return new Promise((resolve) => socket.send(bytes, port, host, () => resolve()))
    }
    const socket = await this.#socket().catch(() => null)
    if (socket?.writable) socket.write(bytes)
  }

  #datagrams(): UdpSocket {
    if (this.#udp) return this.#udp
    const socket = createSocket('udp4')
    socket.on('error', () => {})
    // Each datagram is whole: nothing of one belongs to the next.
    socket.on('message', (bytes) => this.#hear(bytes, new AnswerReader(this.options.key ?? null)))
    this.#udp = socket
    return socket
  }

  async #socket(): Promise<Socket> {
    if (this.#tcp && !this.#tcp.destroyed && this.#tcp.writable) return this.#tcp
    const { host = '127.0.0.1', port, key } = this.options
    const socket = connect({ host, port, noDelay: true })
    const reader = new AnswerReader(key ?? null)
    socket.on('data', (bytes: Buffer) => this.#hear(bytes, reader))
    this.#tcp = socket
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#tcp === socket) {
        this.drops++
        this.#tcp = null
      }
    })
    return socket
  }
}

export const dc09Panel = (options: PanelOptions): Dc09Panel => new Dc09Panel(options)
