import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { openEnd } from '../pty.ts'
import { block, type Call } from './frame.ts'

/** What became of a call: the other side has it, got it garbled, was not ready, or said nothing. */
export type Answer = 'acknowledged' | 'refused' | 'not-ready' | 'silence'

export interface EspaStationOptions {
  /** Our address; default 1. */
  readonly address?: string
  /** The address of the paging side; default 2. */
  readonly them?: string
  /** Selects the paging side without polling itself before. */
  readonly direct?: boolean
  /** How long an answer is waited for, ms; default 5,000. */
  readonly patienceMs?: number
}

export interface Sending {
  /** So many times the block goes out with a wrong check character first. */
  readonly spoilt?: number
  /** So many times it is sent again when it is refused; default 2. */
  readonly retries?: number
  /** Leaves out the EOT at the end. */
  readonly stays?: boolean
}

const eot = '\u0004'
const enq = '\u0005'
const ack = 0x06
const nak = 0x15

/** A nurse-call system that is the control station of an ESPA 4.4.4 line. */
export class EspaStation {
  readonly #line: Duplex
  readonly #options: Required<EspaStationOptions>
  #heard = Buffer.alloc(0)
  #wake: () => void = () => {}
  #polling: NodeJS.Timeout | undefined

  constructor(line: Duplex, options: EspaStationOptions = {}) {
    this.#line = line
    this.#options = { address: '1', them: '2', direct: false, patienceMs: 5_000, ...options }
    line.on('data', (bytes: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
      this.#wake()
    })
    line.on('error', () => {})
    line.on('close', () => {
      clearInterval(this.#polling)
      this.#wake()
    })
  }

  /** Over TCP, as through a terminal server. */
  static dial(port: number, options?: EspaStationOptions): Promise<EspaStation> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new EspaStation(socket, options)))
    })
  }

  /** Over a serial line. */
  static wired(path: string, options?: EspaStationOptions): EspaStation {
    return new EspaStation(openEnd(path), options)
  }

  get unread(): Buffer {
    return this.#heard
  }

  send(bytes: Buffer | string): void {
    if (this.#line.writable) this.#line.write(bytes)
  }

  /** Asks the paging side whether it has something; true when it answers that it has not. */
  async poll(): Promise<boolean> {
    this.#heard = Buffer.alloc(0)
    this.send(`${this.#options.them}${enq}`)
    return (await this.#next()) === eot.charCodeAt(0)
  }

  /** Polls itself all the time, as a control station does that waits for calls. */
  pollItself(everyMs: number): void {
    this.#polling = setInterval(() => this.send(`${this.#options.address}${enq}${eot}`), everyMs)
  }

  stopPolling(): void {
    clearInterval(this.#polling)
  }

  async call(call: Call, { spoilt = 0, retries = 2, stays = false }: Sending = {}): Promise<Answer> {
    const selected = await this.#select()
    if (selected !== 'acknowledged') return selected
    let answer: Answer = 'refused'
    for (let attempt = 0; attempt <= retries && answer === 'refused'; attempt++) {
      const bytes = block(call)
      if (attempt < spoilt) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0x20
      this.send(bytes)
      answer = this.#answer(await this.#next())
    }
    if (!stays) this.send(eot)
    return answer
  }

  hangUp(): Promise<void> {
    clearInterval(this.#polling)
    return new Promise((resolve) => {
      if (this.#line.closed) return resolve()
      this.#line.once('close', () => resolve())
      this.#line.destroy()
    })
  }

  async #select(): Promise<Answer> {
    const { address, them, direct } = this.#options
    this.#heard = Buffer.alloc(0)
    this.send(`${direct ? '' : `${address}${enq}`}${them}${enq}`)
    const first = await this.#next()
    if (first !== them.charCodeAt(0)) return this.#answer(first)
    return (await this.#next()) === nak ? 'not-ready' : 'silence'
  }

  #answer(byte: number | null): Answer {
    if (byte === ack) return 'acknowledged'
    return byte === nak ? 'refused' : 'silence'
  }

  /** The next byte, or null when none comes in time. */
  #next(): Promise<number | null> {
    return new Promise((resolve) => {
      const settle = (byte: number | null) => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve(byte)
      }
      const timer = setTimeout(() => settle(null), this.#options.patienceMs)
      this.#wake = () => {
        const [byte] = this.#heard
        if (byte === undefined) {
          if (this.#line.destroyed) settle(null)
          return
        }
        this.#heard = this.#heard.subarray(1)
        settle(byte)
      }
      this.#wake()
    })
  }
}
