import { DatabaseSync, type StatementSync } from 'node:sqlite'

/** A press of a webhook button as the button saw it; times are Date.now() of a clock that nobody steps. */
export interface PressRow {
  readonly n: number
  readonly button: number
  /** When it was sent first, and last. */
  readonly firstAt: number
  readonly sentAt: number
  readonly ackedAt: number
  /** How often it was sent until it was acknowledged. */
  readonly sends: number
  /** As it was answered. */
  readonly event: string
  readonly incident: string
  readonly duplicate: number
}

/** Something that reached a target. */
export interface ArrivalRow {
  readonly at: number
  readonly target: string
  /** page, event, preset, lockdown, secure or release. */
  readonly what: string
  readonly command: string
  /** It says itself that it may be a repeat. */
  readonly repeat: number
  /** The target did it. */
  readonly did: number
  /** The target answered as one that did it. */
  readonly answered: number
}

/** A mode that a door has had from then on. */
export interface DoorRow {
  readonly at: number
  readonly door: string
  readonly mode: string
}

/** A fire input changed. */
export interface FireRow {
  readonly at: number
  readonly wing: number
  readonly active: number
}

/** A press of the Modbus panel or a keypad, and when it was acknowledged (null: that wire has no acknowledgement). */
export interface WiredRow {
  readonly at: number
  readonly device: string
  readonly ackedAt: number | null
}

const tables = `
  PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
  CREATE TABLE press (n INTEGER, button INTEGER, firstAt INTEGER, sentAt INTEGER, ackedAt INTEGER,
    sends INTEGER, event TEXT, incident TEXT, duplicate INTEGER) STRICT;
  CREATE TABLE arrival (at INTEGER, target TEXT, what TEXT, command TEXT, repeat INTEGER, did INTEGER,
    answered INTEGER) STRICT;
  CREATE INDEX arrival_command ON arrival (command);
  CREATE TABLE opened (incident TEXT PRIMARY KEY, sentAt INTEGER, button INTEGER) STRICT, WITHOUT ROWID;
  CREATE TABLE door (at INTEGER, door TEXT, mode TEXT) STRICT;
  CREATE TABLE fire (at INTEGER, wing INTEGER, active INTEGER) STRICT;
  CREATE TABLE wired (at INTEGER, device TEXT, ackedAt INTEGER) STRICT;
`

/** What the devices themselves have seen: the other side of what the bridge has on its trail. On disk, so that no run is too long for memory. */
export class Recorder {
  readonly #db: DatabaseSync
  readonly #inserts = new Map<string, StatementSync>()
  #open = false

  constructor(file: string) {
    this.#db = new DatabaseSync(file)
    this.#db.exec(tables)
  }

  press(row: PressRow): void {
    this.#insert('press', row)
    this.#insert('opened', { incident: row.incident, sentAt: row.sentAt, button: row.button }, 'OR IGNORE')
  }

  arrival(row: ArrivalRow): void {
    this.#insert('arrival', row)
  }

  door(row: DoorRow): void {
    this.#insert('door', row)
  }

  fire(row: FireRow): void {
    this.#insert('fire', row)
  }

  wired(row: WiredRow): void {
    this.#insert('wired', row)
  }

  /** Makes all that was noted visible to other connections. */
  flush(): void {
    if (this.#open) this.#db.exec('COMMIT')
    this.#open = false
  }

  close(): void {
    this.flush()
    this.#db.close()
  }

  #insert(table: string, row: object, or = ''): void {
    if (!this.#open) this.#db.exec('BEGIN')
    this.#open = true
    const columns = Object.keys(row)
    const insert =
      this.#inserts.get(table) ??
      this.#db.prepare(
        `INSERT ${or} INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
      )
    this.#inserts.set(table, insert)
    insert.run(...Object.values(row))
  }
}
