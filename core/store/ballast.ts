import { randomFillSync } from 'node:crypto'
import { existsSync, statSync, unlinkSync } from 'node:fs'
import { open, rename, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'

const chunkBytes = 1_048_576

/** A file that holds room free on the disk, to be deleted when there is none. */
export class Ballast {
  readonly #dir: string
  readonly #path: string
  readonly #bytes: number
  #gone = false

  constructor(dir: string, bytes: number) {
    this.#dir = dir
    this.#path = join(dir, 'ballast')
    this.#bytes = bytes
  }

  /** It was given up, or there was no room to make it. */
  get gone(): boolean {
    return this.#gone
  }

  /** Gives its room back; false when there was none. */
  drop(): boolean {
    try {
      unlinkSync(this.#path)
      this.#gone = true
      return true
    } catch {
      return false
    }
  }

  /** Makes it where the disk has twice its size free; off the store's thread, since it takes its time. False: no room. */
  async make(): Promise<boolean> {
    this.#gone = !(await this.#fits())
    return !this.#gone
  }

  async #fits(): Promise<boolean> {
    if (this.#bytes === 0 || (existsSync(this.#path) && statSync(this.#path).size >= this.#bytes)) return true
    const { bavail, bsize } = await statfs(this.#dir)
    if (bavail * bsize < 2 * this.#bytes) return false
    const unfinished = `${this.#path}.new`
    try {
      await this.#fill(unfinished)
      await rename(unfinished, this.#path)
      return true
    } catch {
      await unlink(unfinished).catch(() => {})
      return false
    }
  }

  async #fill(path: string): Promise<void> {
    const file = await open(path, 'w', 0o600)
    try {
      // Random, or a file system that compresses would hold no room for it.
      const chunk = randomFillSync(Buffer.alloc(Math.min(chunkBytes, this.#bytes)))
      for (let done = 0; done < this.#bytes; done += chunk.length)
        await file.write(chunk, 0, Math.min(chunk.length, this.#bytes - done))
      await file.sync()
    } finally {
      await file.close()
    }
  }
}
