import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { messageOf } from '../error.ts'
import type { Json } from '../fact.ts'
import { sharedWith } from '../incident/rows.ts'
import type { UnfinishedCommand } from './port.ts'

type Body = { readonly args: Json }

/**
 * Unfinished commands with the messages that they share, each read once from the row that carries it: that one may have
 * ended, and then is nowhere but in this file. A message that can't be read leaves its commands as they are stored.
 */
export const withMessages = (
  db: DatabaseSync,
  rows: readonly UnfinishedCommand[],
): { readonly rows: UnfinishedCommand[]; readonly unread: string | null } => {
  const here = new Map(rows.map(({ id, body }) => [id, body]))
  const carried = new Map<string, Body | null>()
  let statement: StatementSync | null = null
  let lost = 0
  let why = ''
  const read = (id: string): Body | null => {
    try {
      statement ??= db.prepare('SELECT body FROM command WHERE id = ?')
      const raw = statement.get(id)
      return raw ? JSON.parse(raw['body'] as string) : null
    } catch (error) {
      lost++
      why = messageOf(error)
      return null
    }
  }
  const whole = rows.map((row) => {
    const carrier = sharedWith(row.body)
    if (carrier === null) return row
    if (!carried.has(carrier)) carried.set(carrier, (here.get(carrier) as Body | undefined) ?? read(carrier))
    const args = carried.get(carrier)?.args
    return args === undefined ? row : { ...row, body: { ...(row.body as object), args } }
  })
  return { rows: whole, unread: lost > 0 ? `messages that commands share: ${lost} not read: ${why}` : null }
}
