import { z } from 'zod'
import type { Fact, Json } from '../../core/fact.ts'
import { counted } from './codec.ts'

/** What the server says about the level of an input. */
export interface Sample {
  /** After comparing with what means pressed; null: unknown. */
  readonly active: boolean | null
  /** SourceTimestamp, ms since the epoch; null where the server has none. */
  readonly at: number | null
  /** The queue was too short: changes before this one are lost. */
  readonly overflow: boolean
  /** The first of a subscription: nobody listened before it. */
  readonly first: boolean
  readonly value: Json
}

const Cursor = z.object({
  counter: z.number().nullable(),
  /** When counting began, ms since the epoch: it makes keys of counts unique across restarts of the device. */
  since: z.number(),
  level: z.boolean(),
  /** SourceTimestamp of the activation that was told last. */
  at: z.number().nullable(),
  /** The highest that a key was made of: a device whose clock went back makes the same times twice. */
  top: z.number(),
  /** Key of the press whose end has not been told yet. */
  press: z.string().nullable(),
  /** The server makes a new SourceTimestamp with each reading, so that it tells nothing about activations. */
  restamps: z.boolean(),
})
type Cursor = z.infer<typeof Cursor>

interface Settings {
  readonly device: string
  /** The node, for `raw` and `from`. */
  readonly node: string
  readonly counts: boolean
  /** How far level and counter of one press may be told apart, ms. */
  readonly apartMs: number
}

/** Readings in a row that differ in nothing but their time, until a server counts as one that restamps. */
const restampedAfter = 3

/** One input: turns what the server tells into presses and their ends. Pure: it knows no wire, and is told the time. */
export class Contact {
  readonly #settings: Settings
  #cursor: Cursor
  /** A press that was seen by its level and not yet in the counter; it may be counted once without being another. */
  #owed = false
  #releasedAt = Number.NEGATIVE_INFINITY
  /** When a press was last seen in the counter alone; a level that follows at once is the same. */
  #countedAt = Number.NEGATIVE_INFINITY
  #lastRead: { readonly at: number | null; readonly times: number } | null = null
  /** The last level was good enough to know. */
  #known = false
  #value: Json = null
  /** The counter went down with what was told last. */
  restarted = false
  /** The cursor has moved without a fact that would carry it. */
  moved = false

  constructor(settings: Settings, stored: Json | undefined, now: number) {
    this.#settings = settings
    const cursor = Cursor.safeParse(stored)
    this.#cursor = cursor.success
      ? cursor.data
      : { counter: null, since: now, level: false, at: null, top: 0, press: null, restamps: false }
  }

