import type { Clock } from './clock.ts'
import type { Command, Receipt } from './command.ts'
import type { Log } from './connector.ts'
import type { Dispatch } from './dispatch/dispatch.ts'
import type { Due } from './dispatch/due.ts'
import { Tracked } from './dispatch/tracked.ts'
import type { Way } from './dispatch/ways.ts'
import type { Doors } from './door/doors.ts'
import type { Hold } from './door/hold.ts'
import type { Json } from './fact.ts'
import type { Book, Page } from './incident/book.ts'
import type { Incident } from './incident/incident.ts'
import { commandRow, holdRow, incidentRow, messageOf, receiptBody } from './incident/rows.ts'
import { stoppedBy } from './plan/condition.ts'
import type { Fire } from './plan/fire.ts'
import { plan, type Wanted } from './plan/plan.ts'
import type { Device, Site } from './site/site.ts'
import type { ChangeSet, CommandRow, Committed, FactRow, HoldRow, Store } from './store/port.ts'
import { type Faults, unknownSource } from './supervision/faults.ts'
import { commandEntry, holdEntry, receiptEntry } from './trail/entries.ts'
import type { Entry } from './trail/entry.ts'

/** Bodies of unfinished commands held in memory; the rest stay in the store and come back by their due time. */
export const commandsMax = 20_000

/** The parts that a response runs through. */
export interface Parts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly book: Book
  readonly faults: Faults
  readonly due: Due
  readonly dispatch: Dispatch
  readonly doors: Doors
  /** The config that an incident was opened with. */
  siteOf(revision: string): Site
  wayOf(command: Command): Way
  /** What is known of the fire inputs of a door, for planning. */
  fire(door: Device): Fire
  /** Whether the life before may have done it without a record. */
  mayBeDone(command: Command): boolean
  tell(entries: readonly Entry[], at: number): void
}

/** The second half of the path, from `apply` on: plan → one commit → dispatch. */
export class Response {
  readonly #p: Parts

  constructor(parts: Parts) {
    this.#p = parts
  }

  /** From `apply` on: takes effect in memory at once, then one commit, then dispatch. */
  advance(
    page: Page,
    next: Incident,
    about: { fact?: FactRow; entries: readonly Entry[] },
  ): Promise<Committed> {
    const { book, clock, due, doors, dispatch, faults, siteOf, fire } = this.#p
    const before = page.incident
    book.turn(page, next)
    const isNew = page.commands.size === 0
    const wanted = plan(siteOf(next.revision), next, clock.now(), fire)
    const draft = this.#draft(page, wanted)
    page.lookAt = wanted.nextAt
    due.set(next.id, next.resolved ? null : wanted.nextAt)
    if (!isNew) this.#takeBack(page, wanted)
    if (next.resolved && !before.resolved) {
      doors.endIncident(next.id, 'resolved')
      for (const words of next.unknown) faults.set(unknownSource(words), null)
    }
    if (next.released && !before.released) doors.endIncident(next.id, `released by ${next.released.by}`)
    if (about.entries.length === 0 && draft.rows.length === 0 && before === next) {
      this.forget(page)
      return Promise.resolve({ recorded: true })
    }
    return this.commit(
      {
        ...(about.fact ? { fact: about.fact } : {}),
        incidents: [incidentRow(page)],
        commands: draft.rows,
        settles: draft.settles,
        holds: draft.holds,
        entries: [...about.entries, ...draft.entries],
      },
      () => {
        dispatch.add(draft.fresh)
        this.forget(page)
      },
    )
  }

