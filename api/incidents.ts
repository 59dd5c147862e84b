import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Command } from '../core/command.ts'
import { BridgeError } from '../core/error.ts'
import type { Json } from '../core/fact.ts'
import type { Incident } from '../core/incident/incident.ts'
import { commandOf, receiptOf } from '../core/incident/rows.ts'
import type { Machine } from '../core/machine.ts'
import { pathName } from '../core/site/places.ts'
import type { IncidentRecord, Page, RecordedCommand, Store } from '../core/store/port.ts'
import type { Entry, Told } from '../core/trail/entry.ts'
import type { Recent } from './recent.ts'
import { answer, failures, jsonSchema } from './schema.ts'
import { textOf } from './text.ts'

const pageMax = 100
/** Of one incident so many commands are shown, and so many trail rows, each of which holds what one commit wrote. */
const shownMax = 5_000

const List = z.strictObject({
  open: z.enum(['true', 'false']).optional().describe('Only open ones, or only resolved ones.'),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional()
    .describe('`next` of the page before.'),
  limit: z
    .string()
    .regex(/^([1-9]\d?|100)$/)
    .optional()
    .describe('At most so many, 1 to 100; default 100.'),
})

export const Id = z.strictObject({ id: z.string().min(1).max(100).describe('Id of the incident.') })

/** Reading incidents: memory is the truth for open ones, the store has them all. */
export const incidentRoutes = (app: FastifyInstance, machine: Machine, recent: Recent): void => {
  app.get<{ Querystring: z.infer<typeof List> }>(
    '/v1/incidents',
    {
      schema: {
        summary: 'Incidents, newest first.',
        querystring: jsonSchema(List),
        response: {
          200: answer('`incidents`, and `next`, the cursor of the next page or null.'),
          ...failures(400),
        },
      },
    },
    async ({ query }) => {
      const open = query.open === undefined ? null : query.open === 'true'
      const cursor = query.cursor === undefined ? null : Number(query.cursor)
      return list(machine, { open, cursor, limit: Number(query.limit ?? pageMax) })
    },
  )
  app.get<{ Params: z.infer<typeof Id> }>(
    '/v1/incidents/:id',
    {
      schema: {
        summary: 'One incident with its commands and receipts, holds, and timeline in ms since the press.',
        params: jsonSchema(Id),
        response: {
          200: answer(
            `\`incident\`, \`where\` in words, \`commands\`, \`holds\`, \`timeline\`; the first ${shownMax.toLocaleString('en')} commands and rows of the trail, all of them by \`duress-bridge trail incident\`.`,
          ),
          ...failures(404),
        },
      },
    },
    async ({ params }) => one(machine, recent, params.id),
  )
}

const list = async (
  { book, store }: Machine,
  { open, cursor, limit }: { open: boolean | null; cursor: number | null; limit: number },
) => {
  const remembered = [...book.pages()].map(({ incident }) => incident)
  // Open ones are all in memory, and only there while nothing can be written.
  const stored =
    open === true ? none : await store.incidents(open === null ? {} : { open }, cursor).catch(() => none)
  const byId = new Map(stored.rows.map(({ id, body }) => [id, body as unknown as Incident]))
  for (const incident of remembered)
    if (incident.number < (cursor ?? Number.POSITIVE_INFINITY) && incident.number > (stored.next ?? -1))
      byId.set(incident.id, incident)
    else if (byId.has(incident.id)) byId.set(incident.id, incident)
  const fitting = [...byId.values()].filter(({ resolved }) => open === null || open === (resolved === null))
  const sorted = fitting.sort((a, b) => b.number - a.number)
  const incidents = sorted.slice(0, limit)
  const next = sorted.length > limit ? (incidents.at(-1)?.number ?? null) : stored.next
  return { incidents, next: next === null ? null : String(next) }
}

const none = { rows: [], next: null } as const

