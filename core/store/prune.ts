import type { DatabaseSync } from 'node:sqlite'
import { madeBefore } from './stored.ts'

/** Rows a slice, so that a waiting press waits for 5 ms at most. */
const sliceRows = 200
const sliceMs = 5
/** Rows a statement, since its time can't be measured from within. */
const bite = 20

/** Ended incidents that nothing keeps; a live hold keeps its incident. */
const endedIncidents = `SELECT id FROM incident WHERE open = 0 AND kept = 0 AND closed_at < ?1
  AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.incident = incident.id AND ended IS NULL) ORDER BY closed_at LIMIT 1`

/** What goes with an incident; the incident itself goes last, so that a crash in between leaves nothing behind. */
const ofIncident = [
  `DELETE FROM command WHERE n IN (SELECT n FROM command WHERE id > ?1 || '/' AND id < ?1 || '0' LIMIT ${bite})`,
  `DELETE FROM hold WHERE rowid IN (SELECT rowid FROM hold WHERE incident = ?1 LIMIT ${bite})`,
  // A row that it shares stays until the last of its incidents goes.
  `UPDATE trail SET payload = NULL WHERE seq IN (SELECT seq FROM trail_incident JOIN trail USING (seq)
    WHERE trail_incident.incident = ?1 AND payload IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM trail_incident other JOIN incident ON incident.id = other.incident
      WHERE other.seq = trail.seq AND other.incident <> ?1) LIMIT ${bite})`,
  `DELETE FROM register WHERE kind = '${madeBefore}' AND name = ?1`,
  `DELETE FROM incident WHERE id = ?1`,
]

/** Rows that belong to no incident, by their own age. */
const lone = [
  `DELETE FROM command WHERE n IN (SELECT n FROM command WHERE incident IS NULL AND due_at < ?1
    AND receipt IS NOT NULL LIMIT ${bite})`,
  `DELETE FROM hold WHERE rowid IN (SELECT rowid FROM hold WHERE ended < ?1
    AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.id = hold.incident) LIMIT ${bite})`,
  `DELETE FROM fault WHERE rowid IN (SELECT rowid FROM fault WHERE closed_at < ?1 LIMIT ${bite})`,
  `DELETE FROM revision WHERE rowid IN (SELECT rowid FROM revision WHERE at < ?1
    AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.revision = revision.id)
    AND rowid < (SELECT max(rowid) FROM revision) LIMIT 1)`,
]

/** Facts up to a row number that belong to no incident any more; a file that replaced another has keys out of order. */
const facts = (
  before: number,
) => `DELETE FROM fact WHERE n IN (SELECT n FROM fact WHERE n < ?1 AND at < ${Math.floor(before)}
  AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.id = fact.incident) LIMIT ${bite})`

/** Number of the first fact that is not older than `before`: facts are in the order of their time, but for a replaced file's. */
const firstSince = (db: DatabaseSync, before: number): number => {
  const from = db.prepare('SELECT n, at FROM fact WHERE n >= ? ORDER BY n LIMIT 1')
  const last = db.prepare('SELECT n FROM fact ORDER BY n DESC LIMIT 1').get()?.['n']
  let [low, high] = [0, 1 + Number(last ?? 0)]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const found = from.get(middle)
    if (found && Number(found['at']) < before) low = Number(found['n']) + 1
    else high = middle
  }
  return low
}

/** Commands of heartbeats, of which each minute brings some, are kept for a day. */
const heartbeats = `DELETE FROM command WHERE n IN (SELECT n FROM command WHERE id >= 'heartbeat/' AND id < 'heartbeat0'
  AND receipt IS NOT NULL AND due_at < (SELECT at FROM trail ORDER BY seq DESC LIMIT 1) - 86400000 LIMIT ${bite})
  AND ?1 IS NOT NULL`

/** Pictures and the like that the receipts of an incident name. */
const evidenceOf = `SELECT receipt ->> '$.result.evidence' AS hash FROM command
  WHERE id > ?1 || '/' AND id < ?1 || '0' AND receipt ->> '$.result.evidence' IS NOT NULL`

/** What one slice has erased. */
export interface Slice {
  readonly erased: number
  /** Nothing is left to erase. */
  readonly done: boolean
  /** Hashes of the evidence that went with it. */
  readonly evidence: readonly string[]
}

/** Erases one slice in one transaction; `done` when nothing was left. The chain is never touched. */
export const pruneSlice = (db: DatabaseSync, before: number, mono: () => number): Slice => {
  const until = mono() + sliceMs
  let erased = 0
  const evidence: string[] = []
  const room = () => erased < sliceRows && mono() < until
  /** false: the slice is full. */
  const exhaust = (sql: string, value: string | number): boolean => {
    const statement = db.prepare(sql)
    for (;;) {
      const changes = Number(statement.run(value).changes)
      if (changes === 0) return true
      erased += changes
      if (!room()) return false
    }
  }
  const all = (): boolean => {
    db.exec(`INSERT INTO meta SELECT 'highest-number', max(number) FROM incident WHERE true GROUP BY 1 HAVING max(number) > 0
      ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)`)
    for (;;) {
      const id = db.prepare(endedIncidents).get(before)?.['id'] as string | undefined
      if (id === undefined) break
      for (const row of db.prepare(evidenceOf).iterate(id)) evidence.push(String(row['hash']))
      if (!ofIncident.every((sql) => exhaust(sql, id))) return false
    }
    if (![...lone, heartbeats].every((sql) => exhaust(sql, before))) return false
    if (!exhaust(facts(before), firstSince(db, before))) return false
    for (;;) {
      const walked = walkTrail(db, before)
      if (walked === null) return true
      erased += walked
      if (!room()) return false
    }
  }
  db.exec('BEGIN IMMEDIATE')
  try {
    const done = all()
    db.exec('COMMIT')
    if (erased > 0) db.exec('PRAGMA incremental_vacuum(200)')
    return { erased, done, evidence: [...new Set(evidence)] }
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/**
 * Looks at the next few trail rows that no walk has seen, and erases those of which no incident is left; the others go
 * with their incident. null: the walk has come to `before`.
 */
const walkTrail = (db: DatabaseSync, before: number): number | null => {
  const mark = Number(db.prepare("SELECT value FROM meta WHERE key = 'walked'").get()?.['value'] ?? 0)
  const rows = db
    .prepare(
      'SELECT seq, at, incidents, payload IS NULL AS erased FROM trail WHERE seq > ? ORDER BY seq LIMIT ?',
    )
    .all(mark, bite)
    .filter((row) => (row['at'] as number) < before)
  const last = rows.at(-1)
  if (!last) return null
  const known = db.prepare('SELECT 1 FROM incident WHERE id = ?')
  const erase = db.prepare('UPDATE trail SET payload = NULL WHERE seq = ?')
  let erased = 0
  for (const { seq, incidents, erased: already } of rows) {
    const owners = incidents === null ? [] : (incidents as string).split('\n')
    if (already === 1 || owners.some((id) => known.get(id))) continue
    erase.run(seq as number)
    erased++
  }
  db.prepare(
    "INSERT INTO meta VALUES ('walked', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
  ).run(last['seq'] as number)
  return erased
}
