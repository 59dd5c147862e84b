import { textOf } from './codec.ts'

/** One event of a message, before anybody asks what it means. */
export interface Event {
  /** Two letters of the SIA format, or three characters of Contact ID. */
  readonly code: string
  /** Contact ID: 1 new or opening, 3 restored or closing, 6 still present; null in the SIA format, whose codes say it. */
  readonly qualifier: 1 | 3 | 6 | null
  /** Area or partition, without zeros at its start; null where none is named. */
  readonly partition: string | null
  /** Zone or user, whatever the code is about, without zeros at its start; null where none is named. */
  readonly number: string | null
  /** The user that a SIA modifier `id` names beside it. */
  readonly user: string | null
  /** What the panel calls it. */
  readonly text: string | null
}

/** More events in one message than this are not taken apart. */
const eventsMax = 64

/** `012` and `12` are the same zone; `000` is zone 0. */
export const numberOf = (written: string): string => written.replace(/^0+(?=.)/, '').toUpperCase()

/** `18QXYZGGCCCS`: the digits of a telephone dialler, 18 for Contact ID and a checksum, as Teknim panels send them. */
const dialled = /^18([136])([0-9A-F]{3})([0-9A-F]{2})([0-9A-F]{3})[0-9A-F]$/i
const contactId = /^\s*([136])([0-9A-F]{3})\s*([0-9A-F]{2})\s*([0-9A-F]{3})(?:[|\s]([\s\S]*))?$/i

/** The event of an `ADM-CID` payload, `QXYZ GG CCC`; null when it is none. Event codes may hold letters: `1b12`. */
export const readContactId = (payload: string): Event | null => {
  const match = dialled.exec(payload) ?? contactId.exec(payload)
  if (!match) return null
  const [, qualifier, code, partition, number, text] = match as unknown as [string, ...string[]]
  return {
    code: (code as string).toUpperCase(),
    qualifier: Number(qualifier) as 1 | 3 | 6,
    partition: numberOf(partition as string),
    number: numberOf(number as string),
    user: null,
    text: text ? textOf(text) || null : null,
  }
}

/** A SIA payload taken apart: modifiers such as `ri1`, events such as `BA012`, and what could not be read. */
export interface Sia {
  readonly mods: Readonly<Record<string, string>>
  readonly events: readonly Event[]
  readonly rest: string
}

const modifier = /^([a-z]{2})((?:(?![A-Z]{2})[^/^|[\]])*)/
const code = /^([A-Z]{2})(\d*)(?=$|[/^|*\s]|[A-Z]{2}(?:\d|$|[/^|*]))/
/** Zones may be hex digits where that leaves nothing unread. */
const hexCode = /^([A-Z]{2})([0-9A-F]*)(?=$|[/^|*\s])/
const caret = /^\^([^^]*)\^?/
/** A block of text behind a second `|`: `|Atest`. */
const block = /^\|A?([^|]*)/
const quoted = /^\*['"]([^'"]*)['"](?:NM)?/

interface Reading {
  readonly mods: Record<string, string>
  readonly events: Event[]
  last: 'modifier' | 'event' | null
  lastModifier: string
}

/** Each turn reads one thing off the start; returns how long it was, 0 for what nobody can read. */
const readOne = (text: string, into: Reading): number => {
  if (/^[/\s]/.test(text)) return 1
  const words = caret.exec(text) ?? block.exec(text) ?? quoted.exec(text)
  if (words) {
    addText(textOf(words[1] as string), into)
    return words[0].length
  }
  const mod = modifier.exec(text)
  if (mod) {
    const [whole, name, value] = mod as unknown as [string, string, string]
    into.mods[name] = value
    into.last = 'modifier'
    into.lastModifier = name
    return whole.length
  }
  const event = code.exec(text) ?? hexCode.exec(text)
  if (!event) return 0
  const [whole, letters, number] = event as unknown as [string, string, string]
  into.last = 'event'
  into.events.push({
    code: letters,
    qualifier: null,
    partition: into.mods['ri'] ? numberOf(into.mods['ri']) : null,
    number: number === '' ? null : numberOf(number),
    user: into.mods['id'] ? numberOf(into.mods['id']) : null,
    text: null,
  })
  return whole.length
}

const addText = (text: string, into: Reading): void => {
  if (text === '') return
  const event = into.events.at(-1)
  if (into.last === 'modifier') into.mods[`${into.lastModifier}Text`] = text
  else if (event)
    into.events[into.events.length - 1] = { ...event, text: [event.text, text].filter(Boolean).join(' ') }
}

/** Reads a `SIA-DCS` payload: `N` or `O`, modifiers, then one event after the other. */
export const readSia = (payload: string): Sia => {
  const reading: Reading = { mods: {}, events: [], last: null, lastModifier: '' }
  let unread = ''
  let rest = /^[NO](?=[a-z]{2}|[A-Z]{2}|\/)/.test(payload) ? payload.slice(1) : payload
  while (rest !== '' && reading.events.length < eventsMax) {
    const length = readOne(rest, reading)
    // What nobody can read hides nothing that stands behind it.
    if (length === 0) unread += rest[0]
    rest = rest.slice(length || 1)
  }
  return { mods: reading.mods, events: reading.events, rest: unread + rest }
}
