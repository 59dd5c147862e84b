import type { KeyObject } from 'node:crypto'
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite'
import { messageOf } from '../error.ts'
import { genesis } from '../trail/chain.ts'
import { endOf, type Mode, modes, type Repeat, Writer } from './apply.ts'
import type { Value } from './encode.ts'
import { type Filed, filedIn, flatOf, type JournalRecord, newStore, type Part } from './journal.ts'
import { type Loaded, load } from './load.ts'
import type { TrailHead } from './port.ts'
import { pruneSlice, type Slice } from './prune.ts'
import { Reader } from './reader.ts'
import { migrate, openDatabase } from './schema.ts'

/** What became of a batch that is on disk; sets are named by their place in it. */
export interface Applied {
  readonly refused: readonly (readonly [index: number, why: string])[]
  readonly repeated: readonly (readonly [index: number, by: Repeat])[]
  readonly head: TrailHead
}

/** What the first trail row of a file follows. */
export interface Anchor {
  readonly seq: number
  readonly chain: Uint8Array
  readonly file: string
  readonly why: string
}

const setMeta = 'INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value'

/** In one step: between two, any commit would make SQLite begin anew. */
const allPages = 2_147_483_647

/** Pages in the write-ahead log from which they are carried into the file; SQLite's own default. */
const walPages = 1_000

/** One file, synchronously. Any error that leaves it means: don't use this file any more (`disk.ts` decides). */
export class Engine {
  readonly path: string
  readonly reader: Reader
  loaded: Loaded
  #epoch = 0
  readonly #db: DatabaseSync
  readonly #key: KeyObject
  #writer!: Writer
  readonly #owner: StatementSync
  readonly #filed: StatementSync
  readonly #wal: StatementSync

