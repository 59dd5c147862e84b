import type { SQLOutputValue } from 'node:sqlite'
import type { Effect } from '../command.ts'
import type { Json } from '../fact.ts'
import { entriesIn } from '../trail/payload.ts'
import type {
  AnsweredKey,
  CursorRow,
  FaultRow,
  HoldRow,
  IncidentRow,
  RecordedCommand,
  RegisterRow,
  RevisionRow,
  TrailRow,
  UnfinishedCommand,
} from './port.ts'

/** A row of a table, with all its columns, as SQLite gives it. */
type Raw = Record<string, SQLOutputValue>
type Value = SQLOutputValue | undefined

/**
 * Kind of the register's rows that say, for an incident, which commands it had before its file failed: they and their
 * receipts are in that file, and must not be made a second time.
 */
export const madeBefore = 'made-before'

export const madeRow = (incident: string, commands: Iterable<string>): RegisterRow => ({
  kind: madeBefore,
  name: incident,
  body: [...commands],
})

const json = (value: Value): Json => JSON.parse(value as string)
const string = (value: Value) => value as string
const number = (value: Value) => value as number
const stringOrNull = (value: Value) => value as string | null
const numberOrNull = (value: Value) => value as number | null

export const incidentRow = (raw: Raw): IncidentRow => ({
  id: string(raw['id']),
  number: number(raw['number']),
  open: raw['open'] === 1,
  lookAt: numberOrNull(raw['look_at']),
  openedAt: number(raw['opened_at']),
  revision: string(raw['revision']),
  kept: raw['kept'] === 1,
  body: json(raw['body']),
})

export const commandRow = (raw: Raw): RecordedCommand => ({
  id: string(raw['id']),
  incident: stringOrNull(raw['incident']),
  target: string(raw['target']),
  dueAt: number(raw['due_at']),
  expiresAt: numberOrNull(raw['expires_at']),
  attempt: number(raw['attempt']),
  body: json(raw['body']),
  receipt: raw['receipt'] === null ? null : json(raw['receipt']),
})

export const unfinishedCommand = (raw: Raw): UnfinishedCommand => {
  const { receipt: _, ...command } = commandRow(raw)
  const inFlight = raw['in_flight'] === 1
  const crashed = number(raw['crashed']) + (inFlight ? 1 : 0)
  return { ...command, inFlight, crashed, effect: raw['effect'] as Effect }
}

export const holdRow = (raw: Raw): HoldRow => ({
  id: string(raw['id']),
  door: string(raw['door']),
  incident: stringOrNull(raw['incident']),
  mode: string(raw['mode']),
  until: number(raw['until']),
  by: string(raw['by']),
  ended: numberOrNull(raw['ended']),
  body: json(raw['body']),
})

export const answeredKey = (raw: Raw): AnsweredKey => ({
  source: string(raw['source']),
  key: string(raw['key']),
  id: string(raw['id']),
  incident: stringOrNull(raw['incident']),
  answer: json(raw['answer']),
  at: number(raw['at']),
})

export const cursorRow = (raw: Raw): CursorRow => ({
  device: string(raw['device']),
  value: json(raw['value']),
})

export const registerRow = (raw: Raw): RegisterRow => ({
  kind: string(raw['kind']),
  name: string(raw['name']),
  body: json(raw['body']),
})

export const faultRow = (raw: Raw): FaultRow => ({
  id: string(raw['id']),
  openedAt: number(raw['opened_at']),
  closedAt: numberOrNull(raw['closed_at']),
  body: json(raw['body']),
})

export const revisionRow = (raw: Raw): RevisionRow => ({
  id: string(raw['id']),
  config: json(raw['config']),
})

export const trailRow = (raw: Raw): TrailRow => ({
  seq: number(raw['seq']),
  at: number(raw['at']),
  incidents: raw['incidents'] === null ? [] : string(raw['incidents']).split('\n'),
  entries: raw['payload'] === null ? null : entriesIn(string(raw['payload'])),
  chain: Buffer.from(raw['chain'] as Uint8Array).toString('hex'),
})
