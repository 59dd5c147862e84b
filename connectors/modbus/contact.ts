import { z } from 'zod'
import type { Fact, Json } from '../../core/fact.ts'
import { counted } from './codec.ts'

/** What one reading says about an input; null: could not be read. */
export interface Reading {
  /** Level after polarity. */
  readonly level: boolean | null
  /** Level of the complementary contact as if it were this one: the same as `level` while the pair is sound. */
  readonly pair?: boolean | null
  readonly counter?: number | null
  /** What is wrong with a supervised loop; null: nothing. */
  readonly broken?: Exclude<Broken, 'pair'> | null
  /** The value of a supervised loop, in the unit of its bands. */
  readonly measured?: number
}

/** What can be wrong with the wires of an input. */
type Broken = keyof typeof troubles

const troubles = {
  pair: { trouble: 'fault', words: 'the two contacts contradict each other: a wire is cut or bridged' },
  open: { trouble: 'tamper', words: 'the loop is cut' },
  short: { trouble: 'tamper', words: 'the loop is bridged' },
  fault: { trouble: 'fault', words: 'the value of the loop is in none of its bands' },
} as const

const Cursor = z.object({
  counter: z.number().nullable(),
  /** When counting began, ms since the epoch: it makes keys of counts unique across restarts of the module. */
  since: z.number(),
  level: z.boolean(),
  /** Key of the press whose end has not been told yet. */
  press: z.string().nullable(),
  /** Key of the trouble that goes on. */
  fault: z.string().nullable(),
  /** Which one that is. */
  broken: z.enum(['pair', 'open', 'short', 'fault']).default('pair'),
})
type Cursor = z.infer<typeof Cursor>

/** How far level and counter of the same press may be read apart, ms: two polls of a slow module, shorter than a finger needs to press again. */
const apartMs = 100

interface Settings {
  readonly device: string
  /** In words, for `raw` and `from`. */
  readonly at: string
  readonly settleMs: number
}

/** One input: turns readings into presses and troubles. Pure: it knows no wire, and is told the time. */
export class Contact {
  readonly #settings: Settings
  #cursor: Cursor
  /** A press that was seen by its level and not yet in the counter; it may be counted once without being another. */
  #owed = false
  #releasedAt = Number.NEGATIVE_INFINITY
  /** When a press was last seen in the counter alone; a level that follows at once is the same. */
  #countedAt = Number.NEGATIVE_INFINITY
  #unequalSince: number | null = null
  #measured: number | undefined
  /** The counter went down in this reading. */
  restarted = false
  /** The cursor has moved without a fact that would carry it. */
  moved = false

  constructor(settings: Settings, stored: Json | undefined, now: number) {
    this.#settings = settings
    const cursor = Cursor.safeParse(stored)
    this.#cursor = cursor.success
      ? cursor.data
      : { counter: null, since: now, level: false, press: null, fault: null, broken: 'pair' }
  }

