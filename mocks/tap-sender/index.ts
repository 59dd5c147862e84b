import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { openEnd } from '../pty.ts'
import { blocks, type Continued, spoilt, withParity } from './frame.ts'

/** What the paging terminal made of a page. */
export type Answer = 'acknowledged' | 'refused' | 'abandoned' | 'disconnected' | 'silence'

export interface Sending {
  readonly continued?: Continued
  /** So many times it is sent with a wrong checksum first. */
  readonly spoilt?: number
  /** So many times it is sent again when it is refused; default 2. */
  readonly retries?: number
}

export interface TapSenderOptions {
  /** How long an answer is waited for, ms; default 5,000. */
  readonly patienceMs?: number
  /** Sends even parity in the top bit, as a terminal server does that passes 8 bits on. */
  readonly parity?: boolean
}

const meanings: readonly (readonly [string, Answer])[] = [
  ['\u0006\r', 'acknowledged'],
  ['\u0015\r', 'refused'],
  ['\u001e\r', 'abandoned'],
  ['\u001b\u0004\r', 'disconnected'],
]

/** A nurse-call system that pages over TAP: it dials us. */
export class TapSender {
  readonly #line: Duplex
  readonly #patienceMs: number
  readonly #parity: boolean
  #heard = ''
  #wake: () => void = () => {}

  constructor(line: Duplex, { patienceMs = 5_000, parity = false }: TapSenderOptions = {}) {
    this.#line = line
    this.#patienceMs = patienceMs
    this.#parity = parity
    line.on('data', (bytes: Buffer) => {
      this.#heard += Buffer.from(bytes.map((char) => char & 0x7f)).toString('latin1')
      this.#wake()
    })
    line.on('error', () => {})
    line.on('close', () => this.#wake())
  }

  /** Over TCP, as through a terminal server. */
  static dial(port: number, options?: TapSenderOptions): Promise<TapSender> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      socket.once('error', reject)
      socket.once('connect', () => resolve(new TapSender(socket, options)))
    })
  }

  /** Over a serial line. */
  static wired(path: string, options?: TapSenderOptions): TapSender {
    return new TapSender(openEnd(path), options)
  }

  /** All that came and was not asked for yet. */
  get unread(): string {
    return this.#heard
  }

  send(text: string): void {
    if (this.#line.writable) this.#line.write(this.#parity ? withParity(text) : Buffer.from(text, 'latin1'))
  }

  /** Knocks until it is asked for its id, and tells it. Rejects when it is not told to go ahead. */
  async logIn(): Promise<void> {
    this.send('\r')
    await this.expect('ID=')
    this.send('\u001bPG1\r')
    await this.expect('\u001b[p\r')
  }

  async page(pager: string, text: string, sending: Sending = {}): Promise<Answer> {
    const { continued, retries = 2 } = sending
    let wrong = sending.spoilt ?? 0
    for (const block of blocks(pager, text, continued)) {
      let answer: Answer = 'refused'
      for (let attempt = 0; attempt <= retries && answer === 'refused'; attempt++) {
        this.send(wrong-- > 0 ? spoilt(block) : block)
        answer = await this.#answer()
      }
      if (answer !== 'acknowledged') return answer
    }
    return 'acknowledged'
  }

  /** Ends the session; resolves when the terminal has said goodbye. */
  async logOut(): Promise<void> {
    this.send('\u0004\r')
    await this.expect('\u001b\u0004\r')
  }

  /** Reads on up to `text`. Rejects when it does not come. */
  async expect(text: string): Promise<void> {
    const came = await this.#until(() => this.#heard.includes(text))
    if (!came) throw new Error(`expected ${JSON.stringify(text)}, but heard ${JSON.stringify(this.#heard)}`)
    this.#heard = this.#heard.slice(this.#heard.indexOf(text) + text.length)
  }

  hangUp(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#line.closed) return resolve()
      this.#line.once('close', () => resolve())
      this.#line.destroy()
    })
  }

  async #answer(): Promise<Answer> {
    const first = () =>
      meanings
        .map(([sign, answer]) => ({ at: this.#heard.indexOf(sign), sign, answer }))
        .filter(({ at }) => at >= 0)
        .sort((one, other) => one.at - other.at)[0]
    await this.#until(() => first() !== undefined)
    const found = first()
    if (!found) return 'silence'
    this.#heard = this.#heard.slice(found.at + found.sign.length)
    return found.answer
  }

  #until(enough: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (came: boolean) => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve(came)
      }
      const timer = setTimeout(() => settle(false), this.#patienceMs)
      this.#wake = () => {
        if (enough()) settle(true)
        else if (this.#line.destroyed) settle(false)
      }
      this.#wake()
    })
  }
}
