import type { Command, Receipt } from '../command.ts'
import type { Hold } from '../door/hold.ts'
import type { Json } from '../fact.ts'
import type { CommandRow, HoldRow, IncidentRow } from '../store/port.ts'
import type { Page } from './book.ts'

/** What the store keeps of an incident. */
export const incidentRow = ({ incident, lookAt }: Page): IncidentRow => ({
  id: incident.id,
  number: incident.number,
  open: incident.resolved === null,
  lookAt,
  openedAt: incident.openedAt,
  revision: incident.revision,
  body: incident as unknown as Json,
})

/**
 * What the store keeps of a command, each thing once; `attempt` 1: its first attempt starts with this very commit. A
 * message that another command of the same change set carries already is kept there, `sameAs` its id: ten targets are told
 * one thing. The store gives unfinished commands back with their message (store/messages.ts).
 */
export const commandRow = (command: Command, attempt: number, sameAs: string | null = null): CommandRow => ({
  id: command.id,
  incident: command.incident,
  target: command.target,
  dueAt: command.dueAt,
  expiresAt: command.expiresAt,
  attempt,
  body: bodyOf(command, sameAs) as unknown as Json,
})

/** What a row of a command says only in its body. */
type Said = Omit<Command, 'id' | 'incident' | 'target' | 'dueAt' | 'expiresAt'>

const bodyOf = (
  { connector, capability, address, args, priority, unless }: Command,
  sameAs: string | null,
): Said => ({
  connector,
  capability,
  address,
  args: sameAs === null ? args : { sameAs },
  priority,
  unless,
})

/** The command that a row stands for. Bodies of earlier versions say all of it themselves. */
export const commandOf = ({ id, incident, target, dueAt, expiresAt, body }: CommandRow): Command => ({
  id,
  incident,
  target,
  dueAt,
  expiresAt,
  ...(body as unknown as Said),
})

/** What the store keeps of a receipt beside its command. */
export const receiptBody = ({ end, why, proof, effect, attempts, at, result }: Receipt): Json =>
  ({ end, why, proof, effect, attempts, at, result }) satisfies Omit<Receipt, 'command'>

/** The same for many: what ended in one turn mostly ended alike, and is then one object, which the store makes text of once. */
export const receiptBodies = (receipts: readonly Receipt[]): Json[] => {
  let last: Receipt | null = null
  let body: Json = null
  return receipts.map((receipt) => {
    if (last === null || !isAlike(last, receipt)) body = receiptBody(receipt)
    last = receipt
    return body
  })
}

const isAlike = (a: Receipt, b: Receipt): boolean =>
  a.end === b.end &&
  a.why === b.why &&
  a.proof === b.proof &&
  a.effect === b.effect &&
  a.attempts === b.attempts &&
  a.at === b.at &&
  a.result === b.result

/** The receipt of a command, whole; null while it has none. */
export const receiptOf = ({ id, receipt }: { readonly id: string; readonly receipt: Json | null }): Json =>
  receipt === null ? null : { command: id, ...(receipt as object) }

/** The message of a command, which several may share; null where it carries none. */
export const messageOf = ({ args }: Command): object | null =>
  (args as { message?: object } | null)?.message ?? null

/** Id of the command whose message this body of another shares; null: it has its own, or needs none. */
export const sharedWith = (body: Json): string | null => {
  const { sameAs } = (body as { args?: { sameAs?: unknown } | null } | null)?.args ?? {}
  return typeof sameAs === 'string' ? sameAs : null
}

/** A hold stays live in the store until nothing of it can be on the door: a restart must know of it. */
export const holdRow = (hold: Hold): HoldRow => ({
  id: hold.id,
  door: hold.door,
  incident: hold.incident,
  mode: hold.mode,
  until: hold.until,
  by: hold.by,
  ended: hold.gone ? (hold.ended?.at ?? null) : null,
  body: hold as unknown as Json,
})
