import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { SystemClock } from '../core/clock.ts'
import type { Context, Log } from '../core/connector.ts'
import { BridgeError } from '../core/error.ts'
import type { Fact, State } from '../core/fact.ts'

/** A context for one link under test: the real clock, and everything that the link says kept in memory. */
export const testContext = (overrides: Partial<Context> = {}) => {
  const facts: Fact[] = []
  const notes: { device: string; state: State }[] = []
  const lines: { level: string; fields: object; text: string }[] = []
  const keys = new Set<string>()
  const abort = new AbortController()
  const line = (level: string) => (fields: object, text: string) => void lines.push({ level, fields, text })
  const log: Log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
  const ctx: Context = {
    clock: new SystemClock(),
    log,
    signal: abort.signal,
    record: async (fact) => {
      const duplicate = keys.has(fact.key)
      keys.add(fact.key)
      if (!duplicate) facts.push(fact)
      return { duplicate, id: fact.key, incident: null }
    },
    note: (device, state) => void notes.push({ device, state }),
    heard: () => {},
    keep: async (bytes) => createHash('sha256').update(bytes).digest('hex'),
    secret: async (ref) => {
      const value =
        'env' in ref ? process.env[ref.env] : await readFile(ref.file, 'utf8').catch(() => undefined)
      if (value === undefined) throw new BridgeError('SECRET_MISSING', `no secret ${JSON.stringify(ref)}`)
      return value.trim()
    },
    ...overrides,
  }
  return { ctx, facts, notes, lines, abort }
}
