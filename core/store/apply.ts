import type { KeyObject } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { chainOf, digestOf } from '../trail/chain.ts'
import { op, type Value, widths } from './encode.ts'
import { keysForMs } from './load.ts'

/** A set that the store may not take; only it fails, not its batch. */
class Refused extends Error {}

/** What becomes of a set that does not fit the file. */
export interface Mode {
  /** The end of an attempt that the file does not know: the set is refused, or only that row passed over. */
  readonly refuses: boolean
  /** A press key that is used: whoever pressed has been answered already, so that this is another press. */
  readonly isAnswered: boolean
}

export const modes = {
  /** Somebody waits to be told. */
  asked: { refuses: true, isAnswered: false },
  /** The journal has it. */
  answered: { refuses: true, isAnswered: true },
  /** The journal of an earlier life has it. */
  left: { refuses: false, isAnswered: true },
  /** For a fresh file, which does not know what came before it. */
  again: { refuses: false, isAnswered: false },
} as const satisfies { readonly [name: string]: Mode }

/** Key of a fact that was there already, as it was answered: id, incident, answer as text. */
export type Repeat = readonly [id: string, incident: string | null, answer: string]

interface Head {
  readonly seq: number
  readonly chain: Uint8Array
}

const insert = (table: string, columns: string, more = '') =>
  `INSERT INTO ${table} (${columns}) VALUES (${columns.replaceAll(/\w+/g, '?')}) ${more}`

const upsert = (table: string, id: string, columns: string) =>
  insert(
    table,
    `${id}, ${columns}`,
    `ON CONFLICT (${id}) DO UPDATE SET ${columns.replaceAll(/\w+/g, (column) => `${column} = excluded.${column}`)}`,
  )

/** Writes the rows of change sets within a transaction that the caller holds; one prepared statement for each op. */
export class Writer {
  readonly #key: KeyObject
  readonly #statements: StatementSync[] = []
  readonly #keyOwner: StatementSync
  readonly #renameKey: StatementSync
  readonly #addTrail: StatementSync
  readonly #addTouched: StatementSync
  /** Commands that are not written yet, by id; null: each is written as it comes. */
  #held: Map<string, Value[]> | null = null
  head: Head

  constructor(db: DatabaseSync, key: KeyObject, head: Head) {
    this.#key = key
    this.head = head
    const sql: { [name in Exclude<keyof typeof op, 'set'>]: string } = {
      fact: insert(
        'fact',
        'source, key, id, incident, answer, body, at',
        'ON CONFLICT (source, key) DO NOTHING',
      ),
      cursor: upsert('cursor', 'device', 'value'),
      incident: upsert(
        'incident',
        'id',
        'number, open, look_at, opened_at, revision, kept, body, closed_at',
      ).replace(
        'closed_at = excluded.closed_at',
        'closed_at = CASE WHEN open = 0 AND excluded.open = 0 THEN closed_at ELSE excluded.closed_at END',
      ),
      command: `INSERT INTO command (id, incident, target, due_at, expires_at, attempt, body, receipt, in_flight, crashed,
        effect) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?6 > 0 AND ?8 IS NULL, 0, 'none') ON CONFLICT (id) DO NOTHING`,
      start: `UPDATE command SET attempt = ?2, crashed = crashed + in_flight, in_flight = 1
        WHERE id = ?1 AND attempt < ?2 AND receipt IS NULL`,
      retry: `UPDATE command SET due_at = ?3, effect = ?4, in_flight = 0
        WHERE id = ?1 AND attempt = ?2 AND receipt IS NULL`,
      settle: `UPDATE command SET receipt = ?3, in_flight = 0 WHERE id = ?1 AND attempt = ?2 AND receipt IS NULL`,
      hold: upsert('hold', 'id', 'door, incident, mode, until, by, ended, body'),
      register: upsert('register', 'kind, name', 'body'),
      fault: upsert('fault', 'id', 'opened_at, closed_at, body'),
      revision: insert('revision', 'id, config, at', 'ON CONFLICT (id) DO NOTHING'),
    }
    for (const [name, text] of Object.entries(sql))
      this.#statements[op[name as keyof typeof op]] = db.prepare(text)
    this.#keyOwner = db.prepare('SELECT id, incident, answer, at FROM fact WHERE source = ? AND key = ?')
    // The earlier press stays on record, under a key with its own id.
    this.#renameKey = db.prepare('UPDATE fact SET key = key || char(10) || id WHERE source = ? AND key = ?')
    this.#addTrail = db.prepare(insert('trail', 'seq, at, incidents, digest, chain, payload'))
    this.#addTouched = db.prepare(insert('trail_incident', 'incident, seq', 'ON CONFLICT DO NOTHING'))
  }

