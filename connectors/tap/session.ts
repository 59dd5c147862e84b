import type { Clock, Timer } from '../../core/clock.ts'
import { chars, Decoder, type Page, pageOf, type Said } from './codec.ts'

/** Half a block is forgotten after so long a silence, ms: the sender tells it again. */
const silentMs = 10_000
/** A message that does not go on is taken as it is after this, ms. */
const unfinishedMs = 30_000
/** A block or a log-in that is wrong so often in a row ends the session: the sender starts anew. */
const wrongMax = 3
/** A message of more characters than this is cut: core reads 1,000. */
const messageMax = 4_096

const code = String.fromCharCode
const answers = {
  id: 'ID=',
  ack: `${code(chars.ACK)}\r`,
  nak: `${code(chars.NAK)}\r`,
  goAhead: `${code(chars.ESC)}[p\r`,
  disconnect: `${code(chars.ESC)}${code(chars.EOT)}\r`,
}

/** What a session is given. */
export interface Around {
  readonly clock: Clock
  write(text: string): void
  /** Something of the protocol came: somebody who speaks it is there. */
  alive(): void
  /** Resolves when the page is on disk. */
  take(page: Page): Promise<void>
  /** A page could not be taken in, or did not come through. */
  failed(what: 'garbled' | 'unrecorded', error?: unknown): void
}

/** One sender's conversation with us as its paging terminal (TAP 1.8, 3.0). */
export class Session {
  readonly #around: Around
  readonly #decoder = new Decoder()
  #loggedIn = false
  /** The block that is on its way to the disk. Its repeats are answered with it. */
  #recording: string | null = null
  /** What else came meanwhile, when the sender has given up on that block. */
  #next: Said | null = null
  #knocked = false
  #wrong = 0
  /** The blocks of a message that goes on, and the last of them. */
  #begun = ''
  #last = ''
  /** The page that a block of this session has completed. */
  #done: { readonly block: string; readonly page: Page } | null = null
  #timer: Timer | null = null

  constructor(around: Around) {
    this.#around = around
  }

  hear(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const said = this.#decoder.take(byte)
      if (!said) continue
      if (this.#recording === null) this.#answer(said)
      else if (said.is !== 'block' || said.body !== this.#recording) this.#next = said
    }
    this.#watch()
  }

  /** The sender is gone. */
  over(): void {
    this.#timer?.cancel()
    this.#takeUnfinished()
  }

  #watch(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#decoder.busy)
      this.#timer = this.#around.clock.after(silentMs, () => {
        this.#decoder.reset()
        this.#watch()
      })
    else if (this.#begun !== '' && this.#recording === null)
      this.#timer = this.#around.clock.after(unfinishedMs, () => this.#takeUnfinished())
  }

  #answer(said: Said): void {
    const knockedBefore = this.#knocked
    this.#knocked = said.is === 'knock'
    switch (said.is) {
      case 'knock':
        // In a session one carriage return too many is common; a sender that starts anew knocks again.
        if (this.#loggedIn && !knockedBefore) return
        this.#logOut()
        this.#around.write(answers.id)
        return
      case 'line':
        this.#logIn(said.text)
        return
      case 'block':
        if (!this.#loggedIn) this.#around.write(answers.disconnect)
        else if (said.intact) this.#takeBlock(said.body, said.more)
        else this.#refuse()
        return
      case 'bye':
        if (!this.#loggedIn) return
        this.#around.alive()
        this.#logOut()
        this.#around.write(answers.disconnect)
    }
  }

  #logIn(line: string): void {
    // ESC, two letters of the service, one of the terminal, and a password that nothing here needs.
    if (line.charCodeAt(0) !== chars.ESC || !/^[A-Z]{2}./.test(line.slice(1))) {
      if (!this.#loggedIn) this.#refuse()
      return
    }
    this.#logOut()
    this.#loggedIn = true
    this.#around.alive()
    this.#around.write(answers.ack)
    this.#around.write(answers.goAhead)
  }

  #logOut(): void {
    this.#takeUnfinished()
    this.#loggedIn = false
    this.#done = null
    this.#wrong = 0
  }

  #refuse(): void {
    this.#wrong++
    if (this.#wrong < wrongMax) {
      this.#around.write(answers.nak)
      return
    }
    if (this.#loggedIn) this.#around.failed('garbled')
    this.#logOut()
    this.#around.write(answers.disconnect)
  }

  #takeBlock(body: string, more: boolean): void {
    this.#wrong = 0
    this.#around.alive()
    if (more) {
      // Our answer may have been lost: the same block once more is a repeat.
      if (body !== this.#last) this.#begun = (this.#begun + body).slice(0, messageMax)
      this.#last = body
      this.#around.write(answers.ack)
      return
    }
    const repeats = this.#begun === '' && this.#done?.block === body
    const page = repeats && this.#done ? this.#done.page : pageOf(this.#begun + body)
    this.#recording = body
    this.#around.take(page).then(
      () => {
        this.#begun = ''
        this.#last = ''
        this.#done = { block: body, page }
        this.#goOn(answers.ack)
      },
      (error: unknown) => {
        this.#around.failed('unrecorded', error)
        this.#goOn(answers.nak)
      },
    )
  }

  /** An answer that nobody waits for any more would be taken for one to something else. */
  #goOn(answer: string): void {
    const next = this.#next
    this.#recording = null
    this.#next = null
    if (next) this.#answer(next)
    else this.#around.write(answer)
    this.#watch()
  }

  /** Of what we have acknowledged nothing is lost, also when the rest never comes. */
  #takeUnfinished(): void {
    if (this.#begun === '' || this.#recording !== null) return
    const page = pageOf(this.#begun)
    this.#begun = ''
    this.#last = ''
    this.#around.take(page).catch((error: unknown) => this.#around.failed('unrecorded', error))
  }
}
