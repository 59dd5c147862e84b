import type { Context, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Fact, State } from '../../core/fact.ts'
import { type Account, accountName, neighbours } from './accounts.ts'
import { Beats } from './beats.ts'
import { open as decipher, seal } from './cipher.ts'
import {
  ack,
  type Content,
  duh,
  type Header,
  nak,
  readContent,
  readHeader,
  sealedAck,
  timeOf,
} from './codec.ts'
import { bodyOf, contextOf, factOf, type Message, toldIn, unreadableOf } from './facts.ts'
import type { Cut } from './frame.ts'
import type { Config, Input } from './index.ts'
import { Refusals, type Why } from './refusals.ts'
import { Repeats } from './repeats.ts'

/** Who answers must not be answered: two receivers would never stop. */
const answers = new Set(['ACK', 'NAK', 'DUH', 'RSP'])

/** What becomes of each frame, whichever way it came: what is recorded, what is remembered, what is answered. */
export class Receiver {
  readonly #config: Config
  readonly #ctx: Context
  readonly #accounts: ReadonlyMap<string, Account>
  readonly #repeats: Repeats
  readonly beats = new Beats()
  readonly refusals: Refusals
  /** Fire inputs as they were told last: what is known is said again with each sign of life. */
  readonly #fires = new Map<string, boolean>()
  /** Messages taken since the link opened. */
  taken = 0
  #closed = false

  constructor(
    { config, cursors }: Opening<Config, Input, never>,
    ctx: Context,
    accounts: ReadonlyMap<string, Account>,
  ) {
    this.#config = config
    this.#ctx = ctx
    this.#accounts = accounts
    this.#repeats = new Repeats(cursors)
    this.refusals = new Refusals(ctx)
  }

  close(): void {
    this.#closed = true
  }

  /** The answer to what came in, null for none. Never rejects: what could not be recorded gets no answer. */
  async answer(cut: Cut): Promise<Buffer | null> {
    try {
      return cut.is === 'frame' ? await this.#frame(cut.body, cut.binaryCrc) : this.#heartbeat(cut.account)
    } catch (error) {
      const expected = error instanceof BridgeError
      this.#ctx.log[expected ? 'warn' : 'error']({ error: messageOf(error) }, 'a message was not recorded')
      return null
    }
  }

