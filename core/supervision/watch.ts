import { every, type Timer } from '../clock.ts'
import type { Log } from '../connector.ts'
import type { Due } from '../dispatch/due.ts'
import { messageOf } from '../error.ts'
import type { Machine } from '../machine.ts'
import { refill } from '../restart.ts'
import type { LinkHealth } from '../runner/inline.ts'
import type { Health } from '../store/port.ts'

/** How often everything is looked at, ms. */
const lookMs = 1_000
/** Who has not looked for so long has stopped looking, ms. */
const lookLimitMs = 5_000
/** A step this late is a fault, ms. */
const lateMs = 2_000
/** A command to people or doors that waits this long is a fault, whatever keeps it, ms. */
const unsentMs = 10_000
/** A look this late had no event loop, ms. */
const lagMs = 500
/** A wall clock that moved this far against ours has been stepped, ms (mechanics, "Clock"). */
const stepMs = 1_000
/** Lockable doors are read this often, and this often while one is held, ms. */
const doorEveryMs = 10_000
const heldDoorEveryMs = 5_000
/** The head of the trail is logged this often: without it a cut-off end would go unseen, ms (mechanics, "Store"). */
const headEveryMs = 3_600_000
/** The file is checked once, this long after the start, off the alarm path, ms. */
const fileCheckAfterMs = 30_000
/** Resolved incidents are pruned this often, for this long, ms. */
const pruneEveryMs = 60_000
const pruneBudgetMs = 20

/** The watchdog: due steps, the age of data, doors, clock, event loop and store. */
export class Watch {
  readonly #machine: Machine
  readonly #due: Due
  readonly #log: Log
  readonly #doorReadAt = new Map<string, number>()
  #timer: Timer | null = null
  #lookedAt = 0
  #wallOffset: number
  #prunedAt: number
  #headAt = 0
  #fileCheck: Timer | null = null

  constructor(machine: Machine, due: Due, log: Log) {
    this.#machine = machine
    this.#due = due
    this.#log = log
    this.#wallOffset = machine.clock.wall() - machine.clock.now()
    this.#prunedAt = machine.clock.mono()
  }

  start(): void {
    const { clock, faults } = this.#machine
    this.#lookedAt = clock.mono()
    this.#headAt = clock.mono()
    const behind = clock.now() - clock.wall()
    const words = `the machine's clock is ${Math.round(behind / 1_000)} s behind the newest record: set it right`
    faults.set('clock-behind', behind > stepMs ? words : null)
    this.#tellHead()
    this.#fileCheck = clock.after(fileCheckAfterMs, () => this.#checkFile())
    this.#timer = every(this.#machine.clock, lookMs, () => this.#look())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#fileCheck?.cancel()
    this.#tellHead()
  }

  /** Whether it still looks, once a second. */
  get isLooking(): boolean {
    return this.#machine.clock.mono() - this.#lookedAt < lookLimitMs
  }

  linkTurned(link: LinkHealth): void {
    const { faults, dispatch, site } = this.#machine
    faults.set(`link-down:${link.name}`, link.up ? null : `${link.name} is not connected: ${link.why}`)
    if (!link.up) return
    dispatch.linkUp(link.name)
    for (const device of site.devices.values())
      if (device.link === link.name && device.door?.lockable) this.#readDoor(device.name)
  }

  storeTurned(health: Health): void {
    const { faults } = this.#machine
    faults.set('store', health.recording ? null : `NOT RECORDING: ${health.why ?? 'unknown reason'}`)
    faults.set('ballast', health.ballastGone ? 'the disk was full: the reserve has been used' : null)
  }

  #look(): void {
    const { clock, faults, doors, dispatch } = this.#machine
    const lag = clock.mono() - this.#lookedAt - lookMs
    this.#lookedAt = clock.mono()
    faults.set('event-loop', lag > lagMs ? `the program was away for ${Math.round(lag)} ms` : null)
    const lateness = this.#due.latenessMs()
    faults.set('late-steps', lateness > lateMs ? `steps are ${lateness} ms late` : null)
    const waiting = dispatch.overdue(clock.now() - unsentMs)
    const unsent = `${waiting} commands to people or doors wait for over ${unsentMs / 1_000} s`
    faults.set('late-commands', waiting > 0 ? unsent : null)
    this.#due.sweep()
    this.#clockStep()
    doors.review()
    dispatch.review()
    this.#ages()
    this.#machine.supervision.look()
    this.#doors()
    this.#cursors()
    this.#machine.checkIns.sweep()
    this.#machine.coverage.write(clock.now())
    this.#prune()
    if (clock.mono() - this.#headAt >= headEveryMs) this.#tellHead()
    void refill(this.#machine).catch(() => {})
  }

  #clockStep(): void {
    const { clock, faults } = this.#machine
    const offset = clock.wall() - clock.now()
    const stepped = offset - this.#wallOffset
    if (Math.abs(stepped) <= stepMs) return
    this.#wallOffset = offset
    const what = `the machine's clock was stepped by ${Math.round(stepped / 1_000)} s`
    faults.set('clock-step', what)
    faults.set('clock-step', null)
  }

  /** Health is the age of data, not the state of a socket. */
  #ages(): void {
    const { clock, faults, runner } = this.#machine
    for (const { name, up, heardAt, staleAfterMs } of runner.health()) {
      const age = staleAfterMs === null || heardAt === null || !up ? 0 : clock.now() - heardAt
      const isStale = staleAfterMs !== null && age > staleAfterMs
      faults.set(`stale:${name}`, isStale ? `${name}: no data for ${Math.round(age / 1_000)} s` : null)
    }
  }

  #doors(): void {
    const { clock, site, doors } = this.#machine
    for (const device of site.devices.values()) {
      if (!device.door?.lockable) continue
      const held = doors.view(device.name).holds.length > 0
      const readAt = this.#doorReadAt.get(device.name) ?? Number.NEGATIVE_INFINITY
      if (clock.mono() - readAt >= (held ? heldDoorEveryMs : doorEveryMs)) this.#readDoor(device.name)
    }
  }

  #readDoor(name: string): void {
    const device = this.#machine.site.devices.get(name)
    if (!device) return
    this.#doorReadAt.set(name, this.#machine.clock.mono())
    this.#machine.readDoor(device)
  }

  #cursors(): void {
    const { clock, store, memory } = this.#machine
    const cursors = memory.takeUnsaved()
    if (cursors.length > 0)
      void store.commit({ at: clock.now(), waits: false, cursors, trail: { incident: null, entries: [] } })
  }

  #tellHead(): void {
    const { clock, store } = this.#machine
    this.#headAt = clock.mono()
    this.#log.info({ ...store.health().trailHead }, 'trail head')
  }

  #checkFile(): void {
    const { store, faults } = this.#machine
    store.check().then(
      (damage) =>
        faults.set('store-damage', damage.length > 0 ? `the store's file is damaged: ${damage[0]}` : null),
      (error: unknown) => this.#log.warn({ error: messageOf(error) }, 'the store could not be checked'),
    )
  }

  #prune(): void {
    const { clock, store, site, assignments } = this.#machine
    if (clock.mono() - this.#prunedAt < pruneEveryMs) return
    this.#prunedAt = clock.mono()
    const before = clock.now() - site.incidents.retain
    assignments.forget(before)
    store
      .prune(before, pruneBudgetMs)
      .then(({ evidence }) => this.#machine.forget(evidence, before))
      .catch((error: unknown) => this.#log.warn({ error: messageOf(error) }, 'pruning failed'))
  }
}
