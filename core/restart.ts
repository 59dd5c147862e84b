import type { Command, Receipt } from './command.ts'
import { Tracked } from './dispatch/tracked.ts'
import type { Hold } from './door/hold.ts'
import type { Json } from './fact.ts'
import type { Incident } from './incident/incident.ts'
import { commandOf, commandRow, holdRow, incidentRow, sharedWith } from './incident/rows.ts'
import type { Machine } from './machine.ts'
import { plan } from './plan/plan.ts'
import { commandsMax } from './response.ts'
import type { ChangeSet, DueCursor, UnfinishedCommand, Unrecorded } from './store/port.ts'
import { madeRow } from './store/stored.ts'
import { type Fault, faultRow } from './supervision/faults.ts'
import { holdEntry } from './trail/entries.ts'
import type { Entry } from './trail/entry.ts'

/** Starts of a command that ended in a crash of the bridge, after which it is given up. */
const crashesMax = 3

/** Takes up what the store knows: incidents, holds, commands, faults. */
export const restore = async (machine: Machine): Promise<void> => {
  const { opened, store, clock, site, book, doors, faults } = machine
  faults.restore(opened.openFaults.map(({ body }) => body as unknown as Fault))
  const had = Map.groupBy(opened.openCommands, ({ incident }) => incident)
  for (const { id, body } of opened.openIncidents)
    book.open(
      body as unknown as Incident,
      had.get(id)?.map((command) => command.id),
    )
  // What was noted as open or just resolved the file may know as resolved, and then has not given its commands.
  const made = commandsMade(machine)
  for (const { id } of opened.unrecorded?.incidents ?? [])
    for (const command of await made(id)) book.page(id)?.commands.add(command)
  // A lock that is on the door, or was withdrawn, is no lock to be made again.
  for (const { id, incident, body } of opened.unrecorded?.holds ?? []) {
    const { confirmed, ended } = body as unknown as Hold
    if (confirmed || ended) book.page(incident ?? '')?.commands.add(id)
  }
  const commands = opened.unfinishedCommands.map(commandOf)
  doors.restore(
    opened.liveHolds.map(({ body }) => body as unknown as Hold),
    commands.filter(({ capability }) => capability === 'door.release'),
  )
  await adopt(machine, opened.unfinishedCommands)
  machine.assignments.takeOver(site.assignments)
  await countSpilled(machine)
  const { unrecorded } = opened
  const entries: Entry[] = [
    { what: 'start', incident: null, revision: site.revision, epoch: opened.epoch },
    ...(unrecorded ? toldOf(unrecorded) : []),
  ]
  if (unrecorded) machine.register.put(unrecorded.adopted)
  void store.commit({
    at: clock.now(),
    waits: true,
    revision: { id: site.revision, config: site.source as unknown as Json },
    ...(unrecorded && {
      incidents: unrecorded.incidents,
      holds: unrecorded.holds,
      register: [unrecorded.adopted],
    }),
    trail: { incident: null, entries: entries as unknown as Json[] },
  })
  for (const { door, mode } of doors.recorded())
    if (!site.devices.has(door))
      faults.set(`held-unknown:${door}`, `${door} is held (${mode}) but no longer configured`)
}

/**
 * Whether the life before may have done this command without a disk to write it down on: the same id is made again, and
 * whoever is told must hear that it may be a repeat.
 */
export const mayBeDone = ({ opened: { unrecorded }, book }: Machine, { id, incident }: Command): boolean => {
  if (!unrecorded) return false
  const openedAt = book.page(incident ?? '')?.incident.openedAt
  const isUnclear = !unrecorded.isWhole && openedAt !== undefined && openedAt <= unrecorded.until
  return isUnclear || unrecorded.commands.has(id)
}

const toldOf = ({ incidents, holds, commands, isWhole, until }: Unrecorded): Entry[] => {
  const made = Map.groupBy(commands, (id) => id.split('/', 1)[0])
  return [
    ...incidents.map(({ id }) => {
      const count = made.get(id)?.length ?? 0
      return { what: 'unrecorded', incident: id, until, commands: count, isWhole } as const
    }),
    ...holds.map(({ body }) => holdEntry(body as unknown as Hold)),
  ]
}

/** Takes commands over from the store: what was in flight may have had an effect. */
const adopt = async (machine: Machine, rows: readonly UnfinishedCommand[]): Promise<void> => {
  const { dispatch } = machine
  await reopen(machine, rows)
  const anew = composer(machine)
  const alive: Tracked[] = []
  for (const row of rows) {
    if (dispatch.has(row.id)) continue
    const stored = commandOf(row)
    const effect =
      row.inFlight || row.effect === 'possible' || mayBeDone(machine, stored) ? 'possible' : 'none'
    const command = sharedWith(row.body) === null ? stored : anew(stored)
    const way = machine.ways.of(stored)
    const tracked = new Tracked(command ?? stored, way, { attempt: row.attempt, recorded: false, effect })
    const forever = way.capability.expiresAfterMs === null
    if (command === null) machine.settled(tracked, gaveUp(machine, tracked, { why: messageLost, effect }))
    else if (row.crashed >= crashesMax && !forever)
      machine.settled(tracked, gaveUp(machine, tracked, { why: crashed(row.attempt), effect: 'possible' }))
    else alive.push(tracked)
  }
  dispatch.add(alive)
}

