import type { Clock } from './clock.ts'
import type { Command, Receipt } from './command.ts'
import type { Log, Recorded } from './connector.ts'
import type { Dispatch } from './dispatch/dispatch.ts'
import type { Due } from './dispatch/due.ts'
import { Tracked } from './dispatch/tracked.ts'
import type { Doors } from './door/doors.ts'
import type { Hold } from './door/hold.ts'
import { BridgeError } from './error.ts'
import type { Answer, Fact, Json, Press, State, Trouble } from './fact.ts'
import { apply, type Change, openIncident } from './incident/apply.ts'
import type { Book, Page } from './incident/book.ts'
import type { Incident } from './incident/incident.ts'
import { commandRow, holdRow, incidentRow } from './incident/rows.ts'
import type { Budget } from './intake/budget.ts'
import { Chatter } from './intake/chatter.ts'
import type { Event } from './intake/event.ts'
import { intake, locate, staleLocationMs } from './intake/intake.ts'
import type { Memory } from './intake/memory.ts'
import { stoppedBy } from './plan/condition.ts'
import type { Fire } from './plan/fire.ts'
import { plan, type Wanted } from './plan/plan.ts'
import { findPlan } from './site/places.ts'
import type { Device, Site } from './site/site.ts'
import type { ChangeSet, CommandRow, Committed, FactRow, HoldRow, Store } from './store/port.ts'
import type { Faults } from './supervision/faults.ts'
import type { Entry, Told } from './trail/entry.ts'

/** Bodies of unfinished commands held in memory; the rest stay in the store and come back by their due time. */
export const commandsMax = 20_000
/** Two moves of one incident are told at least this far apart; the first is told at once, ms. */
const moveEveryMs = 5_000

/** The parts that the path runs through; `compose.ts` puts them together. */
export interface Parts {
  readonly site: Site
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly memory: Memory
  readonly book: Book
  readonly budget: Budget
  readonly faults: Faults
  readonly due: Due
  readonly dispatch: Dispatch
  readonly doors: Doors
  /** The config that an incident was opened with. */
  siteOf(revision: string): Site
  /** What is known of the fire inputs of a door, for planning. */
  fire(door: Device): Fire
  newId(): string
  tell(entries: readonly Told[]): void
}

/** What a change to an incident came to. */
export interface Changed {
  readonly incident: Incident
  /** false: it is in effect, but could not be written to disk. */
  readonly recorded: boolean
}

/** The whole path: fact → event → incident → plan → one commit → dispatch. */
export class Bridge {
  readonly #p: Parts
  readonly #chatter: Chatter

