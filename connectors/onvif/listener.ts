import { z } from 'zod'
import type { Context, Opening } from '../../core/connector.ts'
import type { Fact, Json } from '../../core/fact.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import type { Notice } from './codec/event.ts'
import { contactIn, doorIn, duressIn } from './codec/input.ts'
import { Contact } from './contact.ts'
import { Doorway } from './doorway.ts'
import { type Config, type Input, inputKindOf, type Output } from './index.ts'
import { Reader } from './reader.ts'

/** One input, whatever it is; each of the three kinds takes from a notice what is its own. */
interface Part {
  readonly cursor: Json
  readonly known: boolean
  /** Held down; undefined for what has no level. */
  readonly active?: boolean | undefined
  hear(notice: Notice, now: number): Fact[]
  forget(): void
}

/** What all listeners of a link share. */
interface Around {
  readonly host: string
  readonly config: Config
  readonly ctx: Context
  readonly ended: AbortSignal
  /** Unique to one life of the subscription. */
  readonly session: () => number
}

const Stored = z.object({ is: z.unknown() })

/** Between the events of a device and core: hands on what is new of one input, and remembers its level. */
export class Listener {
  readonly name: string
  readonly #part: Part
  readonly #outbox: Outbox
  readonly #ctx: Context
  /** The subscription, as the cursor keeps it. */
  #kept: Json = null