  get cursor(): Json {
    return { ...this.#cursor }
  }

  /** Pressed, as far as the last good reading said. */
  get active(): boolean {
    return this.#cursor.level
  }

  /** Whether the wires say what can't be: `changing` while the contacts of a pair may still settle. */
  get wires(): 'sound' | 'changing' | 'broken' {
    if (this.#cursor.fault !== null) return 'broken'
    return this.#unequalSince === null ? 'sound' : 'changing'
  }

  /** Takes one reading and returns what it says that is new, in order. */
  read(reading: Reading, now: number): Fact[] {
    const facts: Fact[] = []
    this.restarted = false
    this.#measured = reading.measured
    const level = this.#judgePair(reading, now, facts)
    const presses = this.#count(reading.counter ?? null, now)
    const rises = level === true && !this.#cursor.level
    if (presses > 0) this.#begin(`${this.#cursor.since}+${this.#cursor.counter}`, presses, level, now, facts)
    else if (rises && now - this.#countedAt <= apartMs) this.#continue()
    else if (rises) {
      this.#owed = reading.counter !== undefined
      this.#begin(`${now}`, 1, level, now, facts)
    }
    // One that was only counted has its end in the next reading: the level may have been read just before the press.
    if (level === false && (this.#cursor.level || presses === 0)) this.#end(now, facts)
    return facts
  }

  #judgePair({ level, pair, broken }: Reading, now: number, facts: Fact[]): boolean | null {
    if (broken !== undefined) this.#tell(broken, level, now, facts)
    if (pair === undefined || pair === null || level === null) return level
    if (level === pair) {
      this.#unequalSince = null
      this.#tell(null, level, now, facts)
      return level
    }
    this.#unequalSince ??= now
    if (now - this.#unequalSince >= this.#settings.settleMs) this.#tell('pair', level, now, facts)
    return null
  }

  /** What is wrong from now on; null: nothing. */
  #tell(broken: Broken | null, level: boolean | null, now: number, facts: Fact[]): void {
    const { fault: key, broken: before } = this.#cursor
    if (broken === (key === null ? null : before)) return
    if (key !== null) {
      this.#cursor.fault = null
      facts.push(this.#trouble('restored', `${key}/restored`, before, level))
    }
    if (broken === null) return
    this.#cursor.fault = `${this.#settings.device}/${broken}-${now}`
    this.#cursor.broken = broken
    facts.push(this.#trouble('active', this.#cursor.fault, broken, level))
  }

  /** New presses in the counter. */
  #count(counter: number | null, now: number): number {
    if (counter === null) return 0
    const before = this.#cursor.counter
    this.#cursor.counter = counter
    if (before === null) {
      this.#cursor.since = now
      this.moved = true
      return 0
    }
    const { presses, restarted } = counted(before, counter)
    if (restarted) {
      this.restarted = true
      this.moved = true
      this.#cursor.since = now
      // Whatever is active now counts as pressed after the restart.
      this.#cursor.level = false
      this.#countedAt = Number.NEGATIVE_INFINITY
      this.#owed = false
    }
    if (!this.#owed || presses === 0) return presses
    this.#owed = false
    this.moved = true
    const stillTheSame = this.#cursor.level || now - this.#releasedAt <= apartMs
    return stillTheSame ? presses - 1 : presses
  }

  #begin(key: string, presses: number, level: boolean | null, now: number, facts: Fact[]): void {
    const before = this.#cursor.press
    this.#cursor.press = `${this.#settings.device}/${key}`
    if (level === true) this.#cursor.level = true
    else if (!this.#cursor.level) this.#countedAt = now
    const count = presses > 1 ? { presses } : {}
    facts.push({
      is: 'press',
      phase: 'active',
      ...this.#said(this.#cursor.press, { ...this.#raw(level), ...count }),
    })
    // After the press, not before it: the cursor of a fact may hold nothing that is not recorded yet.
    if (before !== null) facts.push(this.#restored(before, level))
  }

  /** The level of a press that the counter has shown already. */
  #continue(): void {
    this.#cursor.level = true
    this.moved = true
    this.#countedAt = Number.NEGATIVE_INFINITY
  }

  #end(now: number, facts: Fact[]): void {
    if (this.#cursor.level) this.#releasedAt = now
    if (this.#cursor.level && this.#cursor.press === null) this.moved = true
    this.#cursor.level = false
    const key = this.#cursor.press
    if (key === null) return
    this.#cursor.press = null
    facts.push(this.#restored(key, false))
  }

  #restored(key: string, level: boolean | null): Fact {
    return { is: 'press', phase: 'restored', ...this.#said(`${key}/restored`, this.#raw(level)) }
  }

  #trouble(phase: 'active' | 'restored', key: string, broken: Broken, level: boolean | null): Fact {
    return { is: 'trouble', ...troubles[broken], phase, ...this.#said(key, this.#raw(level)) }
  }

  #raw(value: boolean | null) {
    const measured = this.#measured === undefined ? {} : { measured: this.#measured }
    return { address: this.#settings.at, value, counter: this.#cursor.counter, ...measured }
  }

  #said(key: string, raw: Json) {
    this.moved = false
    const { device, at } = this.#settings
    return { device, from: `${device}, ${at}`, key, raw, cursor: this.cursor }
  }
}
