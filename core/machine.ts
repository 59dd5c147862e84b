import { Bridge } from './bridge.ts'
import { type Capability, capabilities, type DoorReport, type Perceptible } from './capability.ts'
import { type Clock, deadline } from './clock.ts'
import type { Command, Order, Receipt } from './command.ts'
import type { Log, SecretRef } from './connector.ts'
import { Dispatch, type Refusal } from './dispatch/dispatch.ts'
import { Due } from './dispatch/due.ts'
import { Tracked } from './dispatch/tracked.ts'
import { Doors } from './door/doors.ts'
import type { Hold } from './door/hold.ts'
import { messageOf } from './error.ts'
import type { Json } from './fact.ts'
import { Book } from './incident/book.ts'
import type { Incident } from './incident/incident.ts'
import { commandRow, holdRow, incidentRow } from './incident/rows.ts'
import { Budget } from './intake/budget.ts'
import { Memory } from './intake/memory.ts'
import { type Fire, fireAt } from './plan/fire.ts'
import { permit } from './plan/permit.ts'
import { commandsMax, Response } from './response.ts'
import { InlineRunner } from './runner/inline.ts'
import type { ContactPath, Device, Site } from './site/site.ts'
import type { ChangeSet, DueCursor, Opened, Store, StoreOptions, UnfinishedCommand } from './store/port.ts'
import { type Fault, Faults } from './supervision/faults.ts'
import { Watch } from './supervision/watch.ts'
import { receiptEntry } from './trail/entries.ts'
import type { Entry, Told } from './trail/entry.ts'

/** Starts of a command that ended in a crash of the bridge, after which it is given up. */
const crashesMax = 3

/** What the program or a simulation brings along. */
export interface Around {
  readonly site: Site
  readonly clock: Clock & { raise?(floor: number): void }
  readonly log: Log
  openStore(options: Pick<StoreOptions, 'state' | 'changed'>): Store
  /** Compiles a stored revision of the config again; null when it can't be. */
  compile(config: Json, revision: string): Site | null
  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string>
  secret(ref: SecretRef): Promise<string>
  newId(): string
  random(): number
  meter: Meter
}

/** Durations that are measured, ms since the press was received. */
export interface Meter {
  toFirst(ms: number): void
  toLast(ms: number): void
  attempt(capability: string, ok: boolean): void
}

/** The running whole, on one machine. */
export class Machine {
  readonly site: Site
  readonly clock: Clock
  readonly store: Store
  readonly opened: Opened
  readonly bridge: Bridge
  readonly response: Response
  readonly book: Book
  readonly doors: Doors
  readonly dispatch: Dispatch
  readonly memory: Memory
  readonly faults: Faults
  readonly runner: InlineRunner
  readonly watch: Watch
  readonly #around: Around
  readonly #sites = new Map<string, Site>()
  readonly #paths: Map<string, ContactPath>
  readonly #listeners = new Set<(told: readonly Told[]) => void>()
  readonly #settles: { command: Command; attempt: number; receipt: Receipt }[] = []
  readonly #due: Due
  #stopped = false

  /** Opens the store and takes up what it knows; links open afterwards, by `start`. */
  static async open(around: Around): Promise<Machine> {
    let machine: Machine | null = null
    const store = around.openStore({
      state: () => machine?.state() ?? [],
      changed: (health) => machine?.watch.storeTurned(health),
    })
    const opened = await store.open()
    // Time never runs backwards over a restart, whatever the wall clock says.
    around.clock.raise?.(opened.clockFloor)
    machine = new Machine(around, store, opened)
    await machine.#restore()
    return machine
  }

