import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { messageOf } from '../error.ts'
import { genesis } from '../trail/chain.ts'
import { withMessages } from './messages.ts'
import type { Opened } from './port.ts'
import {
  answeredKey,
  cursorRow,
  faultRow,
  holdRow,
  incidentRow,
  madeBefore,
  registerRow,
  revisionRow,
  unfinishedCommand,
} from './stored.ts'

/** Command bodies that memory holds; the rest come by `due`. */
const commandsInMemory = 20_000
export const keysInMemory = 50_000
/** A key that was used is known for so long. */
export const keysForMs = 86_400_000

export type Loaded = Omit<Opened, 'health' | 'unrecorded' | 'trailHead' | 'epoch'> & {
  readonly epoch: number
  readonly head: { readonly seq: number; readonly chain: Uint8Array }
}

/**
 * Reads what is open. A part that can't be read doesn't keep the others from being read: with a damaged file, what it
 * still gives is worth more to people than a clean refusal.
 */
export const load = (db: DatabaseSync): Loaded => {
  const unread: string[] = []
  const rows = <Row>(
    what: string,
    row: (raw: Record<string, SQLOutputValue>) => Row,
    sql: string,
    ...values: SQLInputValue[]
  ): Row[] => {
    const found: Row[] = []
    let spoiled = 0
    try {
      for (const raw of db.prepare(sql).iterate(...values)) {
        try {
          found.push(row(raw))
        } catch {
          spoiled++
        }
      }
    } catch (error) {
      unread.push(`${what}: ${found.length} read, then ${messageOf(error)}`)
    }
    if (spoiled > 0) unread.push(`${what}: ${spoiled} not understood`)
    return found
  }
  const one = (what: string, sql: string): SQLOutputValue =>
    rows(what, (raw) => Object.values(raw)[0] as SQLOutputValue, sql)[0] ?? null

  const last = rows(
    'trail head',
    (raw) => ({ seq: Number(raw['seq']), chain: raw['chain'] as Uint8Array, at: Number(raw['at']) }),
    'SELECT seq, chain, at FROM trail ORDER BY seq DESC LIMIT 1',
  )[0]
  const anchor = rows(
    'anchor',
    (raw) => ({ seq: Number(raw['seq']), chain: raw['chain'] as Uint8Array }),
    'SELECT seq, chain FROM anchor',
  )[0]
  const clockFloor = last?.at ?? 0
  const stored = rows(
    'unfinished commands',
    unfinishedCommand,
    'SELECT * FROM command WHERE receipt IS NULL ORDER BY due_at, id LIMIT ?',
    commandsInMemory,
  )
  const { rows: unfinishedCommands, unread: messages } = withMessages(db, stored)
  if (messages !== null) unread.push(messages)
  const lastCommand = unfinishedCommands.at(-1)
  return {
    epoch: Number(one('epoch', "SELECT value FROM meta WHERE key = 'epoch'") ?? 0),
    clockFloor,
    head: last ?? anchor ?? { seq: 0, chain: genesis },
    openIncidents: rows(
      'open incidents',
      incidentRow,
      'SELECT * FROM incident WHERE open = 1 ORDER BY number',
    ),
    openCommands: rows(
      'commands of open incidents',
      (raw) => ({ incident: String(raw['incident']), id: String(raw['id']) }),
      `SELECT command.incident, command.id FROM incident CROSS JOIN command
        ON command.id > incident.id || '/' AND command.id < incident.id || '0' WHERE incident.open = 1
        UNION SELECT register.name, made.value FROM register, json_each(register.body) made
        WHERE register.kind = '${madeBefore}'`,
    ),
    nextIncidentNumber: 1 + highestNumber(one),
    unfinishedCommands,
    moreCommands:
      lastCommand && unfinishedCommands.length === commandsInMemory
        ? { dueAt: lastCommand.dueAt, id: lastCommand.id }
        : null,
    liveHolds: rows('live holds', holdRow, 'SELECT * FROM hold WHERE ended IS NULL'),
    keys: rows(
      'keys',
      answeredKey,
      'SELECT * FROM (SELECT * FROM fact ORDER BY n DESC LIMIT ?) WHERE at >= ?',
      keysInMemory,
      clockFloor - keysForMs,
    ).reverse(),
    cursors: rows('cursors', cursorRow, 'SELECT * FROM cursor'),
    register: rows(
      'register',
      registerRow,
      `SELECT * FROM register WHERE body <> 'null' AND kind <> '${madeBefore}'`,
    ),
    openFaults: rows('open faults', faultRow, 'SELECT * FROM fault WHERE closed_at IS NULL'),
    revisions: rows(
      'revisions',
      revisionRow,
      'SELECT * FROM revision WHERE id IN (SELECT revision FROM incident WHERE open = 1)',
    ),
    unread,
  }
}

// Retention may have erased the newest incident, and no number is ever given twice.
const highestNumber = (one: (what: string, sql: string) => SQLOutputValue): number =>
  Math.max(
    Number(one('incident numbers', 'SELECT max(number) FROM incident') ?? 0),
    Number(one('incident numbers', "SELECT value FROM meta WHERE key = 'highest-number'") ?? 0),
  )
