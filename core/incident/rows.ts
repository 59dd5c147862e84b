import type { Command } from '../command.ts'
import type { Hold } from '../door/hold.ts'
import type { Json } from '../fact.ts'
import type { CommandRow, HoldRow, IncidentRow } from '../store/port.ts'
import type { Page } from './book.ts'

/** What the store keeps of an incident. */
export const incidentRow = ({ incident, lookAt }: Page): IncidentRow => ({
  id: incident.id,
  number: incident.number,
  open: incident.resolved === null,
  lookAt,
  openedAt: incident.openedAt,
  revision: incident.revision,
  body: incident as unknown as Json,
})

/** What the store keeps of a command; `attempt` 1: its first attempt starts with this very commit. */
export const commandRow = (command: Command, attempt: 0 | 1): CommandRow => ({
  id: command.id,
  incident: command.incident,
  target: command.target,
  dueAt: command.dueAt,
  expiresAt: command.expiresAt,
  attempt,
  body: command as unknown as Json,
})

/** A hold stays live in the store until nothing of it can be on the door: a restart must know of it. */
export const holdRow = (hold: Hold): HoldRow => ({
  id: hold.id,
  door: hold.door,
  incident: hold.incident,
  mode: hold.mode,
  until: hold.until,
  by: hold.by,
  ended: hold.gone ? (hold.ended?.at ?? null) : null,
  body: hold as unknown as Json,
})
