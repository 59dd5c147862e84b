import { z } from 'zod'
import type { Fact, Json } from '../../core/fact.ts'
import { Keys, Last } from './keys.ts'

const Cursor = z.object({
  active: z.boolean(),
  /** Key of the press whose end has not been told yet. */
  press: z.string().nullable(),
  /** The device's times of the last press and the last change, ms. */
  pressedAt: z.number().nullable(),
  movedAt: z.number().nullable(),
  last: Last,
})

/** One message about a contact. */
export interface Said {
  /** Initialized, Changed, Deleted; empty counts as Changed. */
  readonly operation: string
  /** The level as the device says it; null: it can't be read. */
  readonly on: boolean | null
  /** The device's time, ms; null where it gives none. */
  readonly at: number | null
}

interface Settings {
  /** null: events that name no input, where several are configured. */
  readonly device: string | null
  /** In words, for `from` and `raw`. */
  readonly at: string
  /** The level that means pressed. */
  readonly activeWhen: boolean
  /** The device says its state again and again: a change that is none is no evidence. */
  readonly repeats: boolean
  readonly session: () => number
}

/** Times closer than this are of one movement, ms: cameras tell whole seconds, and may tell a change and the state. */
const sameMs = 2_000

/**
 * One input contact: turns messages into presses. Pure: it knows no wire, and is told the time. What it was told goes
 * before what it saw: a change to where it was already is evidence of the movement between that never came.
 */
export class Contact {
  readonly #settings: Settings
  #cursor: z.infer<typeof Cursor>
  #known = false
  readonly #keys: Keys

  constructor(settings: Settings, stored: Json | undefined) {
    this.#settings = settings
    const cursor = Cursor.safeParse(stored)
    this.#cursor = cursor.success
      ? cursor.data
      : { active: false, press: null, pressedAt: null, movedAt: null, last: null }
    this.#keys = new Keys(settings.session, this.#cursor.last)
  }

  get cursor(): Json {
    return { ...this.#cursor }
  }

  get active(): boolean {
    return this.#cursor.active
  }

  /** The device has said its state since the last gap. */
  get known(): boolean {
    return this.#known
  }

  /** A gap: what happens now is not heard. */
  forget(): void {
    this.#known = false
  }

  /** Takes one message and returns what it says that is new, in order. */
  read({ operation, on, at }: Said, now: number): Fact[] {
    this.#known = operation !== 'Deleted' && on !== null
    if (!this.#known) return []
    const state = operation === 'Initialized'
    return on === this.#settings.activeWhen
      ? this.#pressed(state, at ?? now)
      : this.#released(state, at ?? now)
  }

  #pressed(isState: boolean, at: number): Fact[] {
    const { active, press, pressedAt } = this.#cursor
    if (!active) return [this.#begin(at, isState ? 'found pressed' : 'pressed')]
    const told = isState || this.#settings.repeats || near(at, pressedAt)
    if (told) return []
    // Its release never came.
    const begun = this.#begin(at, 'pressed again')
    return press === null ? [begun] : [begun, this.#restored(press)]
  }

  #released(isState: boolean, at: number): Fact[] {
    const { active, press, movedAt } = this.#cursor
    if (active) {
      this.#end(at)
      return press === null ? [] : [this.#restored(press)]
    }
    if (isState || this.#settings.repeats || at === movedAt) return []
    // Cameras have lost the rising edge and told only the falling one.
    const missed = this.#begin(at, 'a release without a press: it was missed')
    const key = this.#cursor.press as string
    this.#end(at)
    return [missed, this.#restored(key)]
  }

  #begin(at: number, how: string): Fact {
    const { device, at: where } = this.#settings
    const key = `${device ?? where}/${this.#keys.next(at)}`
    this.#cursor = { active: true, press: key, pressedAt: at, movedAt: at, last: this.#keys.last }
    return { is: 'press', phase: 'active', occurredAt: at, ...this.#said(key, how) }
  }

  #end(at: number): void {
    this.#cursor = { ...this.#cursor, active: false, press: null, movedAt: at }
  }

  #restored(key: string): Fact {
    return { is: 'press', phase: 'restored', ...this.#said(`${key}/restored`, 'released') }
  }

  #said(key: string, how: string) {
    const { device, at } = this.#settings
    return { device, from: at, key, raw: { input: at, how }, cursor: this.cursor }
  }
}

const near = (one: number, other: number | null): boolean => other !== null && Math.abs(one - other) < sameMs
