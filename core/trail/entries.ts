import type { Command, Receipt } from '../command.ts'
import type { Hold } from '../door/hold.ts'
import type { Change } from '../incident/apply.ts'
import type { Event } from '../intake/event.ts'
import type { Stay } from '../location/track.ts'
import type { Entry, Told } from './entry.ts'

/** A press as the trail has it. */
export const pressEntry = (event: Event, incident: string | null, trace: readonly Stay[] = []): Entry => ({
  what: 'press',
  incident,
  event: event.id,
  device: event.source.device,
  words: event.source.words,
  kind: event.kind,
  phase: event.phase,
  place: event.location.place,
  precision: event.location.precision,
  drill: event.drill,
  simulated: event.simulated,
  ...(trace.length > 0 ? { trace } : {}),
})

/** What was done about an incident. */
export const changeEntry = (incident: string, change: Change): Entry => ({
  what: 'change',
  incident,
  is: change.is === 'resolved' ? `resolved: ${change.as}` : change.is,
  by: 'by' in change ? change.by : '',
  ...(change.is === 'resolved' && change.note !== '' ? { note: change.note.slice(0, 2_000) } : {}),
  ...(change.is === 'moved' ? { note: change.location.place ?? 'place unknown' } : {}),
})

/** A command that is now wanted. */
export const commandEntry = ({ incident, id, target, capability }: Command): Entry => ({
  what: 'command',
  incident,
  command: id,
  target,
  capability,
})

/** A receipt as the trail has it. */
export const receiptEntry = (
  { incident, target, capability }: Command,
  { command, end, why, proof, effect, attempts, at }: Receipt,
): Entry => ({
  what: 'receipt',
  incident,
  target,
  capability,
  command,
  end,
  why,
  proof,
  effect,
  attempts,
  at,
})

/** Entries with the time of their change set, for those who hear them as they happen. */
export const toldOf = (entries: readonly Entry[], at: number): Told[] =>
  entries.map((entry) => ({ ...entry, at }))

/** A hold as the trail has it. */
export const holdEntry = (hold: Hold): Entry => ({
  what: 'hold',
  incident: hold.incident,
  hold: hold.id,
  door: hold.door,
  mode: hold.mode,
  until: hold.until,
  confirmed: hold.confirmed,
  ended: hold.ended?.why ?? null,
})
