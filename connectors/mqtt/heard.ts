import type { Json, Kind } from '../../core/fact.ts'
import { plain } from './names.ts'

/**
 * How a message says "pressed":
 * counter — presses counted by the badge, and seconds since the last (null: none, undefined: not told)
 * stamp — state of a button and the time of its last press, ms since the epoch
 * event — this message is the press; `id` makes it the same when it is told again within `sameMs`
 * advert — advertised again and again while it lasts
 */
export type Sign =
  | { readonly is: 'counter'; readonly counter: number; readonly sinceS: number | null | undefined }
  | {
      readonly is: 'stamp'
      readonly button: string
      readonly pushed: boolean
      readonly pressedAt: number | null
    }
  | { readonly is: 'event'; readonly id: string; readonly sameMs: number }
  | { readonly is: 'advert' }

/** What one message says of one badge or button. */
export interface Heard {
  /** What the vendor calls it, the best known name first. */
  readonly names: readonly string[]
  readonly what: 'badge' | 'button'
  /** Gateways that heard it, or zones that it is in, as the vendor names them. */
  readonly near: readonly Near[]
  /** When the vendor's system heard it, ms since the epoch. */
  readonly at?: number | undefined
  readonly batteryPercent?: number | undefined
  readonly batteryLow?: boolean | undefined
  /** A button that is held down. */
  readonly active?: boolean | undefined
  readonly signs: readonly Pressed[]
  /** What is kept of it when it is a press; see `rawOf`. */
  readonly raw: unknown
}

export interface Near {
  readonly is: 'gateway' | 'zone'
  readonly name: string
  /** Strength of reception, dBm; the vendor's own choice of a place has none. */
  readonly rssi?: number | undefined
  readonly confidence?: number | undefined
}

export interface Pressed {
  readonly sign: Sign
  readonly pattern?: string | undefined
  readonly kind?: Kind | undefined
  readonly person?: string | undefined
  readonly simulated?: boolean | undefined
  readonly drill?: boolean | undefined
}

/** A message as it came from the broker. */
export interface Message {
  readonly topic: string
  readonly payload: Buffer
  /** Told because we subscribed, not because something happened. */
  readonly retained: boolean
  /** Told once more, because the broker has no acknowledgement. */
  readonly again: boolean
}

/** Makes sense of a message; throws `Malformed` when it can't. */
export type Read = (message: Message) => readonly Heard[] | Promise<readonly Heard[]>

/** A message that nobody can make sense of, and why. */
export class Malformed extends Error {}

/** Things that one message may say; a gateway that hears all badges of a floor says some hundred. */
export const heardMax = 5_000

export type Fields = Readonly<Record<string, unknown>>

/** The JSON of a payload. */
export const jsonOf = ({ payload }: Message): unknown => {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch {
    throw new Malformed('not JSON')
  }
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {})

/** A list, or a single thing as a list of one; only what has fields counts. */
export const listOf = (value: unknown): readonly Fields[] => {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > heardMax) throw new Malformed(`more than ${heardMax} entries`)
  return list.filter(isFields)
}

/** A name: text or a number, never empty. */
export const nameOf = (value: unknown): string | undefined => {
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  const name = typeof value === 'string' ? plain(value, 200) : ''
  return name === '' ? undefined : name
}

export const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

export const percentOf = (value: unknown): number | undefined => {
  const number = numberOf(value)
  return number !== undefined && number >= 0 && number <= 100 ? number : undefined
}

/** Numbers below this are seconds since the epoch, from here on milliseconds (1973). */
const millisecondsFrom = 1e11
/** The latest time that a Date can hold, ms since the epoch (ECMA-262, 21.4.1.1). */
const latest = 8.64e15

/** ISO 8601, or Unix time in seconds or milliseconds, to ms since the epoch. */
export const timeOf = (value: unknown): number | undefined => {
  const ms =
    typeof value === 'string'
      ? Date.parse(value)
      : typeof value === 'number'
        ? value < millisecondsFrom
          ? value * 1_000
          : value
        : Number.NaN
  return ms > 0 && ms < latest ? Math.round(ms) : undefined
}

/** Deeper JSON than this is not kept; what we know of is four deep. */
const depthMax = 16

/** What is kept of a message: as it is, or cut where it is too deep to be written. */
export const rawOf = (value: unknown, left = depthMax): Json => {
  if (typeof value !== 'object' || value === null) return (value ?? null) as Json
  if (left === 0) return '…'
  if (Array.isArray(value)) return value.slice(0, 100).map((each) => rawOf(each, left - 1))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 100)
      .map(([name, each]) => [name, rawOf(each, left - 1)]),
  )
}
