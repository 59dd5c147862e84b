import { z } from 'zod'
import type { Fact, Json } from '../../core/fact.ts'
import type { DoorState } from './codec/input.ts'
import { Keys, Last } from './keys.ts'

const Open = z.object({
  /** Key of the trouble, until its end is told. */
  key: z.string(),
  /** Which of the door's sensors say it. */
  sensors: z.array(z.string()),
})
const Cursor = z.object({ open: z.record(z.string(), Open), last: Last })

interface Settings {
  readonly device: string
  readonly at: string
  readonly session: () => number
}

/** One door: forced, held open, tampered with, broken. Each is told when it begins and when it ends. */
export class Doorway {
  readonly #settings: Settings
  readonly #keys: Keys
  #open: Readonly<Record<string, z.infer<typeof Open>>>
  #known = false

  constructor(settings: Settings, stored: Json | undefined) {
    this.#settings = settings
    const cursor = Cursor.safeParse(stored)
    this.#open = cursor.success ? cursor.data.open : {}
    this.#keys = new Keys(settings.session, cursor.success ? cursor.data.last : null)
  }

  get cursor(): Json {
    return { open: { ...this.#open }, last: this.#keys.last }
  }

  /** The device has said something of this door since the last gap. */
  get known(): boolean {
    return this.#known
  }

  forget(): void {
    this.#known = false
  }

  read(states: readonly DoorState[], reason: string | null, at: number): Fact[] {
    this.#known = true
    return states.flatMap(({ trouble, sensor, is }) => {
      const open = this.#open[trouble]
      const others = (open?.sensors ?? []).filter((other) => other !== sensor)
      // What a sensor doesn't know is neither so nor over.
      if (is === null) return []
      if (is) return this.#begin(trouble, [...others, sensor], reason, at)
      if (open === undefined) return []
      if (others.length > 0) this.#open = { ...this.#open, [trouble]: { ...open, sensors: others } }
      return others.length > 0 ? [] : this.#end(trouble, open.key, at)
    })
  }

  #begin(trouble: DoorState['trouble'], sensors: string[], reason: string | null, at: number): Fact[] {
    const known = this.#open[trouble]
    const key = known?.key ?? `${this.#settings.device}/${trouble}/${this.#keys.next(at)}`
    this.#open = { ...this.#open, [trouble]: { key, sensors } }
    if (known !== undefined) return []
    const words = reason === null ? {} : { words: reason }
    return [{ is: 'trouble', trouble, phase: 'active', ...words, ...this.#said(key, trouble, at) }]
  }

  #end(trouble: DoorState['trouble'], key: string, at: number): Fact[] {
    const { [trouble]: _, ...open } = this.#open
    this.#open = open
    return [{ is: 'trouble', trouble, phase: 'restored', ...this.#said(`${key}/restored`, trouble, at) }]
  }

  #said(key: string, trouble: string, occurredAt: number) {
    const { device, at } = this.#settings
    return { device, from: at, key, occurredAt, raw: { door: at, trouble }, cursor: this.cursor }
  }
}