  private constructor(around: Around, store: Store, opened: Opened) {
    const { site, clock, log } = around
    this.#around = around
    this.site = site
    this.clock = clock
    this.store = store
    this.opened = opened
    this.#sites.set(site.revision, site)
    this.#paths = new Map(
      [...site.responders.values()].flatMap(({ paths }) => paths.map((path) => [path.name, path] as const)),
    )
    this.memory = new Memory(clock, new Map(opened.cursors.map(({ device, value }) => [device, value])))
    this.book = new Book(opened.nextIncidentNumber)
    this.faults = new Faults(clock, (fault) => this.#faultTurned(fault))
    this.#due = new Due(clock, (id) => this.bridge.look(id))
    this.runner = new InlineRunner({
      clock,
      log,
      random: around.random,
      record: (connector, fact) => this.bridge.record(connector, fact),
      note: (device, state) => this.bridge.note(device, state),
      keep: around.keep,
      secret: around.secret,
      cursor: (device) => this.memory.cursor(device),
      turned: (link) => this.watch.linkTurned(link),
    })
    this.dispatch = new Dispatch({
      clock,
      log,
      random: around.random,
      linkOf: (command) => this.#linkOf(command),
      isUp: (link) => this.runner.isUp(link),
      waits: ({ command, effect }) => this.doors.waits(command, effect),
      laneOf: (command) => this.#laneOf(command),
      attemptMs: (command) => this.#attemptMs(command),
      capabilityOf: (command) => this.#capabilityOf(command),
      refusal: (command) => this.#refusal(command),
      act: (link, capability, order) => this.#act(link, capability, order),
      started: (tracked, send) => this.#started(tracked, send),
      retried: (tracked, dueAt, outcome) => this.#retried(tracked, dueAt, outcome),
      settled: (tracked, receipt) => this.#settled(tracked, receipt),
    })
    this.doors = new Doors({
      clock,
      device: (name) => site.devices.get(name),
      fire: (door) => this.#fire(door),
      cancel: (command, why) => this.dispatch.cancel(command, why),
      isPending: (command) => this.dispatch.has(command),
      write: (holds, commands) => this.response.write(holds, commands),
      close: (holds) => this.#closeHolds(holds),
      read: (door) => this.readDoor(door),
      fault: (id, what) => this.faults.set(id, what),
      confirm: (command, report) => this.dispatch.confirm(command, report as unknown as Json),
      nextId: around.newId,
    })
    this.response = new Response({
      clock,
      log,
      store,
      book: this.book,
      faults: this.faults,
      due: this.#due,
      dispatch: this.dispatch,
      doors: this.doors,
      siteOf: (revision) => this.#sites.get(revision) ?? site,
      fire: (door) => this.#fireForPlanning(door),
      tell: (told) => this.#tell(told),
    })
    this.bridge = new Bridge({
      site,
      clock,
      store,
      memory: this.memory,
      book: this.book,
      budget: new Budget(clock),
      faults: this.faults,
      dispatch: this.dispatch,
      doors: this.doors,
      response: this.response,
      newId: around.newId,
    })
    this.watch = new Watch(this, this.#due, log)
  }

  /** Opens the links and starts to watch; waits for none of them. */
  start(): void {
    this.runner.start(this.site)
    this.watch.start()
    for (const { incident } of [...this.book.pages()]) this.bridge.look(incident.id)
  }

  /** Hears everything that happens, as it happens, on disk or not. Returns how to stop hearing. */
  listen(listener: (told: readonly Told[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads a door; what it says goes to the lanes. Not a command: it has no receipt and changes nothing. */
  readDoor(door: Device): void {
    if (!door.can.has('door.state') || !this.runner.isUp(door.link)) return
    const limit = deadline(this.clock, 5_000)
    const order = {
      id: `read/${door.name}`,
      attempt: 1,
      address: door.output as Json,
      args: {},
      signal: limit.signal,
    }
    void this.runner.act(door.link, 'door.state', order).then((outcome) => {
      limit.cancel()
      if (outcome.ok && !this.#stopped) this.doors.reported(door.name, outcome.result as DoorReport)
    })
  }

  /** Ends everything: nothing new is sent, what ended is written down. Live holds stay, and are named by the caller. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.watch.stop()
    this.#due.stop()
    this.dispatch.stop()
    await this.runner.stop()
    this.#flushSettles()
    await this.store.close()
  }

  /** What is open, for a fresh file when the old one fails. */
  state(): ChangeSet[] {
    const at = this.clock.now()
    const trail = { incident: null, entries: [] }
    const revisions = [...this.#sites.values()].map((site) => ({
      at,
      waits: true,
      revision: { id: site.revision, config: site.source as unknown as Json },
      trail,
    }))
    return [
      ...revisions,
      {
        at,
        waits: true,
        cursors: this.memory.cursors(),
        incidents: [...this.book.pages()].map(incidentRow),
        commands: [...this.dispatch.unfinished()].map((tracked) => ({
          ...commandRow(tracked.command, 0),
          attempt: tracked.attempt,
        })),
        holds: this.doors.recorded().map(holdRow),
        faults: this.faults.open().map(faultRow),
        trail,
      },
    ]
  }

  async #restore(): Promise<void> {
    const { opened, store, clock } = this
    for (const { id, config } of opened.revisions) {
      const site = this.#sites.get(id) ?? this.#around.compile(config, id)
      if (site) this.#sites.set(id, site)
    }
    this.faults.restore(opened.openFaults.map(({ body }) => body as unknown as Fault))
    for (const row of opened.openIncidents) {
      const record = await store.incident(row.id)
      this.book.open(row.body as unknown as Incident, record?.commands.map(({ id }) => id) ?? [])
    }
    const commands = opened.unfinishedCommands.map(({ body }) => body as unknown as Command)
    this.doors.restore(
      opened.liveHolds.map(({ body }) => body as unknown as Hold),
      commands.filter(({ capability }) => capability === 'door.release'),
    )
    this.adopt(opened.unfinishedCommands)
    await this.#countSpilled()
    const entry: Entry = { what: 'start', incident: null, revision: this.site.revision, epoch: opened.epoch }
    void store.commit({
      at: clock.now(),
      waits: true,
      revision: { id: this.site.revision, config: this.site.source as unknown as Json },
      trail: { incident: null, entries: [entry as unknown as Json] },
    })
    for (const hold of this.doors.recorded())
      if (!this.site.devices.has(hold.door))
        this.faults.set(
          `held-unknown:${hold.door}`,
          `${hold.door} is held (${hold.mode}) but no longer configured`,
        )
  }

  /** Takes commands over from the store: what was in flight may have had an effect. */
  adopt(rows: readonly UnfinishedCommand[]): void {
    const alive: Tracked[] = []
    for (const row of rows) {
      if (this.dispatch.has(row.id)) continue
      const effect = row.inFlight || row.effect === 'possible' ? 'possible' : 'none'
      const command = row.body as unknown as Command
      const tracked = new Tracked(command, { attempt: row.attempt, recorded: false, effect })
      const forever = this.#capabilityOf(command).expiresAfterMs === null
      if (row.crashed >= crashesMax && !forever) this.#settled(tracked, this.#gaveUp(command, row.attempt))
      else alive.push(tracked)
    }
    this.dispatch.add(alive)
  }

  #gaveUp(command: Command, attempts: number): Receipt {
    const why = `CRASHED: ${attempts} attempts ended in a crash of the bridge`
    return {
      command: command.id,
      end: 'failed',
      why,
      proof: null,
      effect: 'possible',
      attempts,
      at: this.clock.now(),
      result: null,
    }
  }

  #tell(told: readonly Told[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(told)
      } catch (error) {
        this.#around.log.error({ error: messageOf(error) }, 'a watcher failed')
      }
    }
  }

  #target(command: Command): Device | ContactPath | undefined {
    return command.capability === 'page.send'
      ? this.#paths.get(command.target)
      : this.site.devices.get(command.target)
  }

  #linkOf(command: Command): string {
    return command.connector === 'console' ? 'console' : (this.#target(command)?.link ?? '')
  }

  #laneOf(command: Command): { key: string; atOnce: number } {
    const entry = this.site.connectors.get(command.connector)
    const lane = entry?.connector.lane?.(entry.config, command.address)
    return lane
      ? { key: `${command.connector} ${lane.key}`, atOnce: lane.atOnce }
      : { key: `${command.connector}/${command.target}`, atOnce: 4 }
  }

  #attemptMs(command: Command): number | null {
    const entry = this.site.connectors.get(command.connector)
    return entry?.connector.attemptMs?.(entry.config, command.capability) ?? null
  }

  #capabilityOf(
    command: Command,
  ): Pick<Capability, 'proof' | 'expiresAfterMs'> & { perceptible: Perceptible } {
    const builtIn = capabilities[command.capability as keyof typeof capabilities]
    const own = () =>
      this.site.connectors
        .get(command.connector)
        ?.connector.can?.find(({ name }) => name === command.capability)
    return builtIn ?? own() ?? { proof: 'answered', expiresAfterMs: 60_000, perceptible: 'sound' }
  }

  /** All rules of the moment of sending, in one synchronous turn with the send. */
  #refusal(command: Command): Refusal | null {
    const incident = command.incident === null ? undefined : this.book.page(command.incident)?.incident
    const site = this.#sites.get(incident?.revision ?? '') ?? this.site
    const { perceptible } = this.#capabilityOf(command)
    const target = this.#target(command)
    return (
      permit({ site, incident, target, perceptible }, command, this.clock.now()) ??
      this.doors.refusal(command)
    )
  }

  #fire(door: Device): Fire {
    if (!door.door) return 'clear'
    return fireAt(door.door, (input) => this.memory.fire(this.site.devices.get(input)), this.clock.now())
  }

  /** Right after a start "not read yet" is not held against a lock when planning; the send waits for the reading. */
  #fireForPlanning(door: Device): Fire {
    const fire = this.#fire(door)
    return fire === 'unknown' && this.doors.isSettlingIn() ? 'clear' : fire
  }

  async #act(link: string, capability: string, order: Order) {
    const page = this.book.page(incidentOf(order.id))
    if (page && !page.told) {
      page.told = true
      this.#around.meter.toFirst(this.clock.now() - page.incident.openedAt)
    }
    const outcome = await this.runner.act(link, capability, order)
    this.#around.meter.attempt(capability, outcome.ok)
    return outcome
  }

  #started({ command, attempt }: Tracked, send: () => void): void {
    const at = this.clock.now()
    const trail = { incident: command.incident, entries: [] }
    void this.store
      .commit({ at, waits: true, starts: [{ command: command.id, attempt, at }], trail }, send)
      .then((committed) => {
        if (committed.recorded || committed.because !== 'refused') return
        this.#around.log.error({ command: command.id, why: committed.why }, 'the store refused a start')
        send()
      })
  }

  #retried(
    tracked: Tracked,
    dueAt: number,
    outcome: { ok: boolean; failure?: { code: string; message: string } },
  ): void {
    const { command, attempt, effect } = tracked
    const { incident, id } = command
    const failure = outcome.failure as { code: string; message: string }
    if (effect === 'possible') this.doors.maybe(command)
    // The first failure and then every tenth is told: an outage is one matter, not a thousand lines.
    const isNews = tracked.sends === 1 || tracked.sends % 10 === 0
    const entries: Entry[] = isNews
      ? [{ what: 'retry', incident, command: id, attempt, code: failure.code, why: failure.message, effect }]
      : []
    const at = this.clock.now()
    void this.store.commit({
      at,
      waits: false,
      retries: [{ command: id, attempt, dueAt, effect }],
      trail: { incident, entries: entries as unknown as Json[] },
    })
    if (isNews) this.#tell(entries.map((entry) => ({ ...entry, at })))
  }

  #settled({ command, attempt }: Tracked, receipt: Receipt): void {
    this.#settles.push({ command, attempt, receipt })
    if (this.#settles.length === 1) setImmediate(() => this.#flushSettles())
    if (command.capability.startsWith('door.')) this.doors.settled(command, receipt)
    const page = command.incident === null ? undefined : this.book.page(command.incident)
    if (!page) return
    if (page.first.delete(command.id) && page.first.size === 0)
      this.#around.meter.toLast(receipt.at - page.incident.openedAt)
    if (page.incident.resolved) this.response.forget(page)
  }

  /** Receipts of one turn are one change set, and so one row of the trail. */
  #flushSettles(): void {
    const batch = this.#settles.splice(0)
    if (batch.length === 0) return
    const at = this.clock.now()
    const entries = batch.map(({ command, receipt }) => receiptEntry(command, receipt))
    void this.store.commit({
      at,
      waits: false,
      settles: batch.map(({ command, attempt, receipt }) => ({
        command: command.id,
        attempt,
        receipt: receipt as unknown as Json,
      })),
      trail: { incident: null, entries: entries as unknown as Json[] },
    })
    this.#tell(entries.map((entry) => ({ ...entry, at })))
  }

  #closeHolds(holds: readonly Hold[]): void {
    if (holds.length === 0) return
    const trail = { incident: null, entries: [] }
    void this.store.commit({ at: this.clock.now(), waits: false, holds: holds.map(holdRow), trail })
  }

  #faultTurned(fault: Fault): void {
    const open = fault.closedAt === null
    const entry: Entry = { what: 'fault', incident: null, fault: fault.id, words: fault.what, open }
    const at = this.clock.now()
    this.#around.log[open ? 'warn' : 'info']({ fault: fault.id }, open ? fault.what : `over: ${fault.what}`)
    void this.store.commit({
      at,
      waits: false,
      faults: [faultRow(fault)],
      trail: { incident: null, entries: [entry as unknown as Json] },
    })
    this.#tell([{ ...entry, at }])
  }

  /** Bodies that did not fit into memory come back when there is room. */
  async refill(): Promise<void> {
    const { spilled } = this.book
    if (spilled.size === 0 || this.dispatch.size > commandsMax / 2) return
    for (let after: DueCursor | null = null, room = commandsMax / 4; room > 0 && spilled.size > 0; ) {
      const rows: readonly UnfinishedCommand[] = await this.store.due(after, 1_000)
      const last = rows.at(-1)
      if (!last || this.#stopped) return
      // Only what is known to wait in the store: a row read just now may have been settled in memory since.
      const waiting = rows.filter(({ id }) => spilled.delete(id))
      this.adopt(waiting)
      room -= waiting.length
      after = { dueAt: last.dueAt, id: last.id }
    }
  }

  /** At a start with more unfinished commands than fit into memory: their ids, so that they come by and by. */
  async #countSpilled(): Promise<void> {
    for (let after = this.opened.moreCommands; after !== null; ) {
      const rows: readonly UnfinishedCommand[] = await this.store.due(after, 1_000)
      for (const { id } of rows) if (!this.dispatch.has(id)) this.book.spilled.add(id)
      const last = rows.at(-1)
      after = last ? { dueAt: last.dueAt, id: last.id } : null
    }
  }
}

const faultRow = (fault: Fault) => ({
  id: `${fault.id}@${fault.openedAt}`,
  openedAt: fault.openedAt,
  closedAt: fault.closedAt,
  body: fault as unknown as Json,
})

const incidentOf = (command: string): string => command.split('/', 1)[0] as string
