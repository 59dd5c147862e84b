import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { BridgeError, messageOf } from '../error.ts'
import { trailKey } from '../trail/key.ts'
import { Ballast } from './ballast.ts'
import type { Value } from './encode.ts'
import { firstFile, isFull, nextFile, own, storeFiles } from './files.ts'
import { type Filed, type JournalRecord, newStore, type Part, unfiled } from './journal.ts'
import type { Loaded } from './load.ts'
import type { TrailHead } from './port.ts'
import type { Slice } from './prune.ts'
import type { Reader } from './reader.ts'
import { headOf, nothing, type OpenedFile, opened, stateOf } from './salvage.ts'
import { type Applied, Engine } from './sqlite.ts'

export interface DiskOptions {
  readonly dir: string
  readonly ballastBytes: number
  readonly ownerWaitMs: number
}

/** What a batch came to: on disk, or the file is given up and a fresh one must be made. */
export type Written =
  | { readonly applied: Applied; readonly ballastGone: boolean }
  | { readonly lost: string; readonly ballastGone: boolean }

/** What a fresh file continues. The client knows it, since this side may be a thread that has just been born. */
export interface Continues {
  readonly at: number
  readonly epoch: number
  readonly head: TrailHead
  readonly file: string | null
  readonly why: string
  /** What the fresh file has once it is adopted. */
  readonly filed: Filed
}

/** A data directory with its lock, its ballast and the one file that is written: which file that is, and until when. */
export class Disk {
  readonly #options: DiskOptions
  readonly #ballast: Ballast
  readonly #mono: () => number
  #key: KeyObject | null = null
  #owner: { release(): void } | null = null
  #engine: Engine | null = null
  /** A fresh file that is being filled. */
  #fresh: Engine | null = null
  /** Closing a file checkpoints it: the last thing to do to one that has failed. They stay as they are. */
  readonly #givenUp: Engine[] = []
  /** The file that is being opened, to name it when that fails. */
  #trying: string | null = null
  /** What the journal has and no file. */
  #unfiled: readonly JournalRecord[] = []

  constructor(options: DiskOptions, mono: () => number) {
    this.#options = options
    this.#mono = mono
    this.#ballast = new Ballast(options.dir, options.dir === ':memory:' ? 0 : options.ballastBytes)
  }