const messageLost = 'STORE_FAILED: its message can not be read from the file of the store, nor made again'

/**
 * Composes messages anew that the store no longer gives, as their incidents stand now: somebody is to be told, and an
 * empty page tells nothing. null: the incident is not known any more, or no longer wants that command.
 */
const composer = ({ book, clock, site, sites }: Machine): ((lost: Command) => Command | null) => {
  const wanted = new Map<string, ReadonlyMap<string, Command>>()
  const commandsOf = (incident: Incident): ReadonlyMap<string, Command> => {
    const its = [...sites].find(({ revision }) => revision === incident.revision) ?? site
    // Fire decides on locks, never on what people are told.
    const { commands } = plan(its, incident, clock.now(), () => 'clear')
    return new Map(commands.map((command) => [command.id, command]))
  }
  return (lost) => {
    const page = book.page(lost.incident ?? '')
    if (!page) return null
    const { incident } = page
    const known = wanted.get(incident.id) ?? commandsOf(incident)
    wanted.set(incident.id, known)
    const again = known.get(lost.id)
    return again ? { ...lost, args: again.args } : null
  }
}

/** A resolved incident with commands on their way: its conditions still decide what may go. */
const reopen = async (machine: Machine, rows: readonly UnfinishedCommand[]): Promise<void> => {
  const { book, store } = machine
  const made = commandsMade(machine)
  const missing = new Set(
    rows.flatMap(({ incident }) => (incident && !book.page(incident) ? [incident] : [])),
  )
  for (const id of missing) {
    // Without a file to read from, its commands are all that is known of it: no reason not to start.
    const record = await store.incident(id).catch(() => null)
    const commands = await made(id)
    if (record && !book.page(id)) book.open(record.body as unknown as Incident, commands)
  }
}

/** Ids of all commands that an incident has had, in this file or before it: one that is left out would be made again. */
const commandsMade = ({ store, opened }: Machine): ((incident: string) => Promise<string[]>) => {
  const before = Map.groupBy(opened.openCommands, ({ incident }) => incident)
  return async (incident) => {
    const here = await store.commandIdsOf(incident).catch(() => [])
    return [...here, ...(before.get(incident) ?? []).map(({ id }) => id)]
  }
}

const crashed = (attempts: number) => `CRASHED: ${attempts} attempts ended in a crash of the bridge`

const gaveUp = (
  { clock }: Machine,
  { command, attempt }: Tracked,
  { why, effect }: Pick<Receipt, 'why' | 'effect'>,
): Receipt => ({
  command: command.id,
  end: 'failed',
  why,
  proof: null,
  effect,
  attempts: attempt,
  at: clock.now(),
  result: null,
})

/** At a start with more unfinished commands than fit into memory: their ids, so that they come by and by. */
const countSpilled = async ({ opened, store, dispatch, book }: Machine): Promise<void> => {
  for (let after = opened.moreCommands; after !== null; ) {
    const rows: readonly UnfinishedCommand[] = await store.due(after, 1_000)
    for (const { id } of rows) if (!dispatch.has(id)) book.spilled.add(id)
    const last = rows.at(-1)
    after = last ? { dueAt: last.dueAt, id: last.id } : null
  }
}

/** Bodies of commands that did not fit into memory come back when there is room. */
export const refill = async (machine: Machine): Promise<void> => {
  const { dispatch, store } = machine
  const { spilled } = machine.book
  if (spilled.size === 0 || dispatch.size > commandsMax / 2) return
  for (let after: DueCursor | null = null, room = commandsMax / 4; room > 0 && spilled.size > 0; ) {
    const rows: readonly UnfinishedCommand[] = await store.due(after, 1_000)
    const last = rows.at(-1)
    if (!last || machine.isStopped) return
    // Only what is known to wait in the store: a row read just now may have been settled in memory since.
    const waiting = rows.filter(({ id }) => spilled.delete(id))
    await adopt(machine, waiting)
    room -= waiting.length
    after = { dueAt: last.dueAt, id: last.id }
  }
}

/** What is open in memory, for a fresh file when the old one fails. */
export const snapshot = ({
  clock,
  book,
  dispatch,
  doors,
  faults,
  memory,
  register,
  sites,
}: Machine): ChangeSet[] => {
  const at = clock.now()
  const trail = { incident: null, entries: [] }
  const commands = [...dispatch.unfinished()]
  // An attempt that has ended must not look as if it were in flight.
  const ended = commands.filter(
    ({ state, attempt, recorded }) => state === 'waiting' && attempt > 0 && !recorded,
  )
  return [
    ...[...sites].map((site) => ({
      at,
      waits: true,
      revision: { id: site.revision, config: site.source as unknown as Json },
      trail,
    })),
    {
      at,
      waits: true,
      cursors: memory.cursors(),
      incidents: [...book.pages()].map(incidentRow),
      commands: commands.map(({ command, attempt }) => commandRow(command, attempt)),
      retries: ended.map(({ command, attempt, effect }) => ({
        command: command.id,
        attempt,
        dueAt: command.dueAt,
        effect,
      })),
      holds: doors.recorded().map(holdRow),
      // What has its receipt is in the old file alone: without this it would be done again after the next start.
      register: [
        ...register.rows(),
        ...[...book.pages()].map(({ incident, commands }) => madeRow(incident.id, commands)),
      ],
      faults: faults.open().map(faultRow),
      trail,
    },
  ]
}
