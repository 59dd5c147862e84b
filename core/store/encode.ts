import type { Json } from '../fact.ts'
import { payloadOf } from '../trail/payload.ts'
import type { AnsweredKey, ChangeSet, CursorRow } from './port.ts'

/** What crosses to the store's thread: one flat array a batch, bodies already text, since cloning objects is slow. */
export type Value = string | number | null

/** First value of each row in the flat array; the values that follow are those of `encode`, in that order. */
export const op = {
  /** at, incidents (one a line, or null), entries (or null) */
  set: 0,
  fact: 1,
  cursor: 2,
  incident: 3,
  command: 4,
  start: 5,
  retry: 6,
  settle: 7,
  hold: 8,
  register: 9,
  fault: 10,
  revision: 11,
} as const

/** How many values follow each op. */
export const widths: readonly number[] = [3, 6, 2, 8, 7, 2, 4, 3, 8, 3, 4, 2]

const text = (value: Json): string => JSON.stringify(value)
// The columns are integers, and a fraction of a millisecond must not refuse a press.
const ms = (value: number): number => Math.round(value)
const msOrNull = (value: number | null): number | null => (value === null ? null : Math.round(value))

/** Appends a change set to `into`; returns its number of rows. */
export const encode = (set: ChangeSet, into: Value[]): number => {
  let rows = 1
  const { entries } = set.trail
  into.push(op.set, ms(set.at), touched(set), entries.length > 0 ? payloadOf(entries) : null)
  if (set.fact) {
    const { source, key, id, incident, answer, body, cursor } = set.fact
    into.push(op.fact, source, key, id, incident, text(answer), text(body))
    rows += 1 + (cursor ? encodeCursor(cursor, into) : 0)
  }
  if (set.revision) {
    into.push(op.revision, set.revision.id, text(set.revision.config))
    rows++
  }
  for (const one of set.incidents ?? []) {
    const { id, number, open, lookAt, openedAt, revision, kept, body } = one
    into.push(op.incident, id, number, open ? 1 : 0, msOrNull(lookAt), ms(openedAt), revision, kept ? 1 : 0)
    into.push(text(body))
    rows++
  }
  for (const one of set.commands ?? []) {
    const { id, incident, target, dueAt, expiresAt, attempt, body } = one
    into.push(op.command, id, incident, target, ms(dueAt), msOrNull(expiresAt), attempt, text(body))
    rows++
  }
  return rows + encodeAttempts(set, into) + encodeRemembered(set, into)
}

const encodeAttempts = (set: ChangeSet, into: Value[]): number => {
  let rows = 0
  for (const { command, attempt } of set.starts ?? []) {
    into.push(op.start, command, attempt)
    rows++
  }
  for (const { command, attempt, dueAt, effect } of set.retries ?? []) {
    into.push(op.retry, command, attempt, ms(dueAt), effect)
    rows++
  }
  let last: Json | undefined
  let lastText = ''
  for (const { command, attempt, receipt } of set.settles ?? []) {
    if (receipt !== last) lastText = text(receipt)
    last = receipt
    into.push(op.settle, command, attempt, lastText)
    rows++
  }
  return rows
}

const encodeRemembered = (set: ChangeSet, into: Value[]): number => {
  let rows = 0
  for (const hold of set.holds ?? []) {
    const { id, door, incident, mode, until, by, ended, body } = hold
    into.push(op.hold, id, door, incident, mode, ms(until), by, msOrNull(ended), text(body))
    rows++
  }
  for (const { kind, name, body } of set.register ?? []) {
    into.push(op.register, kind, name, text(body))
    rows++
  }
  for (const cursor of set.cursors ?? []) rows += encodeCursor(cursor, into)
  for (const { id, openedAt, closedAt, body } of set.faults ?? []) {
    into.push(op.fault, id, ms(openedAt), msOrNull(closedAt), text(body))
    rows++
  }
  return rows
}

const encodeCursor = ({ device, value }: CursorRow, into: Value[]): number => {
  into.push(op.cursor, device, text(value))
  return 1
}

/** A key alone, for a fresh file that must go on refusing repeats. */
export const encodeKey = (key: AnsweredKey, into: Value[]): void => {
  into.push(op.set, ms(key.at), null, null)
  into.push(op.fact, key.source, key.key, key.id, key.incident, text(key.answer), 'null')
}

/** The incidents that a set's trail row belongs to, one a line. */
const touched = ({ trail }: ChangeSet): string | null => {
  const first = trail.incident
  let more: Set<string> | null = null
  for (const entry of trail.entries) {
    const one = (entry as { incident?: Json } | null)?.incident
    if (typeof one !== 'string' || one === first) continue
    more ??= new Set(first === null ? [] : [first])
    more.add(one)
  }
  return more === null ? first : [...more].join('\n')
}