  /** Opens or makes a file and reads what is open in it; `take` or `follow` comes before anything is written. */
  constructor(path: string, key: KeyObject) {
    this.path = path
    this.#key = key
    this.#db = openDatabase(path)
    try {
      migrate(this.#db, path)
      this.#owner = this.#db.prepare("SELECT value FROM meta WHERE key = 'epoch'")
      this.#filed = this.#db.prepare(setMeta)
      this.#wal = this.#db.prepare('PRAGMA wal_checkpoint(NOOP)')
      this.loaded = load(this.#db)
      this.reader = new Reader(this.#db)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Makes the file ours with a new epoch, and a new file the first of its trail. */
  take(): number {
    this.#setEpoch(this.loaded.epoch + 1)
    this.#db
      .prepare('INSERT INTO anchor SELECT 0, ?, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM anchor)')
      .run(genesis)
    this.filed ??= { store: newStore(), upTo: 0 }
    this.#writer = new Writer(this.#db, this.#key, this.loaded.head)
    return this.#epoch
  }

  /** Which journal goes with this file, and how much of it is in here; null: none yet. */
  get filed(): Filed | null {
    return filedIn(this.#db)
  }

  set filed({ store, upTo }: Filed) {
    this.#db.prepare(setMeta).run('journal', store)
    this.#filed.run('filed', upTo)
  }

  /** Writes what the life before left in its journal, and reads again what is open; `take` came before it. */
  catchUp(records: readonly JournalRecord[]): void {
    this.#transaction(() => {
      for (const { flat } of records) this.#oneByOne([flat], modes.left)
      this.#filed.run('filed', records.at(-1)?.n ?? 0)
    })
    this.loaded = load(this.#db)
  }

  /** Makes a new file the continuation of another; it counts only once `complete` has been called. */
  follow(anchor: Anchor, epoch: number): void {
    this.#db
      .prepare('INSERT INTO anchor VALUES (?, ?, ?, ?)')
      .run(anchor.seq, anchor.chain, anchor.file, anchor.why)
    this.#setEpoch(epoch)
    this.#writer = new Writer(this.#db, this.#key, anchor)
  }

  get head(): TrailHead {
    const { seq, chain } = this.#writer.head
    return { seq, chain: Buffer.from(chain).toString('hex') }
  }

  /**
   * Writes bundles in one transaction, the last of which has the number `upTo`. When a set doesn't fit, all is written
   * again one set at a time.
   */
  write(parts: readonly Part[], upTo: number): Applied {
    try {
      return this.#transaction(() =>
        this.#filedTo(
          upTo,
          this.#writer.holding(() => this.#batch(parts)),
        ),
      )
    } catch (error) {
      if (!isOfTheSet(error)) throw error
      return this.#transaction(() => this.#filedTo(upTo, this.#oneByOne(parts, null)))
    }
  }

  /** Writes what a continuation takes over; what it doesn't know is passed over. */
  replay(flat: readonly Value[]): void {
    this.#transaction(() => this.#oneByOne([flat], modes.again))
  }

  /** The last batch of a continuation: the rest of the past, then what is open now without a trail of its own. */
  complete(past: readonly Value[], present: readonly Value[], at: number): Applied {
    return this.#transaction(() => {
      this.#oneByOne([past], modes.again)
      this.#oneByOne([present], modes.again)
      this.#db.prepare("INSERT INTO meta VALUES ('complete', ?)").run(at)
      return { refused: [], repeated: [], head: this.head }
    })
  }

  /** One trail row of the store's own. */
  say(at: number, entry: { readonly [name: string]: string | number | null }): void {
    this.#transaction(() => this.#writer.trail(at, null, JSON.stringify([entry])))
  }

  prune(before: number, mono: () => number): Slice {
    return pruneSlice(this.#db, before, mono)
  }

  /** A continuation counts only when all that it continues is in it. */
  get isComplete(): boolean {
    return this.#db.prepare("SELECT 1 FROM meta WHERE key = 'complete'").get() !== undefined
  }

  /** By a connection of its own, in one step: SQLite copies in another thread, and commits go on meanwhile. */
  async backup(path: string): Promise<void> {
    const source = this.path === ':memory:' ? this.#db : new DatabaseSync(this.path, { readOnly: true })
    try {
      await backup(source, path, { rate: allPages })
    } finally {
      if (source !== this.#db) source.close()
    }
  }

  /**
   * Carries what is in the write-ahead log into the file when that is much. SQLite would do it within a commit, for which
   * a press waits. What fails here fails the next commit too, which then decides.
   */
  tidy(): void {
    try {
      const { log, checkpointed } = this.#wal.get() as { log: number; checkpointed: number }
      if (log - checkpointed >= walPages) this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)')
    } catch {
      // Nothing is lost: it stays in the log.
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  #setEpoch(epoch: number): void {
    this.#db.prepare(setMeta).run('epoch', epoch)
    this.#epoch = epoch
  }

  #filedTo(upTo: number, applied: Applied): Applied {
    this.#filed.run('filed', upTo)
    return applied
  }

  #batch(parts: readonly Part[]): Applied {
    const repeated: [number, Repeat][] = []
    let index = 0
    // One after the other, so that what is unpacked is young when it is let go.
    for (const part of parts) {
      const flat = flatOf(part)
      for (let next = 0; next < flat.length; index++)
        next = this.#writer.set(flat, next, modeOf(part), (by) => repeated.push([index, by]))
    }
    return { refused: [], repeated, head: this.head }
  }

  /** `mode` null: by what each part is. */
  #oneByOne(parts: readonly Part[], mode: Mode | null): Applied {
    const repeated: [number, Repeat][] = []
    const refused: [number, string][] = []
    let index = 0
    for (const part of parts) {
      const flat = flatOf(part)
      for (let next = 0; next < flat.length; index++) {
        const start = next
        const { head } = this.#writer
        this.#db.exec('SAVEPOINT one')
        try {
          next = this.#writer.set(flat, start, mode ?? modeOf(part), (by) => repeated.push([index, by]))
        } catch (error) {
          if (!isOfTheSet(error)) throw error
          this.#db.exec('ROLLBACK TO one')
          this.#writer.head = head
          refused.push([index, messageOf(error)])
          next = endOf(flat, start + 4)
        }
        this.#db.exec('RELEASE one')
      }
    }
    return { refused, repeated, head: this.head }
  }

  #transaction<T>(work: () => T): T {
    const { head } = this.#writer
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const owner = this.#owner.get()?.['value']
      const result = work()
      if (owner !== this.#epoch) throw new Error(`another owner has this file: epoch ${owner}`)
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      this.#writer.head = head
      // A transaction that found the disk full has already been rolled back by SQLite.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

/** What comes as bytes is in the journal, and was answered. */
const modeOf = (part: Part): Mode => (part instanceof Uint8Array ? modes.answered : modes.asked)

/**
 * SQLITE_TOOBIG (18), SQLITE_CONSTRAINT (19), SQLITE_MISMATCH (20), Refused, or a value that can't be bound. What is
 * really of the file comes again with the first statement of the second attempt.
 */
const isOfTheSet = (error: unknown): boolean => {
  const { errcode } = error as { errcode?: number }
  return errcode === undefined || [18, 19, 20].includes(errcode & 0xff)
}