  get cursor(): Json {
    return { ...this.#cursor }
  }

  /** Pressed, as far as the last known level said. */
  get active(): boolean {
    return this.#cursor.level
  }

  /** The last level, where it is known. */
  get known(): boolean {
    return this.#known
  }

  /** Takes in a level and returns what it says that is new, in order. */
  level(sample: Sample, now: number): Fact[] {
    const facts: Fact[] = []
    this.#value = sample.value
    this.#known = sample.active !== null
    this.#lastRead = null
    // With a counter nothing is lost with the queue: the counter tells how many.
    const lost = sample.overflow && !this.#settings.counts
    if (sample.active === true && (!this.#cursor.level || lost || this.#again(sample)))
      this.#rise(sample, now, facts)
    else if (lost) this.#begin(this.#keyAt(sample.at, now), facts, { overflow: true })
    if (sample.active === false) this.#end(now, facts)
    return facts
  }

  /** Takes in the counter; its type says how many bits it has. */
  count(counter: number, bits: number, now: number): Fact[] {
    const facts: Fact[] = []
    this.restarted = false
    const presses = this.#count(counter, bits, now)
    if (presses === 0) return facts
    if (!this.#cursor.level) this.#countedAt = now
    this.#begin(`${this.#cursor.since}+${counter}`, facts, presses > 1 ? { presses } : {})
    return facts
  }

  /** The end of a press that only the counter has shown: its level could have come by now. */
  rest(now: number): Fact[] {
    const facts: Fact[] = []
    if (this.#known && !this.#cursor.level && now - this.#countedAt > this.#settings.apartMs)
      this.#close(facts)
    return facts
  }

  /** A reading in between, of a value that has not changed: shows servers whose timestamps are of no use. */
  still(at: number | null): void {
    if (this.#cursor.restamps || at === null) return
    const moved = this.#lastRead !== null && this.#lastRead.at !== at
    const times = moved ? (this.#lastRead?.times ?? 0) + 1 : (this.#lastRead?.times ?? 0)
    this.#lastRead = { at, times }
    if (times < restampedAfter) return
    this.#cursor.restamps = true
    this.moved = true
  }

  /** Active now and before, but not the same activation: it was let go and pressed again while nobody listened. */
  #again({ at, first }: Sample): boolean {
    if (!first || this.#cursor.restamps || this.#settings.counts) return false
    return at !== null && this.#cursor.at !== null && at > this.#cursor.at
  }

  #rise(sample: Sample, now: number, facts: Fact[]): void {
    const again = this.#cursor.level
    const key = this.#keyAt(sample.at, now)
    this.#cursor.at = sample.at
    if (!again && now - this.#countedAt <= this.#settings.apartMs) {
      this.#countedAt = Number.NEGATIVE_INFINITY
      this.#cursor.level = true
      this.moved = true
      return
    }
    this.#cursor.level = true
    this.#owed = this.#settings.counts
    const occurred = sample.at !== null && !this.#cursor.restamps ? { occurredAt: sample.at } : {}
    this.#begin(key, facts, sample.overflow ? { overflow: true } : {}, occurred)
  }

  /** The time of the device makes a press the same after a restart of ours; a time that is not new makes no key by itself. */
  #keyAt(at: number | null, now: number): string {
    if (at === null || this.#cursor.restamps) return `${now}`
    if (at <= this.#cursor.top) return `${at}/${now}`
    this.#cursor.top = at
    return `${at}`
  }

  /** New presses in the counter. */
  #count(counter: number, bits: number, now: number): number {
    const before = this.#cursor.counter
    if (before === counter) return 0
    this.#cursor.counter = counter
    this.moved = true
    if (before === null) {
      this.#cursor.since = now
      return 0
    }
    const { presses, restarted } = counted(before, counter, bits)
    if (restarted) {
      this.restarted = true
      this.#cursor.since = now
      this.#countedAt = Number.NEGATIVE_INFINITY
      this.#owed = false
    }
    if (!this.#owed || presses === 0) return presses
    this.#owed = false
    const stillTheSame = this.#cursor.level || now - this.#releasedAt <= this.#settings.apartMs
    return stillTheSame ? presses - 1 : presses
  }

  #begin(
    key: string,
    facts: Fact[],
    more: { presses?: number; overflow?: true },
    occurred: { occurredAt?: number } = {},
  ): void {
    const before = this.#cursor.press
    this.#cursor.press = `${this.#settings.device}/${key}`
    facts.push({ is: 'press', phase: 'active', ...occurred, ...this.#said(this.#cursor.press, more) })
    // After the press, not before it: the cursor of a fact may hold nothing that is not recorded yet.
    if (before !== null) facts.push(this.#restored(before))
  }

  #end(now: number, facts: Fact[]): void {
    if (this.#cursor.level) {
      this.#releasedAt = now
      this.#cursor.level = false
      this.moved = true
    }
    this.#close(facts)
  }

  #close(facts: Fact[]): void {
    const key = this.#cursor.press
    if (key === null) return
    this.#cursor.press = null
    facts.push(this.#restored(key))
  }

  #restored(key: string): Fact {
    return { is: 'press', phase: 'restored', ...this.#said(`${key}/restored`, {}) }
  }

  #said(key: string, more: { presses?: number; overflow?: true }) {
    this.moved = false
    const { device, node } = this.#settings
    const raw = { node, value: this.#value, counter: this.#cursor.counter, ...more }
    return { device, from: `${device}, ${node}`, key, raw, cursor: this.cursor }
  }
}