const one = async (machine: Machine, recent: Recent, id: string) => {
  const { book, store } = machine
  const record = await store.incident(id).catch(() => null)
  const incident = book.page(id)?.incident ?? (record?.body as Incident | undefined)
  if (!incident) throw new BridgeError('UNKNOWN_INCIDENT', `there is no incident ${id}`)
  const place = machine.site.places.get(incident.location.place ?? '')
  return {
    incident,
    where: place ? pathName(place) : incident.location.place,
    commands: await commandsOf(machine, recent, id),
    holds: holdsOf(machine, record, id),
    timeline: await timelineOf(machine, recent, incident),
  }
}

/** What is on disk, and what memory knows beyond it. */
const commandsOf = async ({ dispatch, store }: Machine, recent: Recent, id: string) => {
  const receipts = new Map(
    recent.of(id).flatMap((entry) => (entry.what === 'receipt' ? [[entry.command, entry] as const] : [])),
  )
  const known = (await recorded(store, id)).map((row) => ({
    command: commandOf(row),
    receipt: receiptOf(row) ?? receiptIn(receipts.get(row.id)),
  }))
  const ids = new Set(known.map(({ command }) => command.id))
  const waiting = [...dispatch.unfinished()]
    .filter(({ command }) => command.incident === id && !ids.has(command.id))
    .map(({ command }) => ({ command, receipt: null as Json }))
  for (const { command } of waiting) ids.add(command.id)
  const told = [...receipts.values()]
    .filter(({ command }) => !ids.has(command))
    .map((entry) => ({
      command: { id: entry.command, target: entry.target, capability: entry.capability },
      receipt: receiptIn(entry),
    }))
  return [
    ...[...known, ...waiting].map(({ command, receipt }) => ({ ...shown(command), receipt })),
    ...told.map(({ command, receipt }) => ({ ...command, receipt })),
  ]
}

const recorded = async (store: Store, id: string): Promise<RecordedCommand[]> => {
  const rows: RecordedCommand[] = []
  for (let after: number | null = null; rows.length < shownMax; ) {
    const page: Page<RecordedCommand, number> = await store.commandsOf(id, after).catch(() => none)
    rows.push(...page.rows)
    if (page.next === null) break
    after = page.next
  }
  return rows
}

/** Without address and arguments: how a device is reached is nobody's business here. */
const shown = ({ id, target, capability, connector, dueAt, expiresAt }: Command) => ({
  id,
  target,
  capability,
  connector,
  dueAt,
  expiresAt,
})

const receiptIn = (told: Told | undefined): Json => {
  if (told?.what !== 'receipt') return null
  const { what: _, incident: __, target: ___, capability: ____, ...receipt } = told
  return receipt
}

const holdsOf = ({ doors }: Machine, record: IncidentRecord | null, id: string) => {
  const live = doors.liveHolds().filter(({ incident }) => incident === id)
  const ids = new Set(live.map((hold) => hold.id))
  const ended = (record?.holds ?? []).filter((hold) => !ids.has(hold.id)).map(({ body }) => body)
  return [...ended, ...live]
}

/** The trail of the incident, and what was told but is not on disk. */
const timelineOf = async ({ store }: Machine, recent: Recent, { id, openedAt }: Incident) => {
  const items: { ms: number; at: number }[] = []
  const written = new Set<string>()
  const add = (entry: Entry, at: number) => items.push({ ms: at - openedAt, ...entry, at })
  for (let from = 0, rows = 0; rows < shownMax; ) {
    const page = await store.trailOf(id, from, 1_000).catch(() => [])
    for (const { at, entries } of page)
      for (const json of entries ?? []) {
        const entry = json as unknown as Entry
        if (entry.incident !== id) continue
        written.add(textOf(entry, at))
        add(entry, 'at' in entry ? entry.at : at)
      }
    rows += page.length
    from = (page.at(-1)?.seq ?? 0) + 1
    if (page.length < 1_000) break
  }
  for (const told of recent.of(id)) if (!written.has(textOf(told, told.at))) add(told, told.at)
  return items.sort((a, b) => a.at - b.at)
}
