import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { BridgeError } from '../error.ts'

const keyBytes = 32

/** The key of the trail's chain, DATA/trail.key; made at the first start, readable by its owner only. */
export const trailKey = (dir: string): KeyObject => readTrailKey(dir) ?? makeTrailKey(dir)

/** null when there is none. */
export const readTrailKey = (dir: string): KeyObject | null => {
  const path = join(dir, 'trail.key')
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new BridgeError('STORE_FAILED', `${path} can't be read: check its rights`, { cause: error })
  }
  if (bytes.length !== keyBytes)
    throw new BridgeError('STORE_FAILED', `${path} is not ${keyBytes} bytes long: restore it from a backup`)
  return createSecretKey(bytes)
}

const makeTrailKey = (dir: string): KeyObject => {
  const bytes = randomBytes(keyBytes)
  const path = join(dir, 'trail.key')
  // Whole or not at all: half a key would refuse every later start.
  const file = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(`${path}.new`, path)
  return createSecretKey(bytes)
}
