import { existsSync } from 'node:fs'
import { chmod, chown, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, normalize } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BridgeError, messageOf } from '../error.ts'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { isFull, own, storeFiles } from './files.ts'
import { type Manifest, readManifest, sumOf, sync } from './manifest.ts'
import { migrations } from './schema.ts'

/** What is not yet whole, in the data directory. */
const staging = 'restoring'

export interface Restored extends Manifest {
  readonly rows: number
  readonly evidence: number
}

/**
 * Restores a backup into a data directory that is new or has no records, and that no bridge has open. Everything is
 * copied beside its place and verified there, sums, files and trail, before the first piece gets its name; the store
 * comes last. Rejects with DATA_IN_USE, SCHEMA_TOO_NEW, CHAIN_BROKEN or STORE_FAILED.
 */
export const restore = async (from: string, data: string): Promise<Restored> => {
  const manifest = await readManifest(from)
  const names = Object.keys(manifest.files)
  for (const name of names)
    if (isAbsolute(name) || normalize(name) !== name || name.startsWith('..'))
      throw new BridgeError('STORE_FAILED', `the backup ${from} names a file outside of itself: ${name}`)
  if (manifest.schema > migrations.length)
    throw new BridgeError(
      'SCHEMA_TOO_NEW',
      `${from} has schema ${manifest.schema}, this version knows up to ${migrations.length}: it was made by version ${manifest.version}`,
    )
  const isNew = !existsSync(data)
  await mkdir(data, { recursive: true, mode: 0o700 })
  const owner = own(data, 0)
  const dir = join(data, staging)
  try {
    if (!(await isVacant(data)))
      throw new BridgeError(
        'STORE_FAILED',
        `${data} holds records already: move them away first, or restore to another directory`,
      )
    await rm(dir, { recursive: true, force: true })
    for (const name of names) await copy(join(from, name), join(dir, name), manifest.files[name] as string)
    const rows = verify(dir, manifest)
    await giveTo(await stat(data), [dir, join(data, 'owner.lock')])
    // The store last: what was cut off before it is no data directory that a bridge would go on with.
    for (const name of ['evidence', 'trail.key', 'journal'].filter((name) => existsSync(join(dir, name))))
      await rename(join(dir, name), join(data, name))
    for (const file of storeFiles(dir).reverse()) await rename(file, join(data, basename(file)))
    await rm(dir, { recursive: true })
    await sync(data)
    return { ...manifest, rows, evidence: names.filter((name) => dirname(name) === 'evidence').length }
  } catch (error) {
    await rm(isNew ? data : dir, { recursive: true, force: true })
    if (error instanceof BridgeError) throw error
    const what = isFull(error) ? 'there is no room' : messageOf(error)
    throw new BridgeError('STORE_FAILED', `${from} can't be restored to ${data}: ${what}`, { cause: error })
  } finally {
    owner.release()
  }
}

/** Whether a data directory has nothing in it but what a restore may have left. */
const isVacant = async (data: string): Promise<boolean> => {
  const harmless = ['owner.lock', 'owner.lock-journal', 'lost+found', staging]
  return (await readdir(data)).every((name) => harmless.includes(name))
}

const copy = async (from: string, to: string, sum: string): Promise<void> => {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 })
  await copyFile(from, to)
  await chmod(to, 0o600)
  if ((await sumOf(to)) !== sum)
    throw new BridgeError('STORE_FAILED', `${from} is not what the backup wrote: use another backup`)
  await sync(to)
}

/** Looks the copy through; the rows of its trail. */
const verify = (dir: string, { trailHead }: Manifest): number => {
  const key = readTrailKey(dir)
  const files = storeFiles(dir)
  if (!key || files.length === 0) throw new BridgeError('STORE_FAILED', 'the backup has no store, or no key')
  for (const file of files) {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      const [row] = db.prepare('PRAGMA quick_check(1)').all()
      if (row?.['quick_check'] !== 'ok')
        throw new BridgeError('STORE_FAILED', `${basename(file)} is damaged: ${row?.['quick_check']}`)
    } finally {
      db.close()
    }
  }
  const { broken, rows } = verifyTrail(files, key, trailHead)
  if (broken) throw new BridgeError('CHAIN_BROKEN', `the trail is broken at row ${broken.seq}: ${broken.why}`)
  return rows
}

/** Root restores for the user of the directory, who could not read it otherwise. */
const giveTo = async (
  { uid, gid }: { uid: number; gid: number },
  paths: readonly string[],
): Promise<void> => {
  if (process.getuid?.() !== 0) return
  for (const path of paths) {
    await chown(path, uid, gid)
    if ((await stat(path)).isDirectory())
      await giveTo(
        { uid, gid },
        (await readdir(path)).map((name) => join(path, name)),
      )
  }
}
