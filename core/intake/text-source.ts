import { createHash } from 'node:crypto'
import { BoundedMap } from '../bounded.ts'
import type { Clock } from '../clock.ts'
import type { Context, Opening } from '../connector.ts'
import type { Press, Trouble } from '../fact.ts'
import {
  type About,
  alike,
  compileText,
  plain,
  type Reading,
  type TextInput,
  type TextReading,
} from './text.ts'

/** Texts remembered as heard; beyond it the oldest is forgotten, which can only make a repeat a press of its own. */
const textsMax = 5_000
/** Heartbeat marks that may still come in. */
const marksMax = 16
/** Words for an officer are cut here, characters. */
const wordsMax = 200

/** Gives the same text the same key for a time, counted from when it was first heard, and another one later. */
export class Repeats {
  readonly #ms: number
  readonly #clock: Clock
  readonly #heard = new BoundedMap<string, { readonly key: string; readonly at: number }>(textsMax)

  constructor(ms: number, clock: Clock) {
    this.#ms = ms
    this.#clock = clock
  }

  /** `turn` tells a call from one that has ended since. `id` is what the sender calls the message, where it does. */
  keyOf(parts: readonly string[], turn: number, id?: string): string {
    const now = this.#clock.now()
    const text = hashOf([...parts, String(turn)])
    const named = id === undefined ? undefined : hashOf([...parts, id])
    const before = named && this.#heard.get(named)
    if (before) return before.key
    const known = this.#heard.get(text)
    const repeated = known && now - known.at < this.#ms ? known.key : undefined
    // By the sender's name for it, or by the window rather than by the moment: heard once more after a restart, it gets the same key, or mostly does.
    const key = repeated ?? named ?? `${text}.${Math.floor(now / this.#ms)}`
    if (named) this.#remember(named, key, now)
    if (!repeated) this.#remember(text, key, now)
    return key
  }

  #remember(hash: string, key: string, at: number): void {
    this.#heard.delete(hash)
    this.#heard.set(hash, { key, at })
  }
}

/** Counts calls about the same thing: one that comes after the end of the last is another, however soon. */
class Turns {
  readonly #clock: Clock
  readonly #turns = new BoundedMap<string, { readonly phase: string; readonly at: number }>(textsMax)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** When the phase last changed, ms since the epoch; 0 when it has not since we started. */
  of(subject: string, phase: string): number {
    const known = this.#turns.get(subject)
    if (known?.phase === phase) return known.at
    const turn = { phase, at: known ? this.#clock.now() : 0 }
    this.#turns.delete(subject)
    this.#turns.set(subject, turn)
    return turn.at
  }
}

const hashOf = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)

/** The press that a reading is. `device` is null when the text names none that is configured. */
const pressOf = (
  reading: Reading,
  { device, key, about, now }: { device: string | null; key: string; about: About; now: number },
): Press => {
  const { kind = unnamed(reading, device), seen, groups, occurredAt } = reading
  return {
    is: 'press',
    phase: reading.phase,
    ...saidOf(reading, device, key, about),
    ...(kind && { kind }),
    ...(seen && { sighting: { ...seen, at: now } }),
    ...(groups['person'] && { person: groups['person'] }),
    ...(occurredAt !== undefined && { occurredAt }),
    ...(reading.drill && { drill: true }),
  }
}

/** A text that nobody foresaw, about nothing that is known, calls for help all the same. */
const unnamed = ({ matched }: Reading, device: string | null) =>
  matched === null && device === null ? 'unknown' : undefined

const saidOf = ({ text, matched, groups }: Reading, device: string | null, key: string, about: About) => ({
  device,
  from:
    device ??
    (text.slice(0, wordsMax).toWellFormed() ||
      `page without text${about.to ? ` to ${plain(about.to)}` : ''}`),
  key,
  raw: { text, sender: about.sender, to: about.to, id: about.id, pattern: matched, groups, wire: about.raw },
})

/** What a text-only wire says, as facts: the same text is the same press, whatever connector brought it. */
export class TextSource {
  readonly #ctx: Pick<Context, 'clock' | 'note' | 'record'>
  readonly #read: (text: string, about?: About) => Reading
  readonly #repeats: Repeats
  readonly #turns: Turns
  readonly #devices: ReadonlyMap<string, string>
  readonly #marks = new BoundedMap<string, string>(marksMax)

  constructor(
    { config, inputs }: Pick<Opening<TextReading, TextInput, never>, 'config' | 'inputs'>,
    ctx: Pick<Context, 'clock' | 'note' | 'record'>,
  ) {
    this.#ctx = ctx
    this.#read = compileText(config)
    this.#repeats = new Repeats(config.repeat, ctx.clock)
    this.#turns = new Turns(ctx.clock)
    this.#devices = new Map([...inputs].map(([device, { id }]) => [alike(id), device]))
  }

  /** The text to send through the own wire for `Link.beat`. Only what was announced here counts as a heartbeat. */
  beat(mark: string): string {
    const text = plain(`HEARTBEAT ${mark}`)
    this.#marks.set(text, mark)
    return text
  }

  /** Resolves when the text is on disk, or is one to ignore: acknowledge it then. Rejects as `Context.record` does. */
  async take(said: string, about: About = {}): Promise<void> {
    const mark = this.#marks.get(plain(said))
    if (mark !== undefined) await this.#ctx.record(heartbeat(mark))
    else await this.#takeReading(this.#read(said, about), about)
  }

  async #takeReading(reading: Reading, about: About): Promise<void> {
    const now = this.#ctx.clock.now()
    const { device, byAddress } = this.#deviceOf(reading, about)
    if (device !== null)
      this.#ctx.note(device, {
        quality: 'good',
        ...(reading.batteryPercent !== undefined && { batteryPercent: reading.batteryPercent }),
        ...(reading.seen && { sighting: { ...reading.seen, at: now } }),
      })
    if (reading.ignored) return
    // The same text to several pagers is one press, unless the pager is what tells them apart.
    const apart = byAddress || reading.text === '' ? alike(about.to ?? '') : ''
    const { trouble, phase, groups, text } = reading
    const subject = device ?? alike(groups['device'] ?? groups['id'] ?? groups['place'] ?? '')
    const turn = this.#turns.of(`${trouble ?? 'press'} ${subject}`, phase)
    const key = this.#repeats.keyOf([about.sender ?? '', phase, text, apart], turn, about.id)
    await this.#ctx.record(
      trouble
        ? troubleOf(reading, trouble, device, key, about)
        : pressOf(reading, { device, key, about, now }),
    )
  }

  /** The group that names a device, else the address that the text was sent to. */
  #deviceOf({ groups }: Reading, { to }: About): { device: string | null; byAddress: boolean } {
    for (const name of ['device', 'id', 'place'] as const) {
      const device = groups[name] && this.#devices.get(alike(groups[name]))
      if (device) return { device, byAddress: false }
    }
    const device = this.#devices.get(alike(to ?? '')) ?? null
    return { device, byAddress: device !== null }
  }
}

const troubleOf = (
  reading: Reading,
  trouble: Trouble['trouble'],
  device: string | null,
  key: string,
  about: About,
): Trouble => ({
  is: 'trouble',
  phase: reading.phase,
  trouble,
  words: reading.text.slice(0, wordsMax).toWellFormed(),
  ...saidOf(reading, device, key, about),
})

const heartbeat = (mark: string): Press => ({
  is: 'press',
  phase: 'active',
  device: null,
  from: 'heartbeat',
  key: `heartbeat.${mark}`,
  raw: null,
  heartbeat: mark,
})
