import type { Clock, Timer } from '../../core/clock.ts'
import { type Call, callOf, chars, Decoder, type Said } from './codec.ts'

/** A station that was polled selects within this time, ms. */
const handshakeMs = 2_500
/** A station that has selected us sends its block within this time, ms. */
const blockMs = 15_000

/** How the control station selects us: after it polled itself (ESPA 4.4.4, 3.2), or by our address alone. */
export type Selects = 'after-poll' | 'direct'

/** What a session is given. */
export interface Around {
  readonly clock: Clock
  /** Our own address. */
  readonly address: string
  readonly bits: 7 | 8
  readonly selects: Selects
  write(text: string): void
  /** Somebody polls: the line and the control station are alive. */
  alive(): void
  /** Resolves when the call is on disk. */
  take(call: Call): Promise<void>
  /** A block did not come through, or could not be taken in. */
  failed(what: 'garbled' | 'unrecorded', error?: unknown): void
}

const code = String.fromCharCode

/** One line on which we are the station that displays calls, a slave in the words of ISO 1745. */
export class Session {
  readonly #around: Around
  readonly #decoder: Decoder
  /** idle: a poll comes next. polled: another station may select now. selected: we are the receiver. */
  #state: 'idle' | 'polled' | 'selected' = 'idle'
  /** The block on its way to the disk, while its sender waits for the answer. */
  #recording: { readonly body: string; awaited: boolean } | null = null
  #timer: Timer | null = null

  constructor(around: Around) {
    this.#around = around
    this.#decoder = new Decoder(around.bits)
  }

  hear(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const said = this.#decoder.take(byte)
      if (said) this.#answer(said)
    }
  }

  over(): void {
    this.#enter('idle')
  }

  #enter(state: 'idle' | 'polled' | 'selected'): void {
    this.#state = state
    this.#timer?.cancel()
    this.#timer = null
    if (state !== 'selected' && this.#recording) this.#recording.awaited = false
    if (state === 'idle') return
    this.#timer = this.#around.clock.after(state === 'polled' ? handshakeMs : blockMs, () => {
      this.#decoder.reset()
      this.#enter('idle')
    })
  }

  #answer(said: Said): void {
    if (said.is === 'end') this.#enter('idle')
    else if (said.is === 'enquiry') this.#enquire(said.address)
    else if (this.#state === 'selected') this.#takeBlock(said.body, said.intact)
  }

  #enquire(address: string): void {
    this.#around.alive()
    const { selects, write } = this.#around
    if (address !== this.#around.address) {
      this.#enter('polled')
      return
    }
    if (this.#state !== 'polled' && selects === 'after-poll') {
      // We are polled, and have nothing to send.
      this.#enter('idle')
      write(code(chars.EOT))
      return
    }
    // While a call is on its way to the disk we are not ready (3.2): no answer to it may be taken for one to the next.
    this.#enter(this.#recording ? 'idle' : 'selected')
    write(this.#recording ? `${address}${code(chars.NAK)}` : code(chars.ACK))
  }

  #takeBlock(body: string, intact: boolean): void {
    this.#enter('selected')
    if (this.#recording) {
      // The same once more is answered with the first; anything else is told again by who gets no answer.
      if (body !== this.#recording.body) this.#recording.awaited = false
      return
    }
    if (!intact) {
      this.#around.failed('garbled')
      this.#around.write(code(chars.NAK))
      return
    }
    const recording = { body, awaited: true }
    this.#recording = recording
    const settle = (answer: number) => {
      this.#recording = null
      if (recording.awaited) this.#around.write(code(answer))
    }
    this.#around.take(callOf(body)).then(
      () => settle(chars.ACK),
      (error: unknown) => {
        this.#around.failed('unrecorded', error)
        settle(chars.NAK)
      },
    )
  }
}
