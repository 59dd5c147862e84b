import type { Message, Whereabouts } from './message.ts'
import { clean, cut, toAscii } from './text.ts'

/** What a way of telling people can carry. */
export interface Limits {
  /** In code points. */
  readonly characters: number
  readonly charset: 'ascii' | 'unicode'
  /** ms since the epoch, at the moment of sending: ages are computed from it. */
  readonly now: number
}

const abouts: Readonly<Record<Message['about'], string>> = {
  press: '',
  again: 'AGAIN',
  escalation: 'ESCALATED',
  moved: 'MOVED',
  overdue: 'OVERDUE',
  reminder: 'REMINDER',
  'stand-down': 'STAND DOWN',
  upgrade: 'UPGRADED',
  fault: 'MAINTENANCE',
}

const kinds: Readonly<Record<Message['kind'], string>> = {
  duress: 'DURESS',
  assist: 'ASSIST',
  weapon: 'WEAPON',
  'hold-up': 'HOLD-UP',
  medical: 'MEDICAL',
  'man-down': 'MAN DOWN',
  hazard: 'HAZARD',
  // "UNKNOWN" would read as if the place were unknown.
  unknown: 'HELP CALL',
}

/** Up to this age a sighting is as good as now, ms. */
const freshMs = 5_000
/** From this age on people are told a time instead of an age, ms (safety.md, "Location, honestly"). */
const staleMs = 120_000
/** A message that goes out later than this says so, ms. */
const lateMs = 10_000
/** A time of day alone would mislead from this age on, ms. */
const otherDayMs = 12 * 3_600_000

/**
 * What people are told, the most important words first, so that a cut at any length loses the least.
 * A longer limit only ever adds words. Never longer than `characters`; no control characters.
 */
export const fit = (message: Message, limits: Limits): string => {
  const { now } = limits
  if (message.about === 'fault') return bounded(`${abouts.fault}: ${ofFault(message, now)}`, limits)
  const drill = message.drill ? `DRILL ${message.walkTest ? 'WALK TEST ' : ''}` : ''
  const head = [abouts[message.about], kinds[message.kind], where(message)].filter(Boolean).join(' ')
  const pieces = [
    head,
    age(message.where, message.timezone, now),
    message.silent ? 'SILENT: no radio speakers' : '',
    message.who ? `by ${message.who}` : '',
    timeOf(message.receivedAt, message.timezone, now, true),
    // In one piece, so that whoever is told of it again also reads that: a long address or position comes after it.
    message.possibleRepeat ? `#${message.number} REPEAT?` : `#${message.number}`,
    message.acknowledgedBy ? `coming: ${message.acknowledgedBy}` : '',
    ...message.notes,
    message.where.place === null ? '' : (message.where.address ?? ''),
    globe(message.where.position),
    late(now - message.dueAt),
  ]
  return bounded(drill + pieces.map(clean).filter(Boolean).join(', '), limits)
}

const bounded = (text: string, { charset, characters }: Limits): string =>
  charset === 'ascii' ? cut(toAscii(text), characters, '...') : cut(text, characters, '…')

/** No word of it reads as if somebody had called for help: no kind, no place, no number. */
const ofFault = (message: Message, now: number): string =>
  [
    ...message.notes,
    timeOf(message.receivedAt, message.timezone, now, false),
    message.possibleRepeat ? 'REPEAT?' : '',
    late(now - message.dueAt),
  ]
    .map(clean)
    .filter(Boolean)
    .join(', ')

/** Where, never more exactly than the source can tell; a doubt is a mark on the name itself, so that no cut loses it. */
const where = (message: Message): string => {
  const { place, short, name, precision, orElse } = message.where
  const address = clean(message.where.address ?? '')
  if (place === null && address !== '') return `at ${address}`
  if (place === null) return message.source ? `PLACE UNKNOWN: ${message.source}` : 'PLACE UNKNOWN'
  const known = clean(short) || clean(name) || place
  const others = (orElse ?? []).map(clean).filter(Boolean)
  const doubt = others.length > 0 ? `? or ${others.join(' or ')}` : ''
  return known + doubt + exactness(precision)
}

/** A hundred-thousandth of a degree is a metre. */
const globe = (position: Whereabouts['position']): string => {
  if (!position) return ''
  const { latitude, longitude, accuracyM } = position
  const within = accuracyM === undefined ? '' : ` within ${Math.ceil(accuracyM)} m`
  return `GPS ${latitude.toFixed(5)} ${longitude.toFixed(5)}${within}`
}

const exactness = (precision: Whereabouts['precision']): string =>
  precision === 'room' || precision === 'bed' ? '' : precision ? ` (${precision} only)` : ' (not exact)'

/** How old the sighting is; nothing for what can't move away, or is fresh. */
const age = (where: Whereabouts, timezone: string, now: number): string => {
  const ms = now - where.at
  if (where.place === null || where.from === 'fixed' || ms < freshMs) return ''
  return ms > staleMs
    ? `last seen ${timeOf(where.at, timezone, now, false)}`
    : `${Math.round(ms / 1_000)} s ago`
}

const late = (ms: number): string =>
  ms <= lateMs
    ? ''
    : ms <= staleMs
      ? `late ${Math.round(ms / 1_000)} s`
      : ms <= 2 * 3_600_000
        ? `late ${Math.round(ms / 60_000)} min`
        : `late ${Math.round(ms / 3_600_000)} h`

const two = '2-digit'
const formats = new Map<string, Intl.DateTimeFormat>()

/** One format per time zone; making one costs a thousand times its use. */
const formatOf = (timezone: string): Intl.DateTimeFormat => {
  const kept = formats.get(timezone)
  if (kept) return kept
  const options = { year: 'numeric', month: two, day: two, hour: two, minute: two, second: two } as const
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-CA', { ...options, hourCycle: 'h23', timeZone: timezone })
  } catch {
    // A zone that this Node doesn't know must not cost the page; the time then names its zone.
    format = new Intl.DateTimeFormat('en-CA', {
      ...options,
      hourCycle: 'h23',
      timeZone: 'UTC',
      timeZoneName: 'short',
    })
  }
  // A site has one zone; the bound is only against a flood of made-up ones.
  if (formats.size < 100) formats.set(timezone, format)
  return format
}

/** The site's time of day, with the date in front when it is not of the last twelve hours. */
const timeOf = (at: number, timezone: string, now: number, seconds: boolean): string => {
  // The range of ECMAScript time values (ECMA-262, 21.4.1.1).
  if (!(Math.abs(at) <= 8.64e15)) return ''
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {}
  for (const { type, value } of formatOf(timezone).formatToParts(at)) part[type] = value
  const zone = part.timeZoneName ? ` ${part.timeZoneName}` : ''
  const time = `${part.hour}:${part.minute}${seconds ? `:${part.second}` : ''}${zone}`
  return Math.abs(now - at) < otherDayMs ? time : `${part.year}-${part.month}-${part.day} ${time}`
}