  constructor(name: string, part: (stored: Json | undefined) => Part, around: Around, cursor?: Json) {
    this.name = name
    this.#ctx = around.ctx
    this.#outbox = new Outbox(around.config, name, around.ctx, around.ended)
    const stored = Stored.safeParse(this.#outbox.last?.cursor ?? cursor)
    this.#part = part(stored.success ? (stored.data.is as Json) : undefined)
  }

  get known(): boolean {
    return this.#part.known
  }

  hear(notice: Notice): void {
    for (const fact of this.#part.hear(notice, this.#ctx.clock.now()))
      this.#outbox.put(
        fact.device === null ? fact : { ...fact, cursor: { is: fact.cursor ?? null, pull: this.#kept } },
      )
  }

  /** Another subscription, or another end of it: worth keeping, but never ahead of what is recorded. */
  keep(pull: Json): void {
    this.#kept = pull
    if (this.#outbox.last === undefined)
      this.#ctx.note(this.name, { cursor: { is: this.#part.cursor, pull } })
  }

  /** The device has answered: what is known of the input is fresh. */
  fresh(clockOffsetMs: number): void {
    const { known, active } = this.#part
    if (!known) this.#ctx.note(this.name, { quality: 'unknown' })
    else
      this.#ctx.note(this.name, {
        quality: 'good',
        clockOffsetMs,
        ...(active === undefined ? {} : { active }),
      })
  }

  forget(): void {
    this.#part.forget()
    this.#ctx.note(this.name, { quality: 'unknown' })
  }
}

/** The listeners of a link by what they listen to, and those for what nobody configured. */
export class Listeners {
  readonly all: readonly Listener[]
  readonly #by: Readonly<Record<'digital' | 'access-point' | 'door', Map<string, Listener>>>
  readonly #around: Around
  readonly #activeWhen: boolean
  readonly #strangers = new Map<string, Listener>()

  constructor({ inputs, cursors }: Opening<Config, Input, Output>, around: Around) {
    this.#around = around
    this.#by = { digital: new Map(), 'access-point': new Map(), door: new Map() }
    for (const [name, input] of inputs) {
      const { kind, token } = inputKindOf(input)
      const at = `${words[kind]} ${token} of ${around.host}`
      const part = (stored: Json | undefined) => makers[kind](name, at, input, around, stored)
      this.#by[kind].set(token, new Listener(name, part, around, cursors.get(name)))
    }
    this.all = Object.values(this.#by).flatMap((some) => [...some.values()])
    this.#activeWhen = [...inputs.values()].find(({ digital }) => digital !== undefined)?.active ?? true
  }

  /** Whether the device can be asked how any of them is. */
  get haveStates(): boolean {
    return this.#by.digital.size + this.#by.door.size > 0
  }

  /** The topics that they need, as a filter. */
  get topics(): string {
    const kinds = (Object.keys(topics) as (keyof typeof topics)[]).filter((kind) => this.#by[kind].size > 0)
    return kinds.map((kind) => topics[kind]).join('|')
  }

  /** Gives a notice to whom it concerns; what concerns nobody is dropped, unless it is a call. */
  hear(notice: Notice): void {
    const contact = contactIn(notice)
    if (contact !== null) this.#contact(contact.token)?.hear(notice)
    const duress = duressIn(notice)
    if (duress !== null) this.#reader(duress.token)?.hear(notice)
    const door = doorIn(notice)
    if (door !== null) this.#find('door', door.token)?.hear(notice)
  }

  /** A device that names no source has only one of the kind; then it is the only one that is configured. */
  #find(kind: keyof typeof words, token: string | null): Listener | undefined {
    const known = this.#by[kind]
    return token !== null ? known.get(token) : known.size === 1 ? [...known.values()][0] : undefined
  }

  #contact(token: string | null): Listener | undefined {
    if (token !== null || this.#by.digital.size < 2) return this.#find('digital', token)
    const at = `an input of ${this.#around.host} that it does not name`
    return this.#stranger(at, () => contactPart(null, at, { active: this.#activeWhen }, this.#around))
  }

  #reader(token: string | null): Listener | undefined {
    if (this.#by['access-point'].size === 0) return undefined
    const known = this.#find('access-point', token)
    if (known !== undefined) return known
    const at = `access point ${(token ?? 'unnamed').slice(0, 64)} of ${this.#around.host}`
    return this.#stranger(at, () => readerPart(null, at, {}, this.#around))
  }

  #stranger(at: string, part: () => Part): Listener | undefined {
    const known = this.#strangers.get(at)
    if (known !== undefined) return known
    // Names come from the device: beyond so many they are one.
    const name = this.#strangers.size < strangersMax ? at : `an access point of ${this.#around.host}`
    const made = this.#strangers.get(name) ?? new Listener(name, part, this.#around)
    this.#strangers.set(name, made)
    return made
  }
}

const strangersMax = 100

const topics = {
  digital: 'tns1:Device/Trigger/DigitalInput',
  'access-point': 'tns1:AccessControl/Duress//.',
  door: 'tns1:Door/State//.',
} as const

const words = { digital: 'input', 'access-point': 'access point', door: 'door' } as const

const contactPart = (
  device: string | null,
  at: string,
  { active = true, repeats = false }: Pick<Input, 'active' | 'repeats'>,
  { session }: Around,
  stored?: Json,
): Part => {
  const contact = new Contact({ device, at, activeWhen: active, repeats, session }, stored)
  return {
    get cursor() {
      return contact.cursor
    },
    get known() {
      return contact.known
    },
    get active() {
      return contact.active
    },
    hear: (notice, now) => {
      const heard = contactIn(notice)
      return heard === null
        ? []
        : contact.read({ operation: notice.operation, on: heard.on, at: notice.at }, now)
    },
    forget: () => contact.forget(),
  }
}

const readerPart = (
  device: string | null,
  at: string,
  { holders }: Pick<Input, 'holders'>,
  { session }: Around,
  stored?: Json,
): Part => {
  const reader = new Reader({ device, at, names: holders === 'name', session }, stored)
  return {
    get cursor() {
      return reader.cursor
    },
    // It has no state: as long as the subscription lives, it would be heard.
    known: true,
    hear: (notice, now) => {
      const heard = duressIn(notice)
      return heard === null ? [] : reader.read(heard, notice.at ?? now)
    },
    forget: () => {},
  }
}

const doorPart = (device: string, at: string, { session }: Around, stored?: Json): Part => {
  const doorway = new Doorway({ device, at, session }, stored)
  return {
    get cursor() {
      return doorway.cursor
    },
    get known() {
      return doorway.known
    },
    hear: (notice, now) => {
      const heard = doorIn(notice)
      return heard === null ? [] : doorway.read(heard.states, heard.reason, notice.at ?? now)
    },
    forget: () => doorway.forget(),
  }
}

const makers: Record<
  keyof typeof words,
  (device: string, at: string, input: Input, around: Around, stored: Json | undefined) => Part
> = {
  digital: contactPart,
  'access-point': readerPart,
  door: (device, at, _input, around, stored) => doorPart(device, at, around, stored),
}
