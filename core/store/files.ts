import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BridgeError, messageOf } from '../error.ts'

const first = 'duress.db'
const continuation = /^duress-(\d{1,16})\.db$/

const timeOf = (name: string): number => Number(continuation.exec(name)?.[1] ?? 0)

/** The store's files in a data directory, oldest first: `duress.db`, then its continuations `duress-<ms>.db`. */
export const storeFiles = (dir: string): string[] =>
  readdirSync(dir)
    .filter((name) => name === first || continuation.test(name))
    .sort((a, b) => timeOf(a) - timeOf(b))
    .map((name) => join(dir, name))

export const firstFile = (dir: string): string => join(dir, first)

/** A name that sorts after all that are there. */
export const nextFile = (dir: string, at: number): string => {
  const newest = storeFiles(dir).at(-1)
  const time = Math.max(at, newest === undefined ? 0 : timeOf(basename(newest)) + 1)
  return join(dir, `duress-${time}.db`)
}

/**
 * Owns a data directory until closed: `owner.lock` is an SQLite file of its own, held exclusively, since the lock of the
 * database itself would keep readers out.
 */
export const own = (dir: string, waitMs: number): { release(): void } => {
  const path = join(dir, 'owner.lock')
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(path, { timeout: waitMs })
    // Locking an empty file writes to it, and a full disk must not keep a start from owning its directory.
    if (statSync(path).size === 0) lock.exec('PRAGMA user_version = 1')
    lock.exec('BEGIN EXCLUSIVE')
    const held = lock
    return { release: () => held.close() }
  } catch (error) {
    lock?.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy)
      throw new BridgeError(
        'DATA_IN_USE',
        `another process owns the data directory ${dir} and did not leave within ${waitMs} ms: stop it, or use another --data directory`,
      )
    if (isFull(error)) throw error
    throw new BridgeError('STORE_FAILED', `${path} can't be locked: ${messageOf(error)}`, { cause: error })
  }
}

const sqliteBusy = 5
const sqliteFull = 13

/** No room: as SQLite says it, or as the file system does. */
export const isFull = (error: unknown): boolean => {
  const { errcode, code } = error as { errcode?: number; code?: string }
  return ((errcode ?? 0) & 0xff) === sqliteFull || code === 'ENOSPC' || code === 'EDQUOT'
}