  open(at: number): OpenedFile {
    let engine: Engine | null = null
    try {
      this.#claim()
      this.#key ??= this.#isMemory ? createSecretKey(randomBytes(32)) : trailKey(this.#options.dir)
      const key = this.#key
      engine = this.#withRoom(() => this.#newest(key))
      const trouble = this.#takeUnfiled(engine)
      const { unread } = engine.loaded
      if (unread.length > 0)
        return this.#salvage(engine, at, `${basename(engine.path)} is damaged: ${unread.join('; ')}`)
      const epoch = this.#withRoom(() => engine!.take())
      if (this.#unfiled.length > 0) this.#withRoom(() => engine!.catchUp(this.#unfiled))
      this.#unfiled = []
      this.#engine = engine
      return opened(engine.loaded, epoch, engine, { trouble, filed: engine.filed as Filed })
    } catch (error) {
      if (error instanceof BridgeError) throw error
      refuseWhatNobodyCanMend(error, this.#options.dir)
      return this.#salvage(engine, at, messageOf(error))
    }
  }

  write(parts: readonly Part[], upTo: number): Written {
    const engine = this.#engine
    if (!engine) return { lost: 'no file is open', ballastGone: this.#ballast.gone }
    try {
      return { applied: this.#withRoom(() => engine.write(parts, upTo)), ballastGone: this.#ballast.gone }
    } catch (error) {
      this.#engine = null
      this.#givenUp.push(engine)
      return { lost: `${basename(engine.path)}: ${messageOf(error)}`, ballastGone: this.#ballast.gone }
    }
  }

  /** What is better done between two commits than within one. */
  tidy(): void {
    this.#engine?.tidy()
  }

  /** Starts a fresh file after the last row that is known to be on disk. Throws when there is no room for one either. */
  renew(of: Continues): void {
    this.#claim()
    this.#key ??= this.#isMemory ? createSecretKey(randomBytes(32)) : trailKey(this.#options.dir)
    // Of an attempt that was not carried through.
    if (this.#fresh) this.#dropFresh(this.#fresh.path)
    const path = this.#isMemory ? ':memory:' : nextFile(this.#options.dir, of.at)
    try {
      this.#fresh = new Engine(path, this.#key)
      const { seq, chain } = of.head
      this.#fresh.follow(
        { seq, chain: Buffer.from(chain, 'hex'), file: of.file ?? '', why: of.why },
        of.epoch,
      )
      this.#fresh.say(of.at, {
        what: 'store.continues',
        incident: null,
        file: of.file,
        seq,
        chain,
        why: of.why,
      })
      this.#fresh.filed = of.filed
      for (const { flat } of this.#unfiled) this.#fresh.replay(flat)
    } catch (error) {
      this.#dropFresh(path)
      throw error
    }
  }

  /** Writes a part of what happened meanwhile. */
  replay(flat: readonly Value[]): void {
    this.#onFresh((fresh) => fresh.replay(flat))
  }

  /** Writes the rest and what is open now; from here on the fresh file is the store's. */
  adopt(past: readonly Value[], present: readonly Value[], at: number): { head: TrailHead; file: string } {
    const { head } = this.#onFresh((fresh) => fresh.complete(past, present, at))
    this.#engine = this.#fresh
    this.#fresh = null
    this.#unfiled = []
    return { head, file: basename(this.#engine!.path) }
  }

  get reader(): Reader {
    if (!this.#engine)
      throw new BridgeError('STORE_FAILED', 'there is no file to read from: see the fault of the store')
    return this.#engine.reader
  }

  /** One slice; what fails here fails the next commit too, which then decides. */
  prune(before: number): Slice {
    return this.#engine ? this.#engine.prune(before, this.#mono) : { erased: 0, done: true, evidence: [] }
  }

  async backup(path: string): Promise<void> {
    if (!this.#engine)
      throw new BridgeError('STORE_FAILED', 'there is no file to back up: see the fault of the store')
    await this.#engine.backup(path)
  }

  /** Makes the ballast again where there is room; true when it is there. */
  tend(): Promise<boolean> {
    return this.#ballast.make()
  }

  close(): void {
    if (this.#fresh) this.#dropFresh(this.#fresh.path)
    this.#engine?.close()
    this.#engine = null
    this.#owner?.release()
    this.#owner = null
  }

  get #isMemory(): boolean {
    return this.#options.dir === ':memory:'
  }

  #claim(): void {
    if (this.#isMemory || this.#owner) return
    try {
      mkdirSync(this.#options.dir, { recursive: true, mode: 0o700 })
    } catch (error) {
      if (isFull(error)) throw error
      const message = `the data directory ${this.#options.dir} can't be made: ${messageOf(error)}`
      throw new BridgeError('STORE_FAILED', message, { cause: error })
    }
    this.#owner = own(this.#options.dir, this.#options.ownerWaitMs)
  }

  /** The newest file that is whole; a continuation that was cut off by a crash holds nothing anybody was told of. */
  #newest(key: KeyObject): Engine {
    if (this.#isMemory) return new Engine(':memory:', key)
    const { dir } = this.#options
    for (const path of storeFiles(dir).reverse()) {
      this.#trying = basename(path)
      const engine = new Engine(path, key)
      if (path === firstFile(dir) || engine.isComplete) return engine
      engine.close()
      setAside(path)
    }
    return new Engine(firstFile(dir), key)
  }

  /** Why the journal can't be read, in words: the file is as it was until right before the last life ended. */
  #takeUnfiled(engine: Engine | null): string | null {
    try {
      this.#unfiled = this.#left(engine)
      return null
    } catch (error) {
      return `the journal can't be read, and the last moment before the stop may be missing: ${messageOf(error)}`
    }
  }

  /** What the journal has of this file's and the file has not; all of it, when the file does not even say that. */
  #left(engine: Engine | null): JournalRecord[] {
    if (this.#isMemory) return []
    const { dir } = this.#options
    if (!engine) return unfiled(dir, null)
    const { filed } = engine
    return filed ? unfiled(dir, filed) : []
  }

  /** Carries over what a damaged file and the journal still give; without a disk for it, the bridge starts from memory. */
  #salvage(engine: Engine | null, at: number, why: string): OpenedFile {
    if (engine) this.#givenUp.push(engine)
    if (this.#unfiled.length === 0) this.#takeUnfiled(engine)
    const known = engine?.loaded ?? nothing(why)
    const loaded = { ...this.#withUnfiled(known, at), unread: [why] }
    const epoch = loaded.epoch + 1
    const head = headOf(loaded.head)
    const file = this.#trying
    const filed = { store: newStore(), upTo: this.#unfiled.at(-1)?.n ?? 0 }
    try {
      this.renew({ at: Math.max(at, loaded.clockFloor), epoch, head, file, why, filed })
      this.adopt([], stateOf(loaded, at), at)
      return opened(loaded, epoch, this.#engine, { trouble: why, filed })
    } catch (error) {
      if (error instanceof BridgeError) throw error
      const trouble = `${why}; no fresh file: ${messageOf(error)}`
      return opened(loaded, epoch, null, { trouble, filed })
    }
  }

  /** What was read of a file, with what the journal has beyond it. */
  #withUnfiled(loaded: Loaded, at: number): Loaded {
    if (this.#unfiled.length === 0) return loaded
    const memory = new Engine(':memory:', this.#key as KeyObject)
    try {
      memory.follow({ ...loaded.head, file: '', why: '' }, loaded.epoch)
      memory.replay(stateOf(loaded, at))
      memory.catchUp(this.#unfiled)
      const { clockFloor, nextIncidentNumber } = memory.loaded
      return {
        ...memory.loaded,
        epoch: loaded.epoch,
        head: loaded.head,
        clockFloor: Math.max(clockFloor, loaded.clockFloor),
        nextIncidentNumber: Math.max(nextIncidentNumber, loaded.nextIncidentNumber),
        moreCommands: loaded.moreCommands,
      }
    } finally {
      memory.close()
    }
  }

  /** Runs again without the ballast when the disk is full. */
  #withRoom<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!isFull(error) || !this.#ballast.drop()) throw error
      return work()
    }
  }

  #onFresh<T>(work: (fresh: Engine) => T): T {
    const fresh = this.#fresh
    if (!fresh) throw new Error('no fresh file was begun')
    try {
      return this.#withRoom(() => work(fresh))
    } catch (error) {
      this.#dropFresh(fresh.path)
      throw error
    }
  }

  #dropFresh(path: string): void {
    try {
      this.#fresh?.close()
    } catch {
      // It never counted.
    }
    this.#fresh = null
    if (!this.#isMemory) for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true })
  }
}

/**
 * Out of the row of the store's files, whose trail goes on in the file before; kept, since it may be a whole one that is
 * damaged. Where that can't be done it is passed over at the next start again.
 */
const setAside = (path: string): void => {
  try {
    for (const end of ['-wal', '-shm', ''])
      if (existsSync(path + end)) renameSync(path + end, `${path}.cut-off${end}`)
  } catch {
    // A disk that can't be written says so at the first commit.
  }
}

/** Rights are a matter of setting up; starting without them would only hide it. SQLITE_PERM, READONLY, CANTOPEN. */
const refuseWhatNobodyCanMend = (error: unknown, dir: string): void => {
  const { errcode, code } = error as { errcode?: number; code?: string }
  if (![3, 8, 14].includes((errcode ?? 0) & 0xff) && code !== 'EACCES' && code !== 'EROFS') return
  const message = `the store in ${dir} can't be opened: ${messageOf(error)}; check the rights of the directory`
  throw new BridgeError('STORE_FAILED', message, { cause: error })
}