  /** Commands wait for the end of `work`: most get their receipt in the batch that they come in, and are then written once. */
  holding<T>(work: () => T): T {
    const held = new Map<string, Value[]>()
    this.#held = held
    try {
      const result = work()
      for (const command of held.values()) this.#put(command)
      return result
    } finally {
      this.#held = null
    }
  }

  #put(command: readonly Value[]): void {
    const [id, attempt, receipt] = [command[0] as Value, command[5] as Value, command[7] as Value]
    const isNew = this.#statements[op.command]!.run(...command).changes > 0
    if (isNew || receipt === null) return
    // It was there already, and is left as it is; its end is the end of that one.
    if (this.#statements[op.settle]!.run(id, attempt, receipt).changes === 0) throw misfit(id, attempt)
  }

  /** true: the row is held, or is the end of one that is. */
  #isHeld(held: Map<string, Value[]>, kind: number, values: readonly Value[]): boolean {
    const [id, attempt, receipt] = values as [string, number, string]
    const command = held.get(id)
    if (kind === op.command) {
      if (!command) held.set(id, [...values])
      return true
    }
    if (!command || (kind !== op.start && kind !== op.retry && kind !== op.settle)) return false
    if (kind === op.settle) {
      if (command[5] !== attempt || command[7] !== null) throw misfit(id, attempt)
      command[7] = receipt
      return true
    }
    // All of them, so that commands keep their order.
    for (const one of held.values()) this.#put(one)
    held.clear()
    return false
  }

  /**
   * Applies the set that starts at `from` in `flat`, and returns where the next one starts; `repeated` is told when its
   * key is used already, and then nothing of it is written. Throws Refused, or what SQLite throws.
   */
  set(flat: readonly Value[], from: number, mode: Mode, repeated: (by: Repeat) => void): number {
    const at = flat[from + 1] as number
    let next = from + 1 + widths[op.set]!
    while (next < flat.length && flat[next] !== op.set) {
      const kind = flat[next] as number
      const after = next + 1 + widths[kind]!
      const values = flat.slice(next + 1, after)
      next = after
      if (kind === op.fact || kind === op.revision) values.push(at)
      else if (kind === op.incident) values.push(values[2] === 1 ? null : at)
      else if (kind === op.command) values.push(null)
      if (this.#held && this.#isHeld(this.#held, kind, values)) continue
      const changed = this.#statements[kind]!.run(...values).changes
      if (changed > 0) continue
      if (kind === op.fact) {
        const [source, key, id] = values as [string, string, string]
        const owner = this.#keyOwner.get(source, key)
        // Used so long ago, it is no repeat: counters begin again. Nor is what memory no longer knew, and has answered.
        const isOther =
          at - (owner?.['at'] as number) > keysForMs || (mode.isAnswered && owner?.['id'] !== id)
        if (isOther) {
          this.#renameKey.run(source, key)
          this.#statements[kind]!.run(...values)
          continue
        }
        repeated([owner?.['id'] as string, owner?.['incident'] as string | null, owner?.['answer'] as string])
        return endOf(flat, next)
      }
      if (mode.refuses && (kind === op.start || kind === op.retry || kind === op.settle))
        throw misfit(values[0] as Value, values[1] as Value)
    }
    const payload = flat[from + 3] as string | null
    if (payload !== null) this.trail(at, flat[from + 2] as string | null, payload)
    return next
  }

  /** Appends one chained row. */
  trail(at: number, incidents: string | null, payload: string): void {
    const seq = this.head.seq + 1
    const digest = digestOf(payload)
    const chain = chainOf(this.#key, this.head.chain, seq, at, digest)
    this.#addTrail.run(seq, at, incidents, digest, chain, payload)
    if (incidents !== null) for (const one of incidents.split('\n')) this.#addTouched.run(one, seq)
    this.head = { seq, chain }
  }
}

const misfit = (id: Value, attempt: Value): Refused =>
  new Refused(`command ${id} is not at attempt ${attempt}, has ended, or is not in the store`)

/** Where the set that `from` lies in ends. */
export const endOf = (flat: readonly Value[], from: number): number => {
  let next = from
  while (next < flat.length && flat[next] !== op.set) next += 1 + widths[flat[next] as number]!
  return next
}
