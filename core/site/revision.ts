import { createHash } from 'node:crypto'
import type { SiteConfig } from './config.ts'

/** JSON with sorted keys, so that the same config has one text. */
const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`)
  return `{${fields.join(',')}}`
}

/** Digest of a config: 16 hex digits. The order of plans counts, since the first of two equal ones wins. */
export const revisionOf = (config: SiteConfig): string =>
  createHash('sha256')
    .update(canonical([Object.keys(config.plans), config]))
    .digest('hex')
    .slice(0, 16)
