import { z } from 'zod'
import type { Fact, Json } from '../../core/fact.ts'
import type { Quality } from './codec.ts'

/** One event as the server tells it (Part 5, 6.4.2; for conditions Part 9, 5.5.2 to 5.8.2). */
export interface Told {
  /** Hex. */
  readonly eventId: string
  readonly eventType: string
  readonly sourceNode: string
  readonly sourceName: string
  /** ms since the epoch; null where the server has none. */
  readonly time: number | null
  readonly message: string
  /** 1 to 1000. */
  readonly severity: number
  /** NodeId of the condition; null for an event that is none. */
  readonly condition: string | null
  readonly conditionName: string
  /** An earlier state of the condition that still waits for an acknowledgement. */
  readonly branch: boolean
  readonly retain: boolean | null
  readonly quality: Quality
  readonly enabled: boolean | null
  readonly acked: boolean | null
  readonly active: boolean | null
  /** When `active` became what it is, ms since the epoch. */
  readonly since: number | null
}

/** Which events are meant; what is left out does not matter. */
export interface Wanted {
  readonly source?: string | undefined
  readonly condition?: string | undefined
  readonly type?: string | undefined
  readonly severity: number
}

export const fits = (event: Told, { source, condition, type, severity }: Wanted): boolean =>
  event.severity >= severity &&
  (source === undefined || source === event.sourceName || source === event.sourceNode) &&
  (condition === undefined || condition === event.conditionName || condition === event.condition) &&
  (type === undefined || type === event.eventType)

const State = z.object({
  /** When it became active or inactive last, by the server's clock. */
  at: z.number().nullable(),
  active: z.boolean(),
  /** Key of the press whose end has not been told yet. */
  press: z.string().nullable(),
})
type State = z.infer<typeof State>

const Cursor = z.object({ conditions: z.record(z.string(), State) })

/** Conditions that one input remembers; of more the oldest that is over is forgotten. */
const conditionsMax = 100

/** The conditions of one event input: turns events into presses and their ends. Pure, and told the time. */
export class Conditions {
  readonly #device: string
  readonly #conditions: Map<string, State>
  /** Heard since a refresh began; null when none is under way. */
  #refreshed: Set<string> | null = null
  #unknown = new Set<string>()

  constructor(device: string, stored: Json | undefined) {
    this.#device = device
    const cursor = Cursor.safeParse(stored)
    this.#conditions = new Map(cursor.success ? Object.entries(cursor.data.conditions) : [])
  }

  get cursor(): Json {
    return { conditions: Object.fromEntries([...this.#conditions].map(([id, state]) => [id, { ...state }])) }
  }

  get active(): boolean {
    return [...this.#conditions.values()].some(({ active }) => active)
  }

  isActive(condition: string | null): boolean {
    return condition !== null && this.#conditions.get(condition)?.active === true
  }

  /** All conditions are enabled, and of good quality. */
  get known(): boolean {
    return this.#unknown.size === 0
  }

  /** Takes in one event and returns what it says that is new, in order. */
  hear(event: Told): Fact[] {
    const id = event.condition
    if (id === null) return [this.#press(event, `event/${event.eventId}`)]
    this.#refreshed?.add(id)
    if (event.quality !== 'good' || event.enabled === false) this.#unknown.add(id)
    else this.#unknown.delete(id)
    if (event.enabled === false) return []
    // A condition without ActiveState is of interest, and so active, while it is retained.
    return (event.active ?? event.retain) ? this.#rise(id, event) : this.#fall(id, event)
  }

  /** From here on the server tells every condition that it retains. */
  refresh(): void {
    this.#refreshed = new Set()
  }

  /** The server has told all: what it did not tell is over. */
  refreshed(): Fact[] {
    const told = this.#refreshed
    this.#refreshed = null
    if (!told) return []
    return [...this.#conditions].flatMap(([id, state]) => {
      if (told.has(id)) return []
      this.#unknown.delete(id)
      return state.active ? this.#end(id, state, null) : []
    })
  }

  #rise(id: string, event: Told): Fact[] {
    const known = this.#conditions.get(id)
    if (known && isNotNewer(event.since, known.at)) return []
    if (known?.active && (event.since === null || known.at === null)) return []
    const before = known?.press ?? null
    const key = this.#keyOf(id, event)
    // What a branch tells is over: the condition itself has moved on.
    // An event without a time forgets none: the time before it is still the newest that was told.
    const at = event.since ?? known?.at ?? null
    this.#put(id, { at, active: !event.branch, press: event.branch ? null : key })
    const press = this.#press(event, key)
    const over = [before, event.branch ? key : null].filter((each) => each !== null)
    return [press, ...over.map((each) => this.#restored(each, event))]
  }

  #fall(id: string, event: Told): Fact[] {
    const known = this.#conditions.get(id)
    if (known?.active) {
      if (event.branch) return []
      return this.#end(id, known, event)
    }
    // Not active, and nobody has acknowledged it: it was active while we were away.
    if (event.acked !== false || event.retain === false) return []
    if (known && (event.since === null || known.at === null || event.since <= known.at)) return []
    const key = this.#keyOf(id, event)
    this.#put(id, { at: event.since, active: false, press: null })
    return [this.#press(event, key), this.#restored(key, event)]
  }

  #end(id: string, { at, press }: State, event: Told | null): Fact[] {
    const since = event?.since ?? at
    this.#put(id, {
      at: at !== null && since !== null ? Math.max(at, since) : since,
      active: false,
      press: null,
    })
    return press === null ? [] : [this.#restored(press, event)]
  }

  #keyOf(id: string, { since, eventId }: Told): string {
    return `${id}/${since ?? eventId}`
  }

  #put(id: string, state: State): void {
    // The newest stands last.
    this.#conditions.delete(id)
    this.#conditions.set(id, state)
    if (this.#conditions.size <= conditionsMax) return
    const over = [...this.#conditions].find(([, { active }]) => !active) ?? [...this.#conditions][0]
    if (over) this.#conditions.delete(over[0])
  }

  #press(event: Told, key: string): Fact {
    return {
      is: 'press',
      phase: 'active',
      ...(event.time === null ? {} : { occurredAt: event.time }),
      ...this.#said(`${this.#device}/${key}`, event),
    }
  }

  #restored(key: string, event: Told | null): Fact {
    return { is: 'press', phase: 'restored', ...this.#said(`${this.#device}/${key}/restored`, event) }
  }

  #said(key: string, event: Told | null) {
    const raw: Json = event === null ? { over: 'not retained any more' } : { ...event }
    const source = event?.sourceName || event?.sourceNode
    const from = source ? `${this.#device}, ${source}` : this.#device
    return { device: this.#device, from, key, raw, cursor: this.cursor }
  }
}

/** Told already, or older than what was. */
const isNotNewer = (since: number | null, known: number | null): boolean =>
  since !== null && known !== null && since <= known
