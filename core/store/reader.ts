import { DatabaseSync } from 'node:sqlite'
import { withMessages } from './messages.ts'
import type {
  DueCursor,
  HoldRow,
  IncidentFilter,
  IncidentRecord,
  IncidentRow,
  Page,
  RecordedCommand,
  TrailRow,
  UnfinishedCommand,
} from './port.ts'
import { commandRow, holdRow, incidentRow, trailRow, unfinishedCommand } from './stored.ts'

/** The commands of incident ?1, by their ids, which begin with its own: `/` is followed by `0`. */
const ofIncident = "id > ?1 || '/' AND id < ?1 || '0'"

/** Rows a page: an open read keeps the write-ahead log growing, so nobody reads longer than that. */
const pageRows = 1_000

const atMost = (limit: number): number => Math.max(1, Math.min(pageRows, Math.floor(limit) || 1))

/** Everything that is read of a store's file: pages, each read to its end at once. */
export class Reader {
  readonly #db: DatabaseSync

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** On a connection of its own that can't write, for the command line and for reports; the bridge may be running. */
  static open(path: string): Reader {
    return new Reader(new DatabaseSync(path, { readOnly: true, timeout: 2_000 }))
  }

  due(after: DueCursor | null, limit: number): UnfinishedCommand[] {
    const from = after ?? { dueAt: Number.MIN_SAFE_INTEGER, id: '' }
    const rows = this.#db
      .prepare(
        'SELECT * FROM command WHERE receipt IS NULL AND (due_at, id) > (?, ?) ORDER BY due_at, id LIMIT ?',
      )
      .all(from.dueAt, from.id, atMost(limit))
      .map(unfinishedCommand)
    return withMessages(this.#db, rows).rows
  }

  /** With its holds; at most 1,000 of them. */
  incident(id: string): IncidentRecord | null {
    const raw = this.#db.prepare('SELECT * FROM incident WHERE id = ?').get(id)
    if (!raw) return null
    const holds = this.#db.prepare('SELECT * FROM hold WHERE incident = ? ORDER BY rowid LIMIT ?')
    return { ...incidentRow(raw), holds: holds.all(id, pageRows).map(holdRow) }
  }

  commandsOf(incident: string, after: number | null): Page<RecordedCommand, number> {
    const rows = this.#db
      .prepare(`SELECT * FROM command WHERE ${ofIncident} AND n > ?2 ORDER BY n LIMIT ?3`)
      .all(incident, after ?? -1, pageRows)
    return {
      rows: rows.map(commandRow),
      next: rows.length === pageRows ? Number(rows.at(-1)?.['n']) : null,
    }
  }

  /** Not in pages: whoever leaves one of them out makes it again. */
  commandIdsOf(incident: string): string[] {
    const rows = this.#db.prepare(`SELECT id FROM command WHERE ${ofIncident}`).all(incident)
    return rows.map(({ id }) => String(id))
  }

  incidents({ open }: IncidentFilter, cursor: number | null, limit = 100): Page<IncidentRow, number> {
    const which = open === undefined ? '' : `AND open = ${open ? 1 : 0}`
    const rows = this.#db
      .prepare(`SELECT * FROM incident WHERE number < ? ${which} ORDER BY number DESC LIMIT ?`)
      .all(cursor ?? Number.MAX_SAFE_INTEGER, atMost(limit))
      .map(incidentRow)
    return { rows, next: rows.length === atMost(limit) ? rows.at(-1)!.number : null }
  }

  trail(from: number, limit: number): TrailRow[] {
    return this.#db
      .prepare('SELECT * FROM trail WHERE seq >= ? ORDER BY seq LIMIT ?')
      .all(from, atMost(limit))
      .map(trailRow)
  }

  trailOf(incident: string, from = 0, limit = pageRows): TrailRow[] {
    return this.#db
      .prepare(
        `SELECT trail.* FROM trail_incident JOIN trail USING (seq)
         WHERE trail_incident.incident = ? AND seq >= ? ORDER BY seq LIMIT ?`,
      )
      .all(incident, from, atMost(limit))
      .map(trailRow)
  }

  /** The doors that are held now. */
  holds(): HoldRow[] {
    return this.#db
      .prepare('SELECT * FROM hold WHERE ended IS NULL ORDER BY door LIMIT ?')
      .all(pageRows)
      .map(holdRow)
  }

  close(): void {
    this.#db.close()
  }
}