  /** Writes holds down and dispatches what they need; called by the doors. */
  write(holds: readonly Hold[], commands: readonly Command[]): void {
    const fresh = commands.map((command) => this.#tracked(command))
    for (const command of commands) this.#p.book.page(command.incident ?? '')?.commands.add(command.id)
    void this.commit(
      {
        holds: holds.map(holdRow),
        commands: fresh.map(({ command, attempt }) => commandRow(command, attempt)),
        entries: [...holds.map(holdEntry), ...commands.map(commandEntry)],
      },
      () => this.#p.dispatch.add(fresh),
    )
  }

  /** Commands outside of incidents, such as pages to maintenance, in one change set with what asks for them. */
  send(
    commands: readonly Command[],
    rows: Pick<ChangeSet, 'faults' | 'register'> = {},
    entries: readonly Entry[] = commands.map(commandEntry),
  ): Promise<Committed> {
    const fresh = commands.map((command) => this.#tracked(command))
    return this.commit(
      {
        ...rows,
        commands: fresh.map(({ command, attempt }) => commandRow(command, attempt)),
        entries,
      },
      () => this.#p.dispatch.add(fresh),
    )
  }

  /** One change set, told to the watchers as soon as the response may run. Refused, it runs from memory all the same. */
  async commit(
    { entries, ...rows }: Partial<Omit<ChangeSet, 'trail' | 'at' | 'waits'>> & { entries: readonly Entry[] },
    act: () => void = () => {},
  ): Promise<Committed> {
    const { store, clock, log, tell } = this.#p
    const at = clock.now()
    const incident = entries.find((entry) => entry.incident !== null)?.incident ?? null
    const committed = await store.commit(
      { at, waits: true, ...rows, trail: { incident, entries: entries as unknown as readonly Json[] } },
      () => {
        act()
        tell(entries, at)
      },
    )
    if (!committed.recorded && committed.because === 'refused') {
      log.error({ why: committed.why }, 'the store refused a change set; responding from memory')
      act()
    }
    return committed
  }

  /** A resolved incident leaves memory once nothing of it is on its way. */
  forget(page: Page): void {
    const { book, dispatch, doors } = this.#p
    if (!page.incident.resolved) return
    for (const id of page.commands) if (dispatch.has(id) || book.spilled.has(id)) return
    if (doors.liveHolds().some(({ incident }) => incident === page.incident.id)) return
    book.close(page.incident.id)
  }

  /** The rows of what is wanted and not there yet. */
  #draft(page: Page, { commands, locks, suppressed }: Wanted) {
    const { clock, doors } = this.#p
    const fresh: Tracked[] = []
    const rows: CommandRow[] = []
    const settles: { command: string; attempt: number; receipt: Json }[] = []
    const holds: HoldRow[] = []
    const entries: Entry[] = []
    const isNew = (command: Command): boolean => {
      if (page.commands.has(command.id)) return false
      page.commands.add(command.id)
      return true
    }
    const end = (command: Command, kind: Receipt['end'], why: string): void => {
      const receipt = unsent(command, kind, why, clock.now())
      rows.push(commandRow(command, 0))
      settles.push({ command: command.id, attempt: 0, receipt: receiptBody(receipt) })
      entries.push(receiptEntry(command, receipt))
    }
    const carriers = new Map<object, string>()
    const start = (command: Command): void => {
      const tracked = this.#tracked(command)
      const message = messageOf(command)
      const carrier = message && carriers.get(message)
      rows.push(commandRow(command, tracked.attempt, carrier ?? null))
      if (message && !carrier) carriers.set(message, command.id)
      entries.push(commandEntry(command))
      if (command.dueAt === page.incident.openedAt) page.first++
      if (this.#p.dispatch.size + fresh.length < commandsMax) fresh.push(tracked)
      else this.#p.book.spilled.add(command.id)
    }
    for (const { command, why } of suppressed) if (isNew(command)) end(command, 'suppressed', why)
    for (const command of commands) if (isNew(command)) start(command)
    for (const lock of locks)
      if (isNew(lock.command)) {
        const { hold, covered } = doors.take(lock, `plan ${page.incident.plan}`)
        holds.push(holdRow(hold))
        entries.push(holdEntry(hold))
        if (covered) end(lock.command, 'cancelled', `superseded by the lockdown of ${covered}`)
        else start(lock.command)
      }
    return { fresh, rows, settles, holds, entries }
  }

  /** Takes back what has not started and is no longer wanted. Locks are the doors' own affair. */
  #takeBack({ incident, commands }: Page, wanted: Wanted): void {
    const { dispatch } = this.#p
    if (dispatch.size === 0) return
    let stays: Set<string> | null = null
    for (const id of commands) {
      const command = dispatch.command(id)
      if (!command || isLock(command)) continue
      stays ??= new Set(wanted.commands.map((wantedOne) => wantedOne.id))
      if (stays.has(id)) continue
      const loud = wanted.suppressed.find((suppressed) => suppressed.command.id === id)
      dispatch.cancel(id, loud?.why ?? stoppedBy(incident, command.unless) ?? 'no longer wanted')
    }
  }

  #tracked(command: Command): Tracked {
    const way = this.#p.wayOf(command)
    const ready = this.#p.dispatch.isReady(way)
    const effect = this.#p.mayBeDone(command) ? 'possible' : 'none'
    return new Tracked(command, way, { attempt: ready ? 1 : 0, recorded: ready, effect })
  }
}

const isLock = ({ capability }: Command): boolean =>
  capability === 'door.secure' || capability === 'door.lockdown'

const unsent = (command: Command, end: Receipt['end'], why: string, at: number): Receipt => ({
  command: command.id,
  end,
  why,
  proof: null,
  effect: 'none',
  attempts: 0,
  at,
  result: null,
})
