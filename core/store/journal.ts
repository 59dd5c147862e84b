import { randomInt } from 'node:crypto'
import { close, constants, fsync, ftruncate, open, readFileSync, writev } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { crc32 } from 'node:zlib'
import type { Value } from './encode.ts'

/**
 * Each of the two halves, bytes. They are written in turn, one while what is in the other gets into the store's file: some
 * seconds of the highest rate. At rest the first few pages are written over and over.
 */
const halfBytes = 4 * 1_048_576

/** Before each record, bytes: mark, length and CRC-32 of what follows it, then number and store, which it covers too. */
const headerBytes = 28
const coveredFrom = 12
/** Says also how a record is laid out: to be changed with `op` and `widths` of `encode.ts`. */
const mark = 0x44424a31

/** Which store a journal belongs to, and up to which record it has that in its file. */
export interface Filed {
  readonly store: number
  readonly upTo: number
}

/** null: a file that has never had a journal. */
export const filedIn = (db: DatabaseSync): Filed | null => {
  const rows = db.prepare("SELECT key, value FROM meta WHERE key IN ('journal', 'filed')").all()
  const { journal, filed } = Object.fromEntries(
    rows.map(({ key, value }) => [key as string, value as number]),
  )
  return journal === undefined ? null : { store: journal, upTo: filed ?? 0 }
}

/** Change sets on their way into the store's file; `n` counts them over all lives of a store. */
export interface JournalRecord {
  readonly store: number
  readonly n: number
  readonly flat: readonly Value[]
}

export const journalPath = (dir: string): string => join(dir, 'journal')

/** A name for a store that begins, so that no journal of another one is ever taken for its own. */
export const newStore = (): number => randomInt(1, 2 ** 47)

/** The change sets of a bundle as bytes, for the journal and for the store's thread. */
export const packed = (flat: readonly Value[]): Uint8Array => serialize(flat)

/**
 * Gives the memory of what was packed back at once. It lives for too long to be collected while it is young, and so would
 * pile up until the heap, which knows nothing of it, is looked through as a whole.
 */
export const release = (part: Part): void => {
  if (part instanceof Uint8Array && part.buffer instanceof ArrayBuffer) part.buffer.transfer(0)
}

/** A bundle as it is, or as the journal has it. */
export type Part = readonly Value[] | Uint8Array

export const flatOf = (part: Part): readonly Value[] => (part instanceof Uint8Array ? unpacked(part) : part)

export const unpacked = (bytes: Uint8Array): readonly Value[] => deserialize(bytes)

/**
 * What the disk has first: a press is answered when its record is here, one write that returns when it is on disk. The
 * store's file, where everything has its place, gets it soon after, many at a time. Only what a kill or a failing disk
 * leaves here is ever read.
 */
export class Journal {
  readonly #fd: number
  readonly #store: number
  #half = 0
  #end = 0
  /** The newest record of each half. */
  readonly #newest = [0, 0]
  #isWriting = false

  private constructor(fd: number, store: number) {
    this.#fd = fd
    this.#store = store
  }

  /** Rejects where there can be none: no rights, no room. */
  static async open(dir: string, store: number): Promise<Journal> {
    // O_DSYNC: the write itself returns when the disk has it, with what is needed to read it back.
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_DSYNC
    const fd = await promisify(open)(journalPath(dir), flags, 0o600)
    try {
      // Its name must last, too.
      const folder = await promisify(open)(dir, constants.O_RDONLY)
      await promisify(fsync)(folder).finally(() => close(folder))
      return new Journal(fd, store)
    } catch (error) {
      close(fd)
      throw error
    }
  }

  /**
   * Writes one record, for which `then` is called once it is on disk, or with the error. false: there is no room until
   * more is in the store's file, which has all up to `filed`. One at a time.
   */
  append(n: number, bytes: Uint8Array, filed: number, then: (error: Error | null) => void): boolean {
    const at = this.#isWriting ? null : this.#place(headerBytes + bytes.length, filed)
    if (at === null) return false
    this.#newest[this.#half] = n
    this.#isWriting = true
    writev(this.#fd, [headerOf(this.#store, n, bytes), bytes], at, (error, written) => {
      this.#isWriting = false
      const isCut = !error && written < headerBytes + bytes.length
      then(isCut ? new Error('the journal was written in part only') : error)
    })
    return true
  }

  #place(size: number, filed: number): number | null {
    if (size > halfBytes) return null
    if (Math.max(...this.#newest) <= filed) {
      this.#half = 0
      this.#end = 0
    } else if (this.#end + size > halfBytes) {
      const other = 1 - this.#half
      if ((this.#newest[other] as number) > filed) return null
      this.#half = other
      this.#end = 0
    }
    const at = this.#half * halfBytes + this.#end
    this.#end += size
    return at
  }

  /** Leaves nothing of what the store's file has, so that what retention erases there is gone here, too. Never rejects. */
  async wipe(filed: number): Promise<void> {
    if (this.#isWriting || Math.max(...this.#newest) > filed) return
    this.#isWriting = true
    await promisify(ftruncate)(this.#fd, 0).catch(() => {})
    this.#isWriting = false
  }

  async close(filed: number): Promise<void> {
    await this.wipe(filed)
    await promisify(close)(this.#fd).catch(() => {})
  }
}

/**
 * What a journal has that the store's file has not, in order and without a gap; `of` null: of a file that says nothing any
 * more, so all of the newest store. A record that was cut off was told to nobody, and ends its half.
 */
export const unfiled = (dir: string, of: Filed | null): JournalRecord[] => {
  const bytes = bytesOf(dir)
  const all = [...recordsIn(bytes.subarray(0, halfBytes)), ...recordsIn(bytes.subarray(halfBytes))]
  const ordered = all.sort((a, b) => a.n - b.n)
  const store = of ? of.store : ordered.at(-1)?.store
  const own = ordered.filter((record) => record.store === store && record.n > (of?.upTo ?? 0))
  const first = of ? of.upTo + 1 : (own[0]?.n ?? 0)
  return own.filter(({ n }, index) => n === first + index)
}

const bytesOf = (dir: string): Buffer => {
  try {
    return readFileSync(journalPath(dir))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

/** The records from the beginning of a half to the first that is not a newer one: what follows is of an earlier turn. */
const recordsIn = (half: Buffer): JournalRecord[] => {
  const records: JournalRecord[] = []
  for (let from = 0; from + headerBytes <= half.length; ) {
    const end = from + headerBytes + half.readUInt32LE(from + 4)
    if (half.readUInt32LE(from) !== mark || end > half.length) break
    if (crc32(half.subarray(from + coveredFrom, end)) !== half.readUInt32LE(from + 8)) break
    const [n, store] = [half.readDoubleLE(from + coveredFrom), half.readDoubleLE(from + coveredFrom + 8)]
    const before = records.at(-1)
    if (before && n <= before.n) break
    records.push({ store, n, flat: unpacked(half.subarray(from + headerBytes, end)) })
    from = end
  }
  return records
}

const headerOf = (store: number, n: number, bytes: Uint8Array): Buffer => {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt32LE(mark, 0)
  header.writeUInt32LE(bytes.length, 4)
  header.writeDoubleLE(n, coveredFrom)
  header.writeDoubleLE(store, coveredFrom + 8)
  header.writeUInt32LE(crc32(bytes, crc32(header.subarray(coveredFrom))), 8)
  return header
}
