import { chmodSync, existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { BridgeError } from '../error.ts'

/** Migrations go forward only: each brings a file from the version of its index to the next. Expand, then contract. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  -- What the first trail row of this file follows: nothing (seq 0), or the last row of the file before.
  CREATE TABLE anchor (seq INTEGER NOT NULL, chain BLOB NOT NULL, file TEXT, why TEXT) STRICT;
  CREATE TABLE trail (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, incidents TEXT,
    digest BLOB NOT NULL, chain BLOB NOT NULL, payload TEXT) STRICT;
  CREATE TABLE trail_incident (incident TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (incident, seq))
    STRICT, WITHOUT ROWID;
  CREATE TABLE fact (n INTEGER PRIMARY KEY, source TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL,
    incident TEXT, at INTEGER NOT NULL, answer TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (source, key)) STRICT;
  CREATE INDEX fact_at ON fact (at);
  CREATE TABLE cursor (device TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE incident (id TEXT PRIMARY KEY, number INTEGER NOT NULL, open INTEGER NOT NULL, look_at INTEGER,
    opened_at INTEGER NOT NULL, closed_at INTEGER, revision TEXT NOT NULL, kept INTEGER NOT NULL,
    body TEXT NOT NULL) STRICT;
  CREATE INDEX incident_number ON incident (number);
  CREATE INDEX incident_open ON incident (number) WHERE open = 1;
  CREATE INDEX incident_closed ON incident (closed_at) WHERE open = 0 AND kept = 0;
  CREATE TABLE command (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, incident TEXT, target TEXT NOT NULL,
    due_at INTEGER NOT NULL, expires_at INTEGER, attempt INTEGER NOT NULL, in_flight INTEGER NOT NULL,
    crashed INTEGER NOT NULL, effect TEXT NOT NULL, receipt TEXT, body TEXT NOT NULL) STRICT;
  CREATE INDEX command_incident ON command (incident) WHERE incident IS NOT NULL;
  CREATE INDEX command_lone ON command (due_at) WHERE incident IS NULL;
  CREATE INDEX command_unfinished ON command (due_at, id) WHERE receipt IS NULL;
  CREATE TABLE hold (id TEXT PRIMARY KEY, door TEXT NOT NULL, incident TEXT, mode TEXT NOT NULL,
    until INTEGER NOT NULL, by TEXT NOT NULL, ended INTEGER, body TEXT NOT NULL) STRICT;
  CREATE INDEX hold_incident ON hold (incident);
  CREATE INDEX hold_live ON hold (door) WHERE ended IS NULL;
  CREATE INDEX hold_ended ON hold (ended) WHERE ended IS NOT NULL;
  CREATE TABLE device (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE fault (id TEXT PRIMARY KEY, opened_at INTEGER NOT NULL, closed_at INTEGER, body TEXT NOT NULL) STRICT;
  CREATE INDEX fault_open ON fault (opened_at) WHERE closed_at IS NULL;
  CREATE INDEX fault_closed ON fault (closed_at) WHERE closed_at IS NOT NULL;
  CREATE TABLE revision (id TEXT PRIMARY KEY, at INTEGER NOT NULL, config TEXT NOT NULL) STRICT;
  `,
  `
  -- What is kept of devices, people and places beside incidents. The table before it never held a row.
  CREATE TABLE register (kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name))
    STRICT, WITHOUT ROWID;
  DROP TABLE device;
  -- Each costs a page of every press. Commands of an incident have ids that begin with its own; facts are in the order of
  -- their time already.
  DROP INDEX command_incident;
  DROP INDEX fact_at;
  `,
  `
  -- Nothing here: but what is written from now on, an older version can't read. Bodies of commands and receipts leave out
  -- what their rows say already.
  `,
  `
  -- Nor here. Payloads of the trail write once what entries in a row say alike (core/trail/payload.ts).
  `,
]

/** How long a commit waits for a foreign program that holds the file, ms; then it counts as failed. */
const busyMs = 2_000

/**
 * Pages in the write-ahead log at which a commit carries them into the file itself. It should never come to that: the
 * store does it earlier, between two commits (`Engine.tidy`).
 */
const walPagesMax = 8_000

/** Opens a file for writing, in the mode that every promise rests on. */
export const openDatabase = (path: string): DatabaseSync => {
  const isNew = path !== ':memory:' && !existsSync(path)
  const db = new DatabaseSync(path, { timeout: busyMs })
  try {
    // Before the first table, or it does nothing.
    db.exec('PRAGMA auto_vacuum = incremental')
    if (isNew) chmodSync(path, 0o600)
    // Only ever by exec: merely preparing PRAGMA synchronous changes it.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864')
    db.exec(`PRAGMA wal_autocheckpoint = ${walPagesMax}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

export const versionOf = (db: DatabaseSync): number =>
  Number(db.prepare('PRAGMA user_version').get()?.['user_version'])

/** Brings a file to the newest schema; one that holds data is backed up beside itself first. */
export const migrate = (db: DatabaseSync, path: string, steps: readonly string[] = migrations): void => {
  const version = versionOf(db)
  if (version === steps.length) return
  if (version > steps.length)
    throw new BridgeError(
      'SCHEMA_TOO_NEW',
      `${path} has schema ${version}, this version knows up to ${steps.length}: install the newer version again, or restore the backup made before the upgrade`,
    )
  const backup = `${path}.v${version}.backup`
  // One that is there already was made by an attempt that did not get through.
  if (version > 0 && path !== ':memory:' && !existsSync(backup)) db.prepare('VACUUM INTO ?').run(backup)
  db.exec('BEGIN IMMEDIATE')
  try {
    for (const step of steps.slice(version)) db.exec(step)
    db.exec(`PRAGMA user_version = ${steps.length}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
