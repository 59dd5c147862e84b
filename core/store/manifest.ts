import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { BridgeError } from '../error.ts'

/** What a backup says of itself, in `backup.json`; written last, so that a folder without it is none. */
export const Manifest = z.strictObject({
  format: z.literal(1),
  /** Of the program. */
  version: z.string(),
  /** Everything recorded before this moment is in it, ms since the epoch. */
  at: z.number(),
  schema: z.number(),
  trailHead: z.strictObject({ seq: z.number(), chain: z.string() }),
  /** sha256 of each file, by its path in the backup. */
  files: z.record(z.string(), z.string()),
})
export type Manifest = z.infer<typeof Manifest>

/** Name of the file that makes a folder a backup. */
export const manifestName = 'backup.json'

/** sha256 of a file, hex. */
export const sumOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

/** Makes a file, or the names in a folder, last. */
export const sync = async (path: string): Promise<void> => {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The manifest of a backup. Rejects with STORE_FAILED when the folder is none. */
export const readManifest = async (from: string): Promise<Manifest> => {
  const text = await readFile(join(from, manifestName), 'utf8').catch(() => null)
  if (text === null)
    throw new BridgeError('STORE_FAILED', `${from} is no finished backup: it has no ${manifestName}`)
  try {
    return Manifest.parse(JSON.parse(text))
  } catch (error) {
    throw new BridgeError('STORE_FAILED', `${join(from, manifestName)} is not what a backup wrote`, {
      cause: error,
    })
  }
}
