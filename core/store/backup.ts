import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { BridgeError, messageOf } from '../error.ts'
import { evidenceIn } from '../trail/evidence.ts'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { isFull, storeFiles } from './files.ts'
import { type Filed, filedIn, journalPath, unfiled } from './journal.ts'
import { type Manifest, manifestName, sumOf, sync } from './manifest.ts'
import { versionOf } from './schema.ts'

/** In one step: between two, any commit would make SQLite begin anew. */
const allPages = 2_147_483_647
/** How often the set of files may change under a backup: the store starts a fresh one when a disk fails. */
const triesMax = 5

export interface BackedUp extends Manifest {
  readonly bytes: number
  readonly evidence: number
  /** Where the trail is not what was written, as in the original; null when it is whole. */
  readonly broken: string | null
  /** Evidence that is not what was kept; it is in the backup as it was found. */
  readonly damaged: readonly string[]
}

/** What is written until a backup is whole. */
export const unfinished = (to: string): string => `${to}.unfinished`

/**
 * Backs a data directory up into the new folder `to`, which is laid out like it, while a bridge may be writing: the
 * store by SQLite's own backup over connections that can't write, never by its files. The folder gets its name when all
 * is in it and on disk; until then, and after a kill, it is called `unfinished(to)`. Rejects with STORE_FAILED.
 */
export const backUp = async (
  data: string,
  to: string,
  { at, version }: { readonly at: number; readonly version: string },
): Promise<BackedUp> => {
  if (existsSync(to))
    throw new BridgeError('STORE_FAILED', `${to} is there already: name a folder that is not`)
  const key = readTrailKey(data)
  if (!key || storeFiles(data).length === 0)
    throw new BridgeError('STORE_FAILED', `there are no records in ${data}: name the --data of the bridge`)
  const dir = unfinished(to)
  try {
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true, mode: 0o700 })
    // Before the store, so that what it no longer has is there already.
    await copyJournal(data, dir)
    const copies = await copyStore(data, dir)
    const isJournalNeeded = unfiled(dir, filedOf(copies.at(-1) as string)).length > 0
    if (!isJournalNeeded) await rm(journalPath(dir), { force: true })
    await copyFile(join(data, 'trail.key'), join(dir, 'trail.key'))
    await chmod(join(dir, 'trail.key'), 0o600)
    // After the store: a picture is kept before the receipt that names it is written.
    const evidence = await copyEvidence(data, dir)
    const { broken, head } = verifyTrail(copies, key)
    const store = [
      ...copies.map((path) => basename(path)),
      'trail.key',
      ...(isJournalNeeded ? ['journal'] : []),
    ]
    const sums = [...evidence]
    for (const name of store) sums.push(await summed(dir, name))
    const manifest: Manifest = {
      format: 1,
      version,
      at,
      schema: schemaOf(copies.at(-1) as string),
      trailHead: head,
      files: Object.fromEntries(sums.map(({ name, sum }) => [name, sum])),
    }
    await writeFile(join(dir, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 })
    await sync(join(dir, manifestName))
    await sync(dir)
    await rename(dir, to)
    await sync(dirname(to))
    return {
      ...manifest,
      bytes: sums.reduce((sum, { bytes }) => sum + bytes, 0),
      evidence: evidence.length,
      broken: broken && `row ${broken.seq} of ${broken.file}: ${broken.why}`,
      damaged: evidence.filter(({ name, sum }) => basename(name) !== sum).map(({ name }) => basename(name)),
    }
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    if (error instanceof BridgeError) throw error
    const what = isFull(error) ? 'there is no room' : messageOf(error)
    throw new BridgeError('STORE_FAILED', `${data} can't be backed up to ${to}: ${what}`, { cause: error })
  }
}

const copyJournal = async (data: string, dir: string): Promise<void> => {
  if (!existsSync(journalPath(data))) return
  await copyFile(journalPath(data), journalPath(dir))
  await chmod(journalPath(dir), 0o600)
  await sync(journalPath(dir))
}

const filedOf = (path: string): Filed | null => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    return filedIn(db)
  } finally {
    db.close()
  }
}

/** All files of the store as of one moment: when a fresh one came meanwhile, all are copied again. */
const copyStore = async (data: string, dir: string): Promise<string[]> => {
  for (let tries = 1; tries <= triesMax; tries++) {
    const files = storeFiles(data)
    for (const file of files) await copyDatabase(file, join(dir, basename(file)))
    if (storeFiles(data).length === files.length) return storeFiles(dir)
  }
  throw new BridgeError('STORE_FAILED', `the store in ${data} is starting fresh files: see its fault`)
}

const copyDatabase = async (from: string, to: string): Promise<void> => {
  await rm(to, { force: true })
  const source = new DatabaseSync(from, { readOnly: true, timeout: 2_000 })
  try {
    await backup(source, to, { rate: allPages })
  } finally {
    source.close()
  }
  // One plain file, that is read without writing beside it.
  const copy = new DatabaseSync(to)
  try {
    copy.exec('PRAGMA journal_mode = DELETE')
  } finally {
    copy.close()
  }
  await chmod(to, 0o600)
  await sync(to)
}

/** A file of the backup. */
interface Summed {
  readonly name: string
  readonly sum: string
  readonly bytes: number
}

const summed = async (dir: string, name: string): Promise<Summed> => {
  const path = join(dir, name)
  return { name, sum: await sumOf(path), bytes: (await stat(path)).size }
}

const copyEvidence = async (data: string, dir: string): Promise<Summed[]> => {
  const copied: Summed[] = []
  const hashes = await evidenceIn(data)
  if (hashes.length > 0) await mkdir(join(dir, 'evidence'), { mode: 0o700 })
  for (const hash of hashes) {
    const name = join('evidence', hash)
    try {
      await copyFile(join(data, name), join(dir, name))
    } catch (error) {
      // Retention has removed it with its incident.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    await sync(join(dir, name))
    copied.push(await summed(dir, name))
  }
  return copied
}

const schemaOf = (path: string): number => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    return versionOf(db)
  } finally {
    db.close()
  }
}
