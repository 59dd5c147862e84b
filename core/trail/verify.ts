import type { KeyObject } from 'node:crypto'
import { basename } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '../error.ts'
import { chainOf, digestOf } from './chain.ts'

/** Rows a read: an open read keeps the write-ahead log growing. */
const pageRows = 1_000

export interface Verified {
  /** Rows that were followed, and those of them whose payload retention has erased. */
  readonly rows: number
  readonly erased: number
  readonly head: { readonly seq: number; readonly chain: string }
  /** The first place where the trail is not what was written; null when it is. */
  readonly broken: { readonly file: string; readonly seq: number; readonly why: string } | null
  /** Rows that a file got while it was failing, after the one that its continuation follows: nobody was told they are recorded. */
  readonly afterFailure: number
}

interface Row {
  readonly seq: number
  readonly at: number
  readonly digest: Uint8Array
  readonly chain: Uint8Array
  readonly payload: string | null
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/**
 * Follows the chain through the files of a store, oldest first, on connections that can't write. `expected` is a head
 * that was exported earlier: a trail that ends before it has lost its end.
 */
export const verifyTrail = (
  files: readonly string[],
  key: KeyObject,
  expected?: { readonly seq: number; readonly chain: string },
): Verified => {
  const walk = new Walk(key, expected)
  for (const [index, file] of files.entries()) {
    walk.file(file, files[index + 1] === undefined ? null : anchorOf(files[index + 1]!))
    if (walk.broken) break
  }
  return walk.result()
}

class Walk {
  readonly #key: KeyObject
  readonly #expected: { readonly seq: number; readonly chain: string } | undefined
  #rows = 0
  #erased = 0
  #afterFailure = 0
  #head: { seq: number; chain: Uint8Array } | null = null
  #sawExpected = false
  broken: { file: string; seq: number; why: string } | null = null

  constructor(key: KeyObject, expected: { readonly seq: number; readonly chain: string } | undefined) {
    this.#key = key
    this.#expected = expected
  }

  /** `next` is what the continuation of this file says it follows. */
  file(path: string, next: { seq: number } | null): void {
    const name = basename(path)
    const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 })
    try {
      if (!this.#begin(name, readAnchor(db))) return
      const page = db.prepare(
        'SELECT seq, at, digest, chain, payload FROM trail WHERE seq > ? ORDER BY seq LIMIT ?',
      )
      for (let rows: Row[] | null = null; !rows || rows.length === pageRows; ) {
        rows = page.all(this.#head!.seq, pageRows) as unknown as Row[]
        const past = next ? rows.findIndex(({ seq }) => seq > next.seq) : -1
        if (past >= 0) {
          this.#afterFailure += rows.length - past
          rows.length = past
        }
        if (!rows.every((row) => this.#row(name, row))) return
      }
    } catch (error) {
      this.#break(name, (this.#head?.seq ?? 0) + 1, `can't be read: ${messageOf(error)}`)
    } finally {
      db.close()
    }
  }

  #begin(file: string, anchor: { seq: number; chain: Uint8Array } | null): boolean {
    const before = this.#head
    if (!anchor) this.#break(file, 1, 'the file does not say what it follows')
    else if (before && (anchor.seq !== before.seq || hex(anchor.chain) !== hex(before.chain)))
      this.#break(file, anchor.seq, `it does not follow the file before, which ends at ${before.seq}`)
    else this.#head = anchor
    return !this.broken
  }

  #row(file: string, { seq, at, digest, chain, payload }: Row): boolean {
    const before = this.#head!
    if (seq !== before.seq + 1) this.#break(file, before.seq + 1, `missing; the next row is ${seq}`)
    else if (payload !== null && hex(digestOf(payload)) !== hex(digest))
      this.#break(file, seq, 'its payload is not what was recorded')
    else if (hex(chainOf(this.#key, before.chain, seq, at, digest)) !== hex(chain))
      this.#break(file, seq, 'its place, time or digest is not what was recorded, or the key is another one')
    if (this.broken) return false
    this.#rows++
    if (payload === null) this.#erased++
    this.#head = { seq, chain }
    const { seq: wanted, chain: exported } = this.#expected ?? {}
    if (seq === wanted) {
      this.#sawExpected = true
      if (hex(chain) !== exported) this.#break(file, seq, 'it is not the row whose head was exported')
    }
    return !this.broken
  }

  #break(file: string, seq: number, why: string): void {
    this.broken ??= { file, seq, why }
  }

  result(): Verified {
    const head = { seq: this.#head?.seq ?? 0, chain: this.#head ? hex(this.#head.chain) : '' }
    const wanted = this.#expected?.seq ?? 0
    if (!this.broken && wanted > head.seq)
      this.#break('', head.seq + 1, `the end is cut off: row ${wanted} was exported`)
    else if (!this.broken && wanted > 0 && !this.#sawExpected)
      this.#break('', wanted, 'the exported row is not there')
    return {
      rows: this.#rows,
      erased: this.#erased,
      head,
      broken: this.broken,
      afterFailure: this.#afterFailure,
    }
  }
}

const readAnchor = (db: DatabaseSync): { seq: number; chain: Uint8Array } | null =>
  (db.prepare('SELECT seq, chain FROM anchor').get() as { seq: number; chain: Uint8Array } | undefined) ??
  null

const anchorOf = (path: string): { seq: number } | null => {
  const db = new DatabaseSync(path, { readOnly: true, timeout: 2_000 })
  try {
    return readAnchor(db)
  } catch {
    return null
  } finally {
    db.close()
  }
}
