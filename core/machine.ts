import type { Around } from './around.ts'
import { Bridge } from './bridge.ts'
import type { DoorReport } from './capability.ts'
import { type Clock, deadline } from './clock.ts'
import type { Failure, Order, Outcome, Receipt } from './command.ts'
import { Dispatch, type Refusal } from './dispatch/dispatch.ts'
import { Due } from './dispatch/due.ts'
import { Ledger } from './dispatch/ledger.ts'
import type { Tracked } from './dispatch/tracked.ts'
import { Ways } from './dispatch/ways.ts'
import { Doors } from './door/doors.ts'
import type { Hold } from './door/hold.ts'
import { messageOf } from './error.ts'
import type { Fact, Json, State } from './fact.ts'
import { Book } from './incident/book.ts'
import { holdRow } from './incident/rows.ts'
import { Budget } from './intake/budget.ts'
import { Memory } from './intake/memory.ts'
import { Coverage } from './location/coverage.ts'
import { LocationWalks } from './location/walk.ts'
import { Assignments } from './people/assignments.ts'
import { CheckIns } from './people/check-ins.ts'
import { type Fire, fireAt } from './plan/fire.ts'
import { permit } from './plan/permit.ts'
import { Register } from './register.ts'
import { Response } from './response.ts'
import { mayBeDone, restore, snapshot } from './restart.ts'
import { InlineRunner, type LinkHealth } from './runner/inline.ts'
import { partition } from './runner/part.ts'
import { RemoteRunner } from './runner/remote.ts'
import type { Device, Site } from './site/site.ts'
import type { Opened, Store } from './store/port.ts'
import { type Fault, Faults, faultRow } from './supervision/faults.ts'
import { Heartbeats, isHeartbeat } from './supervision/heartbeat.ts'
import { Supervision } from './supervision/supervision.ts'
import { Watch } from './supervision/watch.ts'
import { Watchdog } from './supervision/watchdog.ts'
import type { Entry } from './trail/entry.ts'

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
  readonly ways: Ways
  readonly memory: Memory
  readonly faults: Faults
  readonly register: Register
  readonly supervision: Supervision
  readonly heartbeats: Heartbeats
  readonly watchdog: Watchdog
  readonly assignments: Assignments
  readonly checkIns: CheckIns
  readonly coverage: Coverage
  readonly locationWalks: LocationWalks
  readonly runner: InlineRunner | RemoteRunner
  readonly watch: Watch
  readonly #around: Around
  readonly #sites = new Map<string, Site>()
  readonly #ledger: Ledger
  readonly #listeners = new Set<(entries: readonly Entry[], at: number) => void>()
  readonly #due: Due
  #stopped = false

  /** Opens the store and takes up what it knows; links open afterwards, by `start`. */
  static async open(around: Around): Promise<Machine> {
    let machine: Machine | null = null
    const store = around.openStore({
      state: () => (machine ? snapshot(machine) : []),
      changed: (health) => machine?.watch.storeTurned(health),
      misfit: (why) => around.log.error({ why }, 'a change set does not fit the records; it is in none'),
    })
    const opened = await store.open()
    // Time never runs backwards over a restart, whatever the wall clock says.
    around.clock.raise?.(opened.clockFloor)
    machine = new Machine(around, store, opened)
    const { why } = opened.health
    if (why !== null) around.log.error({ why }, 'the records are not as the last life left them')
    await restore(machine)
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
    for (const { id, config } of opened.revisions) {
      const known = this.#sites.get(id) ?? around.compile(config, id)
      if (known) this.#sites.set(id, known)
    }
    this.ways = new Ways(site, (link) => this.runner.graceMs(link))
    this.#ledger = new Ledger({ clock, log, store, tell: (entries, at) => this.#tell(entries, at) })
    this.memory = new Memory(clock, new Map(opened.cursors.map(({ device, value }) => [device, value])))
    this.book = new Book(opened.nextIncidentNumber)
    this.register = new Register(
      store,
      () => clock.now(),
      opened.register,
      (entries, at) => this.#tell(entries, at),
    )
    this.assignments = new Assignments(this.register, site.people.assignment)
    this.faults = new Faults(clock, (fault) => this.#faultTurned(fault), site.supervision.quietMs)
    this.#due = new Due(clock, (id) => this.bridge.look(id))
    const surroundings = {
      clock,
      log,
      random: around.random,
      record: (connector: string, fact: Fact) => this.bridge.record(connector, fact),
      note: (device: string, state: State) => this.bridge.note(device, state),
      keep: around.keep,
      secret: around.secret,
      cursor: (device: string) => this.memory.cursor(device),
      turned: (link: LinkHealth) => this.watch.linkTurned(link),
    }
    this.runner = around.workers
      ? new RemoteRunner(surroundings, site, this.faults, around.workers)
      : new InlineRunner(surroundings)
    this.dispatch = new Dispatch({
      clock,
      log,
      random: around.random,
      isUp: (link) => this.runner.isUp(link),
      waits: ({ command, effect }) => this.doors.waits(command, effect),
      refusal: (tracked) => this.#refusal(tracked),
      act: (tracked, order) => this.#act(tracked, order),
      attempted: ({ capability }, ok) => around.meter.attempt(capability, ok),
      recall: (id) => this.runner.recall(id),
      started: (tracked, send) => this.#ledger.started(tracked, send),
      retried: (tracked, dueAt, failure) => this.#retried(tracked, dueAt, failure),
      settled: (tracked, receipt) => this.settled(tracked, receipt),
    })
    this.doors = new Doors({
      clock,
      device: (name) => site.devices.get(name),
      fire: (door) => this.#fire(door),
      cancel: (command, why, end) => this.dispatch.cancel(command, why, end),
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
      wayOf: (command) => this.ways.of(command),
      fire: (door) => this.#fireForPlanning(door),
      mayBeDone: (command) => mayBeDone(this, command),
      tell: (entries, at) => this.#tell(entries, at),
    })
    this.supervision = new Supervision({
      site,
      clock,
      memory: this.memory,
      register: this.register,
      faults: this.faults,
      book: this.book,
      carriedSince: (device, now) =>
        device.person === null ? (this.assignments.of(device.name, now)?.since ?? null) : 0,
      links: () => this.runner.health(),
      change: (incident, change) => this.bridge.change(incident, change),
      send: (commands, rows) => this.response.send(commands, rows),
      newId: around.newId,
    })
    this.bridge = new Bridge({
      site,
      clock,
      store,
      memory: this.memory,
      book: this.book,
      budget: new Budget(clock),
      faults: this.faults,
      supervision: this.supervision,
      assignments: this.assignments,
      dispatch: this.dispatch,
      doors: this.doors,
      response: this.response,
      newId: around.newId,
      heartbeat: (press) => this.heartbeats.take(press),
      sighted: (device, { place, at }) => {
        this.coverage.seen(device, place, at)
        this.locationWalks.seen(device, place)
      },
    })
    this.checkIns = new CheckIns(clock, this.register, (press) => this.bridge.record('api', press))
    this.coverage = new Coverage(this.register, clock.now())
    this.locationWalks = new LocationWalks(clock, site, this.register)
    this.heartbeats = new Heartbeats({
      site,
      clock,
      faults: this.faults,
      beating: () => this.runner.beating(),
      beat: (link, mark, signal) => this.runner.beat(link, mark, signal),
      send: (commands, rows) => this.response.send(commands, rows, []),
      newId: around.newId,
    })
    this.watchdog = new Watchdog({
      site,
      clock,
      faults: this.faults,
      act: (link, capability, order) => this.runner.act(link, capability, order),
    })
    this.watch = new Watch(this, this.#due, log)
  }

  /** Opens the links and starts to watch; waits for none of them. */
  start(): void {
    this.runner.start(partition(this.site))
    this.supervision.start()
    this.heartbeats.start()
    this.watchdog.start()
    this.watch.start()
    for (const { incident } of [...this.book.pages()]) this.bridge.look(incident.id)
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** The configs that open incidents were opened with, the present one among them. */
  get sites(): Iterable<Site> {
    return this.#sites.values()
  }

  /** Keeps bytes as evidence and returns their sha256. */
  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string> {
    return this.#around.keep(bytes, about)
  }

  /** Removes evidence whose incidents retention has erased. */
  async forget(hashes: readonly string[], before: number): Promise<void> {
    for (const hash of hashes) await this.#around.forget?.(hash, before)
  }

  /** Hears everything that happens and when, as it happens, on disk or not. Returns how to stop hearing. */
  listen(listener: (entries: readonly Entry[], at: number) => void): () => void {
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
    this.bridge.stop()
    this.heartbeats.stop()
    this.supervision.proofs.flush()
    this.#due.stop()
    this.dispatch.stop()
    await this.watchdog.stop()
    await this.runner.stop()
    this.#ledger.flush()
    await this.store.close()
  }

  #tell(entries: readonly Entry[], at: number): void {
    if (entries.length === 0) return
    for (const listener of this.#listeners) {
      try {
        listener(entries, at)
      } catch (error) {
        this.#around.log.error({ error: messageOf(error) }, 'a watcher failed')
      }
    }
  }

  /** All rules of the moment of sending, in one synchronous turn with the send. */
  #refusal({ command, way }: Tracked): Refusal | null {
    const incident = command.incident === null ? undefined : this.book.page(command.incident)?.incident
    const site = this.#sites.get(incident?.revision ?? '') ?? this.site
    const { target, capability } = way
    const isUrgent = incident !== undefined && incident.mode !== 'walk-test'
    const beside = isUrgent ? [] : this.book.silent(incident)
    return (
      permit(
        { site, incident, beside, target, perceptible: capability.perceptible },
        command,
        this.clock.now(),
      ) ?? this.doors.refusal(command)
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

  #act({ command, way }: Tracked, order: Order): Promise<Outcome> {
    const { incident, capability } = command
    const page = incident === null ? undefined : this.book.page(incident)
    if (page && !page.told) {
      page.told = true
      this.#around.meter.toFirst(this.clock.now() - page.incident.openedAt)
    }
    return this.runner.act(way.link, capability, order)
  }

  /** A command has come to its end. */
  settled(tracked: Tracked, receipt: Receipt): void {
    const { command, attempt } = tracked
    this.#ledger.settled({ command, attempt, receipt })
    if (isHeartbeat(command.id)) this.heartbeats.settled(command, receipt)
    else if (command.capability.startsWith('door.')) this.doors.settled(command, receipt)
    const page = command.incident === null ? undefined : this.book.page(command.incident)
    if (!page) return
    if (page.first > 0 && command.dueAt === page.incident.openedAt) {
      page.first--
      page.ended.push({ command, receipt })
      if (page.first === 0) {
        this.#around.meter.toLast(receipt.at - page.incident.openedAt)
        this.supervision.ended(page)
      }
    }
    if (page.incident.resolved) this.response.forget(page)
  }

  #retried(tracked: Tracked, dueAt: number, failure: Failure): void {
    if (tracked.effect === 'possible') this.doors.maybe(tracked.command)
    this.#ledger.retried(tracked, dueAt, failure)
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
    this.#tell([entry], at)
  }
}
