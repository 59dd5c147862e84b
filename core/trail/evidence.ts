import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BridgeError } from '../error.ts'

/** Room for all evidence together, bytes: some 10,000 camera pictures. */
const quotaBytes = 2 * 1_073_741_824
/** One piece, bytes. */
const pieceBytes = 16 * 1_048_576

const isHash = /^[0-9a-f]{64}$/

/**
 * Bytes kept beside the trail, DATA/evidence/<sha256>; the receipt names the hash. Nothing is ever pushed out by
 * something newer: when the quota is full, new pieces are refused until retention removes old ones.
 */
export class Evidence {
  readonly #dir: string
  readonly #quota: number
  readonly #piece: number
  #measured: Promise<void> | null = null
  #used = 0
  readonly #writing = new Map<string, Promise<void>>()

  constructor(dataDir: string, limits: { readonly quotaBytes?: number; readonly pieceBytes?: number } = {}) {
    this.#dir = join(dataDir, 'evidence')
    this.#quota = limits.quotaBytes ?? quotaBytes
    this.#piece = limits.pieceBytes ?? pieceBytes
  }

  /** Keeps bytes and returns their sha256, once they are on disk. Rejects with TOO_LARGE or STORE_FAILED. */
  async keep(bytes: Uint8Array): Promise<string> {
    const size = bytes.byteLength
    if (size > this.#piece)
      throw new BridgeError('TOO_LARGE', `a piece of evidence of ${size} bytes is over ${this.#piece}`)
    const hash = createHash('sha256').update(bytes).digest('hex')
    // The same picture twice at once is one piece, and counts once.
    const writing = this.#writing.get(hash) ?? this.#keepAs(hash, bytes)
    this.#writing.set(hash, writing)
    try {
      await writing
    } finally {
      this.#writing.delete(hash)
    }
    return hash
  }

  async #keepAs(hash: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#dir, hash)
    await this.#measure()
    // Written again, it is as young as what keeps it now: two incidents may have the same picture.
    const isNew = (await sizeOf(path)) === null
    if (isNew) this.#reserve(bytes.byteLength)
    try {
      await this.#write(path, bytes)
    } catch (error) {
      if (isNew) this.#used -= bytes.byteLength
      const message = `evidence can't be kept in ${this.#dir}: check space and rights of the disk`
      throw new BridgeError('STORE_FAILED', message, { cause: error })
    }
  }

  /** The bytes of a piece; null when there is none. Rejects with CHAIN_BROKEN when they are not what was kept. */
  async read(hash: string): Promise<Uint8Array | null> {
    if (!isHash.test(hash)) return null
    const bytes = await readFile(join(this.#dir, hash)).catch(nullIfMissing)
    if (bytes && createHash('sha256').update(bytes).digest('hex') !== hash)
      throw new BridgeError('CHAIN_BROKEN', `evidence ${hash} is not what was kept`)
    return bytes
  }

  /** Removes a piece that was last kept before `before`, ms since the epoch: retention. True when it was there. */
  async remove(hash: string, before: number): Promise<boolean> {
    if (!isHash.test(hash)) return false
    await this.#measure()
    const path = join(this.#dir, hash)
    const size = await sizeOf(path)
    if (size === null || (await stat(path)).mtimeMs >= before) return false
    await unlink(path)
    this.#used -= size
    return true
  }

  /** Written beside, made durable, then named: under its name there is never half of it. */
  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const unfinished = `${path}.${randomUUID()}.new`
    try {
      await withFile(unfinished, 'wx', async (file) => {
        await file.writeFile(bytes)
        await file.sync()
      })
      await rename(unfinished, path)
      await withFile(this.#dir, 'r', (dir) => dir.sync())
    } catch (error) {
      await unlink(unfinished).catch(() => {})
      throw error
    }
  }

  /** Before anything is written, so that many at once don't pass the quota together. */
  #reserve(size: number): void {
    if (this.#used + size > this.#quota)
      throw new BridgeError(
        'TOO_LARGE',
        `evidence is full: ${this.#used} of ${this.#quota} bytes in ${this.#dir}; shorten the retention, or move old pieces away`,
      )
    this.#used += size
  }

  /** Counts what is there, and removes what a crash left unfinished. */
  #measure(): Promise<void> {
    this.#measured ??= this.#count().catch((error) => {
      this.#measured = null
      const message = `${this.#dir} can't be used for evidence: check space and rights of the disk`
      throw new BridgeError('STORE_FAILED', message, { cause: error })
    })
    return this.#measured
  }

  async #count(): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    this.#used = 0
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name)
      if (isHash.test(name)) this.#used += (await sizeOf(path)) ?? 0
      else if (name.endsWith('.new')) await unlink(path).catch(() => {})
    }
  }
}

/** The hashes of all pieces in a data directory. */
export const evidenceIn = async (dataDir: string): Promise<string[]> => {
  const names = await readdir(join(dataDir, 'evidence')).catch(nullIfMissing)
  return (names ?? []).filter((name) => isHash.test(name))
}

const withFile = async (path: string, flags: string, use: (file: FileHandle) => Promise<void>) => {
  const file = await open(path, flags, 0o600)
  try {
    await use(file)
  } finally {
    await file.close()
  }
}

const nullIfMissing = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT') return null
  throw error
}

const sizeOf = async (path: string): Promise<number | null> =>
  (await stat(path).catch(nullIfMissing))?.size ?? null