  constructor(parts: Parts) {
    this.#p = parts
    this.#chatter = new Chatter(parts.clock, ({ words, incident, count }) =>
      this.#commit({ entries: [{ what: 'summary', incident, words, count }] }),
    )
  }

  /** Resolves when the fact is on disk; rejects with NOT_RECORDED or TOO_BUSY when it is not. The response runs in either case. */
  async record(connector: string, fact: Fact): Promise<Recorded> {
    const known = this.#p.store.answered(connector, fact.key)
    if (known) {
      const { id, incident } = known
      const row = { source: connector, key: fact.key, id, incident, answer: known.answer, body: null }
      return this.#answer(await this.#commit({ fact: row, entries: [] }), id, incident, true)
    }
    switch (fact.is) {
      case 'press':
        return this.#press(connector, fact)
      case 'trouble':
        return this.#trouble(connector, fact)
      case 'answer':
        return this.#reply(connector, fact)
    }
  }

  /** Acknowledge, resolve, release and the like: in effect at once, the answer waits for the disk. */
  async change(id: string, change: Change): Promise<Changed> {
    const page = this.#p.book.page(id)
    if (!page) {
      const known = await this.#p.store.incident(id)
      if (!known) throw new BridgeError('UNKNOWN_INCIDENT', `there is no incident ${id}`)
      throw new BridgeError('CONFLICT', `incident ${id} is resolved already`)
    }
    if (page.incident.resolved) throw new BridgeError('CONFLICT', `incident ${id} is resolved already`)
    const next = apply(page.incident, change)
    // Said before: nothing changes; whether that is on disk the store knows.
    if (next === page.incident) return { incident: next, recorded: this.#p.store.health().recording }
    const committed = await this.#advance(page, next, { entries: [changeEntry(id, change)] })
    return { incident: page.incident, recorded: committed.recorded }
  }

  /** A step fell due, or something changed that the plan depends on. */
  look(id: string): void {
    const page = this.#p.book.page(id)
    if (page) void this.#advance(page, page.incident, { entries: [] })
  }

  /** Remembers a state: fire and movement take effect at once. */
  note(name: string, state: State): void {
    const { memory, site, doors, dispatch, faults } = this.#p
    const device = site.devices.get(name)
    const { levelChanged } = memory.note(name, state)
    if (!device) return
    if (levelChanged) {
      faults.set(`unknown:${name}`, state.quality === 'unknown' ? `${device.label}: cannot be read` : null)
      if (device.means === 'fire') {
        faults.set(`fire:${name}`, memory.state(name)?.active ? `${device.label}: FIRE` : null)
        doors.review()
        dispatch.review()
      }
    }
    if (state.batteryPercent !== undefined)
      faults.set(
        `low-battery:${name}`,
        state.batteryPercent < 20 ? `${device.label}: battery ${state.batteryPercent} %` : null,
      )
    if (state.sighting) this.#moved(device, state)
  }

  /** Writes holds down and dispatches what they need; called by the doors. */
  writeHolds(holds: readonly HoldRow[], commands: readonly Command[], entries: readonly Entry[]): void {
    const fresh = commands.map((command) => this.#tracked(command))
    for (const command of commands) this.#p.book.page(command.incident ?? '')?.commands.add(command.id)
    void this.#commit(
      {
        holds,
        commands: fresh.map(rowOf),
        entries: [...entries, ...commands.map((command) => commandEntry(command))],
      },
      () => this.#p.dispatch.add(fresh),
    )
  }

  /** Takes over an unfinished command from the store. */
  adopt(commands: readonly Tracked[]): void {
    this.#p.dispatch.add(commands)
  }

  async #press(connector: string, press: Press): Promise<Recorded> {
    const { site, memory, clock, budget, newId } = this.#p
    const device = press.device === null ? undefined : site.devices.get(press.device)
    const state = device && memory.state(device.name)
    if (device && press.cursor !== undefined) memory.setCursor(device.name, press.cursor, true)
    const event = intake(site, connector, press, { id: newId(), now: clock.now(), state })
    if (device?.means === 'fire')
      this.note(device.name, { active: press.phase === 'active', quality: 'good' })
    const opensNone = event.simulated || event.phase === 'restored' || (device && device.means !== 'press')
    const source = press.device ?? press.from
    switch (budget.admit(connector, opensNone ? `${source} ${event.phase}` : source)) {
      case 'refuse':
        throw new BridgeError('TOO_BUSY', `${connector} brings more than it may; slow down`)
      case 'summarise':
        return this.#summarise(connector, press, event)
      case 'record':
        return opensNone ? this.#recordOnly(connector, press, event) : this.#respond(connector, press, event)
    }
  }

  /** The press opens an incident or joins one, and its plan goes out with the same commit. */
  async #respond(connector: string, press: Press, event: Event): Promise<Recorded> {
    const { site, book, faults } = this.#p
    if (event.source.device === null)
      faults.set(unknownSource(event.source.words), `unknown source: ${event.source.words}`)
    const joined = book.joined(event, site.incidents.join)
    const page = joined ? (book.page(joined.id) as Page) : book.open(this.#open(event))
    const { incident } = page
    const opened: Entry[] = joined
      ? []
      : [
          {
            what: 'opened',
            incident: incident.id,
            number: incident.number,
            plan: incident.plan,
            silent: incident.silent,
          },
        ]
    const next = joined ? apply(incident, { is: 'pressed', event }) : incident
    const fact = factRow(connector, press, event, incident.id)
    const committed = await this.#advance(page, next, {
      fact,
      entries: [pressEntry(event, incident.id), ...opened],
    })
    return this.#answer(committed, event.id, incident.id)
  }

  #open(event: Event): Incident {
    const { site, book, newId } = this.#p
    const { location } = event
    const isStale = event.receivedAt - location.at > staleLocationMs
    const place = location.place === null || isStale ? null : (site.places.get(location.place) ?? null)
    const found = findPlan(site, event.kind, place)
    return openIncident(event, {
      id: newId(),
      number: book.takeNumber(),
      revision: site.revision,
      plan: found.name,
      silent: found.silent,
    })
  }

  async #recordOnly(connector: string, press: Press, event: Event): Promise<Recorded> {
    const page = event.source.device === null ? undefined : this.#p.book.withDevice(event.source.device)
    const incident = event.phase === 'restored' ? (page?.incident.id ?? null) : null
    const fact = factRow(connector, press, event, incident)
    const entries = [pressEntry(event, incident)]
    const tookBack = page && event.phase === 'restored' && carried.has(event.source.type)
    const committed = tookBack
      ? await this.#advance(page, apply(page.incident, { is: 'restored', at: event.receivedAt }), {
          fact,
          entries,
        })
      : await this.#commit({ fact, entries })
    return this.#answer(committed, event.id, incident)
  }

  /** A chattering input costs one counted row a second, not a plan: its incident is open already. */
  async #summarise(connector: string, press: Press, event: Event): Promise<Recorded> {
    const page = press.device === null ? undefined : this.#p.book.withDevice(press.device)
    const incident = page?.incident.id ?? null
    const words = `${connector}: ${event.source.words} is chattering`
    const committed = await this.#chatter.add(`${connector}/${press.device ?? press.from}`, words, incident)
    return this.#answer(committed, event.id, incident, true)
  }

  async #trouble(connector: string, trouble: Trouble): Promise<Recorded> {
    const { faults, site, clock, newId, budget } = this.#p
    const label = site.devices.get(trouble.device ?? '')?.label ?? trouble.from.slice(0, 200)
    const id = newId()
    const source = `${trouble.device ?? trouble.from} ${trouble.trouble} ${trouble.phase}`
    if (budget.admit(connector, source) !== 'record')
      return this.#answer(
        await this.#chatter.add(`${connector}/${source}`, `${connector}: ${source}`, null),
        id,
        null,
        true,
      )
    const active = trouble.phase === 'active'
    faults.set(
      `${trouble.trouble}:${trouble.device ?? trouble.from.slice(0, 100)}`,
      active ? `${label}: ${trouble.trouble}` : null,
    )
    const body = { ...trouble, receivedAt: clock.now() } as unknown as Json
    const answer = { id, incident: null }
    return this.#answer(
      await this.#commit({
        fact: { source: connector, key: trouble.key, id, incident: null, answer, body },
        entries: [],
      }),
      id,
      null,
    )
  }

  async #reply(connector: string, reply: Answer): Promise<Recorded> {
    const { book, clock, newId } = this.#p
    const page = book.page(reply.command.split('/', 1)[0] as string)
    const incident = page?.incident.id ?? null
    const id = newId()
    const by = reply.device ?? reply.from.slice(0, 200)
    const fact = {
      source: connector,
      key: reply.key,
      id,
      incident,
      answer: { id, incident },
      body: reply as unknown as Json,
    }
    const entries: Entry[] = [{ what: 'answer', incident, command: reply.command, answer: reply.answer, by }]
    const is = changeOf[reply.answer]
    const committed =
      page && is
        ? await this.#advance(page, apply(page.incident, { is, at: clock.now(), by }), { fact, entries })
        : await this.#commit({ fact, entries })
    return this.#answer(committed, id, incident)
  }

  #moved(device: Device, state: State): void {
    const { clock, site } = this.#p
    const page = this.#p.book.withDevice(device.name)
    if (!page) return
    const now = clock.now()
    const location = locate(site, device, state.sighting, now)
    const last = page.incident.moves.at(-1)?.at ?? Number.NEGATIVE_INFINITY
    const isMove = location.place !== page.incident.location.place
    if (isMove && now - last < moveEveryMs) return
    const next = apply(page.incident, { is: 'moved', at: now, location })
    if (!isMove) this.#p.book.turn(page, next)
    else
      void this.#advance(page, next, {
        entries: [changeEntry(page.incident.id, { is: 'moved', at: now, location })],
      })
  }

  /** From `apply` on: takes effect in memory at once, then one commit, then dispatch. */
  #advance(
    page: Page,
    next: Incident,
    about: { fact?: FactRow; entries: readonly Entry[] },
  ): Promise<Committed> {
    const { book, clock, due, doors, dispatch, faults, siteOf, fire } = this.#p
    const before = page.incident
    book.turn(page, next)
    const wanted = plan(siteOf(next.revision), next, clock.now(), fire)
    const draft = this.#draft(page, wanted)
    page.lookAt = wanted.nextAt
    due.set(next.id, next.resolved ? null : wanted.nextAt)
    this.#takeBack(page, wanted)
    if (next.resolved && !before.resolved) {
      doors.endIncident(next.id, 'resolved')
      for (const words of next.unknown) faults.set(unknownSource(words), null)
    }
    if (next.released && !before.released) doors.endIncident(next.id, `released by ${next.released.by}`)
    if (about.entries.length === 0 && draft.rows.length === 0 && before === next)
      return Promise.resolve({ recorded: true })
    return this.#commit(
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
      settles.push({ command: command.id, attempt: 0, receipt: receipt as unknown as Json })
      entries.push(receiptEntry(command, receipt))
    }
    const start = (command: Command): void => {
      const tracked = this.#tracked(command)
      rows.push(rowOf(tracked))
      entries.push(commandEntry(command))
      if (command.dueAt === page.incident.openedAt) page.first.add(command.id)
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
    const ready = this.#p.dispatch.isReady(command)
    return new Tracked(command, { attempt: ready ? 1 : 0, recorded: ready, effect: 'none' })
  }

  async #commit(
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
        tell(entries.map((entry) => ({ ...entry, at })))
      },
    )
    if (!committed.recorded && committed.because === 'refused') {
      log.error({ why: committed.why }, 'the store refused a change set; responding from memory')
      act()
    }
    return committed
  }

  #answer(committed: Committed, id: string, incident: string | null, duplicate = false): Recorded {
    if (!committed.recorded)
      throw new BridgeError('NOT_RECORDED', `responding, not recorded: ${committed.why}`)
    const first = committed.duplicate
    return first ? { duplicate: true, id: first.id, incident: first.incident } : { duplicate, id, incident }
  }
}