  async #frame(body: Buffer, binaryCrc: boolean): Promise<Buffer | null> {
    const header = readHeader(body)
    if (!header) {
      this.refusals.counts.damaged++
      return null
    }
    if (answers.has(header.id)) return null
    return header.encrypted ? this.#encrypted(header, binaryCrc) : this.#plain(header, binaryCrc)
  }

  async #plain(header: Header, binaryCrc: boolean): Promise<Buffer | null> {
    const content = readContent(header.rest)
    // The header's account decides; where it is missing, that of the data does.
    const name = header.account ?? content?.dataAccount ?? null
    const account = this.#accounts.get(accountName(name ?? '')) ?? null
    const beat = content && this.beats.pressIn(content.payload)
    if (beat) await this.#ctx.record(beat)
    else if (account && account.key !== null) return this.#refuse(header, binaryCrc, account.name, 'plain')
    else if (!content) return this.#refuse(header, binaryCrc, name ?? '', 'format')
    else {
      const taken = await this.#take({ header, content, account, name: name ?? 'without number' })
      if (!taken) return duh(header, name, binaryCrc)
    }
    return ack(header, name, binaryCrc)
  }

  async #encrypted(header: Header, binaryCrc: boolean): Promise<Buffer | null> {
    const name = header.account ?? ''
    const account = this.#accounts.get(accountName(name)) ?? null
    const key = account?.key ?? null
    if (!account || key === null) return this.#refuse(header, binaryCrc, name, 'no key')
    const opened = key === 'unusable' ? null : decipher(header.rest, key)
    const content = opened && readContent(opened.content)
    if (key === 'unusable' || !content) return this.#refuse(header, binaryCrc, account.name, 'key')
    if (!this.#isInTime(content)) {
      this.refusals.add(account, name, 'time')
      return nak(this.#ctx.clock.now(), binaryCrc)
    }
    const taken = await this.#take({ header, content, account, name })
    if (!taken) return duh(header, name, binaryCrc)
    return sealedAck(header, binaryCrc, this.#ctx.clock.now(), (text) => seal(text, key))
  }

  /** Clause 5.5.1.9: at most 20 s ahead of us and 40 s behind, unless the config says otherwise. */
  #isInTime({ timestamp }: Content): boolean {
    // In whole seconds, as it is written.
    const now = Math.floor(this.#ctx.clock.now() / 1_000) * 1_000
    const offset = timestamp === null ? null : (timeOf(timestamp) as number) - now
    const { ahead, behind } = this.#config.window
    return offset !== null && offset <= ahead && offset >= -behind
  }

  /** Takes a message in; false when it is not to be acknowledged. Rejects when it is not on disk. */
  async #take(message: Message): Promise<boolean> {
    const { header, content, account } = message
    const isEvent = header.id === 'SIA-DCS' || header.id === 'ADM-CID'
    if (!isEvent && header.id !== 'NULL') {
      this.refusals.add(account, message.name, 'format')
      return false
    }
    this.#alive(message)
    const isKnown = account !== null || this.#config['unknown-accounts'] === 'ack'
    if (!isEvent) return isKnown
    if (content.payload.trim() === '') return false
    const isReadable = await this.#record(message)
    this.taken++
    return isKnown && isReadable
  }

  /** Whatever a panel says proves that it is there, and how far its clock is off. */
  #alive({ account, content }: Message): void {
    if (this.#closed) return
    this.#ctx.heard()
    if (!account) return
    this.refusals.taken(account.name)
    const sentAt = content.timestamp === null ? null : timeOf(content.timestamp)
    const clockOffsetMs = sentAt === null ? {} : { clockOffsetMs: sentAt - this.#ctx.clock.now() }
    for (const { device } of account.devices) {
      const active = this.#fires.get(device)
      this.#ctx.note(device, {
        quality: 'good',
        ...clockOffsetMs,
        ...(active !== undefined && { active }),
      })
    }
  }

  async #record(message: Message): Promise<boolean> {
    const now = this.#ctx.clock.now()
    const { header, content, name } = message
    const { events, readable } = toldIn(message, this.#config.codes)
    const { key, entry } = this.#repeats.keyOf(
      {
        account: accountName(name),
        seq: header.seq,
        body: bodyOf(message),
        timestamp: content.timestamp,
        cipher: header.encrypted ? header.rest : null,
      },
      now,
    )
    const facts = readable
      ? events.map((told, nth) => factOf(message, told, nth === 0 ? key : `${key} #${nth}`, now))
      : [unreadableOf(message, key, now)]
    events.forEach((told, nth) => {
      const { meaning } = told
      const device = facts[nth]?.device ?? null
      if (meaning.is === 'context') this.#context(message, told, now)
      else if (meaning.is === 'press' && meaning.fire && device !== null)
        this.#fires.set(device, meaning.phase === 'active')
    })
    const offered = facts.flatMap((fact) => (fact ? this.#ctx.record(this.#withCursor(fact, entry)) : []))
    const settled = await Promise.allSettled(offered)
    for (const each of settled) if (each.status === 'rejected') throw each.reason
    return readable
  }

  #withCursor(fact: Fact, entry: ReturnType<Repeats['keyOf']>['entry']): Fact {
    return fact.device === null ? fact : { ...fact, cursor: this.#repeats.cursorOf(fact.device, entry) }
  }

  #context(message: Message, told: Parameters<typeof contextOf>[1], now: number): void {
    if (this.#closed || !message.account) return
    const state: State = { quality: 'good', context: { words: contextOf(message, told), at: now } }
    for (const device of neighbours(message.account, told.event)) this.#ctx.note(device, state)
  }

  /** A Sur-Gard style heartbeat has no answer of the standard; its senders wait for this one. */
  #heartbeat(written: string): Buffer | null {
    const account = this.#accounts.get(accountName(written.replace(/X+$/i, '')))
    if (!account || account.key !== null || this.#closed) return null
    this.#ctx.heard()
    for (const { device } of account.devices) this.#ctx.note(device, { quality: 'good' })
    return Buffer.from('"ACK"')
  }

  #refuse(header: Header, binaryCrc: boolean, name: string, why: Why): Buffer {
    const account = this.#accounts.get(accountName(name)) ?? null
    this.refusals.add(account, name || 'without number', why)
    return duh(header, header.account, binaryCrc)
  }
}
