import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SecretRef } from '../core/connector.ts'
import { BridgeError } from '../core/error.ts'

/** A key of 4096 bits fits; whatever is longer is not a secret but the wrong file. */
const maxBytes = 4_096

const readLine = async (path: string): Promise<string> => {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0)
    if (bytesRead > maxBytes) throw new Error(`larger than ${maxBytes} bytes`)
    const text = buffer.toString('utf8', 0, bytesRead).trim()
    if (/[\r\n]/.test(text)) throw new Error('more than one line')
    if (text === '') throw new Error('empty')
    return text
  } finally {
    await file.close()
  }
}

const reason = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'this user may not read it'
  return code ?? message
}

/** The secret that a reference leads to, on this machine. Rejects with SECRET_MISSING, naming the place and never the secret. */
export const resolveSecret = async (ref: SecretRef): Promise<string> => {
  if ('env' in ref) {
    const value = process.env[ref.env]?.trim()
    if (value) return value
    throw new BridgeError('SECRET_MISSING', `the environment variable ${ref.env} is not set`)
  }
  try {
    return await readLine(ref.file)
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `the file ${resolve(ref.file)} can't be used: ${reason(error)}`)
  }
}

interface Found {
  readonly path: readonly (string | number)[]
  readonly ref: SecretRef
}

/** All references to secrets in a config. */
export const secretsIn = (value: unknown, path: readonly (string | number)[] = []): Found[] => {
  if (value === null || typeof value !== 'object') return []
  const entries = Object.entries(value)
  const [first] = entries
  if (entries.length === 1 && (first?.[0] === 'env' || first?.[0] === 'file') && typeof first[1] === 'string')
    return [{ path, ref: value as SecretRef }]
  return entries.flatMap(([key, inner]) =>
    secretsIn(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}