/** Inputs that a person carries: letting go of one takes the call back; a button on the wall only springs back. */
const carried = new Set(['badge', 'mobile', 'keypad'])

const changeOf: Record<Answer['answer'], 'acknowledged' | 'on-the-way' | 'on-scene' | 'declined' | null> = {
  delivered: null,
  read: null,
  acknowledge: 'acknowledged',
  'on-the-way': 'on-the-way',
  'on-scene': 'on-scene',
  decline: 'declined',
}

const unknownSource = (words: string): string => `unknown-source:${words}`

const isLock = ({ capability }: Command): boolean =>
  capability === 'door.secure' || capability === 'door.lockdown'

const rowOf = (tracked: Tracked): CommandRow => commandRow(tracked.command, tracked.attempt === 1 ? 1 : 0)

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

const factRow = (connector: string, press: Press, event: Event, incident: string | null): FactRow => ({
  source: connector,
  key: press.key,
  id: event.id,
  incident,
  answer: { id: event.id, incident },
  body: event as unknown as Json,
  ...(press.device !== null && press.cursor !== undefined
    ? { cursor: { device: press.device, value: press.cursor } }
    : {}),
})

const pressEntry = (event: Event, incident: string | null): Entry => ({
  what: 'press',
  incident,
  event: event.id,
  device: event.source.device,
  words: event.source.words,
  kind: event.kind,
  phase: event.phase,
  place: event.location.place,
  precision: event.location.precision,
  drill: event.drill,
  simulated: event.simulated,
})

const changeEntry = (incident: string, change: Change): Entry => ({
  what: 'change',
  incident,
  is: change.is === 'resolved' ? `resolved: ${change.as}` : change.is,
  by: 'by' in change ? change.by : '',
  ...(change.is === 'resolved' && change.note !== '' ? { note: change.note.slice(0, 2_000) } : {}),
  ...(change.is === 'moved' ? { note: change.location.place ?? 'place unknown' } : {}),
})

const commandEntry = ({ incident, id, target, capability }: Command): Entry => ({
  what: 'command',
  incident,
  command: id,
  target,
  capability,
})

/** A receipt as the trail has it. */
export const receiptEntry = ({ incident, target, capability }: Command, receipt: Receipt): Entry => {
  const { result: _, ...rest } = receipt
  return { what: 'receipt', incident, target, capability, ...rest }
}

/** A hold as the trail has it. */
export const holdEntry = (hold: Hold): Entry => ({
  what: 'hold',
  incident: hold.incident,
  hold: hold.id,
  door: hold.door,
  mode: hold.mode,
  until: hold.until,
  confirmed: hold.confirmed,
  ended: hold.ended?.why ?? null,
})
