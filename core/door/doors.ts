import type { DoorMode, DoorReport } from '../capability.ts'
import type { Clock } from '../clock.ts'
import type { Command, Effect, Receipt } from '../command.ts'
import type { Refusal } from '../dispatch/dispatch.ts'
import type { Json } from '../fact.ts'
import { type Fire, fireReason } from '../plan/fire.ts'
import type { Lock } from '../plan/plan.ts'
import type { Device } from '../site/site.ts'
import { type Hold, lingers, satisfies, wantedHold } from './hold.ts'

/** A released door is read again after this: a lock that timed out can land late, ms (safety.md, "Doors"). */
const readAgainMs = 5_000
/** How often it is read again when a lock's outcome is unknown. */
const readAgainTimes = 6
/** A report older than this is no base for what the door was before our lock, ms. */
const reportMs = 60_000
/** After a start the fire inputs have this long to be read before "not yet read" counts as unknown, ms. */
const settleInMs = 5_000

/** What the doors ask of the bridge. */
export interface Ports {
  readonly clock: Clock
  device(name: string): Device | undefined
  fire(door: Device): Fire
  /** Ends a command that has not started; says what it may have done, or null when it has started or is over. */
  cancel(command: string, why: string, end: 'cancelled' | 'suppressed'): Effect | null
  /** Whether this command has no receipt yet. */
  isPending(command: string): boolean
  /** Writes holds and commands down together, then dispatches the commands. */
  write(holds: readonly Hold[], commands: readonly Command[], why: string): void
  /** Writes down that nothing of these holds is left; news for the store alone. */
  close(holds: readonly Hold[]): void
  /** Reads a door; what it says comes back through `reported`. */
  read(door: Device): void
  /** Opens a fault, or closes it where `what` is null. */
  fault(id: string, what: string | null): void
  /** Settles a waiting command whose earlier attempt turns out to have worked. */
  confirm(command: string, report: DoorReport): void
  /** Part of an id that no earlier command of this door had. */
  nextId(): string
}

/** A door as the bridge knows it. */
export interface DoorView {
  readonly door: string
  readonly reported: DoorReport | null
  readonly reportedAt: number | null
  readonly holds: readonly Hold[]
  /** A release is on its way. */
  readonly releasing: boolean
}

/** A lock of ours, as the release that withdraws it must know it. */
type Ours = Pick<Hold, 'mode' | 'before'>

interface Lane {
  readonly door: string
  readonly holds: Map<string, Hold>
  reported: DoorReport | null
  reportedAt: number | null
  /** Our lock that is or may be on the door. */
  ours: Ours | null
  /** Some lock attempt since the last release ended without a known outcome: it may still land. */
  unsure: boolean
  /** Some lock since the last release has worked: it is on the door, whatever became of its hold. */
  locked: boolean
  /** The release that is on its way. */
  release: string | null
  /** Ended, but perhaps on the door yet. */
  over: Hold[]
  /** Withdrawn, but perhaps to land yet. */
  suspect: { readonly ours: Ours; left: number } | null
}

/** Doors are held, not commanded: compares what is wanted with what is reported, and makes the commands of it. */
export class Doors {
  readonly #ports: Ports
  readonly #lanes = new Map<string, Lane>()
  readonly #startedAt: number

  constructor(ports: Ports) {
    this.#ports = ports
    this.#startedAt = ports.clock.now()
  }

  view(door: string): DoorView {
    const lane = this.#lane(door)
    const { reported, reportedAt, holds, release } = lane
    return { door, reported, reportedAt, holds: [...holds.values()], releasing: release !== null }
  }

  liveHolds(): Hold[] {
    return [...this.#lanes.values()].flatMap((lane) => [...lane.holds.values()])
  }

  /** All holds that the store must know of: those that live, and those whose lock may be on the door yet. */
  recorded(): Hold[] {
    return [...this.#lanes.values()].flatMap((lane) => [...lane.holds.values(), ...lane.over])
  }

  /** Takes over what the store knew: live holds, and releases that were not finished. */
  restore(holds: readonly Hold[], releases: readonly Command[]): void {
    for (const hold of holds) {
      const lane = this.#lane(hold.door)
      lane.unsure = true
      if (hold.ended) lane.over.push(hold)
      else lane.holds.set(hold.id, hold)
      if (!hold.ended) touch(lane, hold)
    }
    for (const { id, target, args } of releases) {
      const lane = this.#lane(target)
      const { from, before } = args as { from: Hold['mode']; before: DoorMode }
      lane.release = id
      lane.unsure = true
      lane.ours ??= { mode: from, before }
    }
    for (const lane of this.#lanes.values()) {
      const strongest = lane.over.find(({ mode }) => mode === 'lockdown') ?? lane.over[0]
      if (!strongest || lane.ours) continue
      lane.suspect = { ours: strongest, left: readAgainTimes }
      this.#readAgain(lane)
    }
  }

  /**
   * The hold for a lock that a plan wants; the caller writes it down together with the lock's command. `covered` names
   * a stronger hold under which this one waits: nothing is to be sent now.
   */
  take(lock: Lock, by: string): { hold: Hold; covered: string | null } {
    const lane = this.#lane(lock.door)
    const strongest = wantedHold(lane.holds.values())
    const hold: Hold = {
      id: lock.command.id,
      door: lock.door,
      incident: lock.command.incident as string,
      mode: lock.mode,
      since: this.#ports.clock.now(),
      until: lock.until,
      by,
      before: lane.ours?.before ?? this.#before(lane),
      confirmed: false,
      ended: null,
      gone: false,
    }
    lane.holds.set(hold.id, hold)
    const covered = strongest?.mode === 'lockdown' && lock.mode === 'secure' ? strongest.id : null
    if (covered === null) touch(lane, hold)
    return { hold, covered }
  }

  /**
   * Whether a lock must wait for a moment after a start: for the first readings of its fire inputs, and, where an
   * earlier attempt may have had an effect, for the first reading of the door itself.
   */
  waits(command: Command, effect: Effect): boolean {
    if (!isLock(command) || !this.isSettlingIn()) return false
    return (
      this.#fireIsUnread(command) || (effect === 'possible' && this.#lane(command.target).reportedAt === null)
    )
  }

  isSettlingIn(): boolean {
    return this.#ports.clock.now() - this.#startedAt < settleInMs
  }

  /** The rules of doors once more, asked in the turn in which a send starts. */
  refusal(command: Command): Refusal | null {
    if (!isLock(command)) return null
    const door = this.#ports.device(command.target)
    if (!door?.door?.lockable)
      return { end: 'suppressed', why: `${command.target} is never locked by the bridge` }
    // Locks expire when either clock says so: a wall clock that was set right may know better than ours.
    if (command.expiresAt !== null && this.#ports.clock.wall() > command.expiresAt)
      return { end: 'expired', why: 'by the wall clock' }
    if (!this.#lane(command.target).holds.has(holdOf(command)))
      return { end: 'cancelled', why: 'the hold has ended' }
    const fire = this.#fireIsUnread(command) ? null : fireReason(this.#ports.fire(door))
    return fire === null ? null : { end: 'suppressed', why: fire }
  }

  /** An attempt ended without a known outcome, and the command goes on: it may land whenever it likes. */
  maybe(command: Command): void {
    if (isLock(command)) this.#lane(command.target).unsure = true
  }

  /** The end of a lock or a release. */
  settled(command: Command, receipt: Receipt): void {
    const lane = this.#lane(command.target)
    if (command.capability === 'door.release') this.#released(lane, command, receipt)
    else if (isLock(command)) this.#locked(lane, command, receipt)
  }

  /** What a door says of itself, whenever it was read. */
  reported(door: string, report: DoorReport): void {
    const lane = this.#lane(door)
    this.#report(lane, report)
    this.#landedLate(lane, report)
    for (const hold of lane.holds.values())
      if (!hold.confirmed && satisfies(report.mode, hold.mode)) this.#ports.confirm(hold.id, report)
    const wanted = wantedHold(lane.holds.values())
    const odd =
      wanted?.confirmed && !satisfies(report.mode, wanted.mode)
        ? `${door} reports ${report.mode}, but is held (${wanted.mode}): go and look`
        : !wanted && !lane.ours && report.mode === 'lockdown'
          ? `${door} is locked down, and not by the bridge`
          : null
    this.#ports.fault(`door-unexpected:${door}`, odd)
    this.#ports.fault(`door-forced:${door}`, report.forced ? `${door} was forced open` : null)
  }

  /** Ends the holds of an incident: resolved, or released by an operator. */
  endIncident(incident: string, why: string): void {
    for (const lane of this.#lanes.values())
      this.#end(
        lane,
        [...lane.holds.values()].filter((hold) => hold.incident === incident),
        why,
      )
  }

  /** Ends what is over by either clock or by fire. Called every second, and at once when a fire input changes. */
  review(): void {
    const { clock } = this.#ports
    for (const lane of this.#lanes.values()) {
      if (lane.holds.size === 0) continue
      const now = Math.max(clock.now(), clock.wall())
      const over = [...lane.holds.values()].filter((hold) => now >= hold.until)
      this.#end(lane, over, 'its time is up')
      const fire = this.#fire(lane.door)
      if (fire) this.#end(lane, [...lane.holds.values()], fire, true)
    }
  }

  #fireIsUnread(command: Command): boolean {
    const door = this.#ports.device(command.target)
    return this.isSettlingIn() && door !== undefined && this.#ports.fire(door) === 'unknown'
  }

  #fire(name: string): string | null {
    const door = this.#ports.device(name)
    const fire = door ? this.#ports.fire(door) : 'clear'
    return fire === 'unknown' && this.isSettlingIn() ? null : fireReason(fire)
  }

  #locked(lane: Lane, command: Command, receipt: Receipt): void {
    const hold = lane.holds.get(holdOf(command))
    if (receipt.end === 'done') {
      lane.locked = true
      this.#report(lane, receipt.result as DoorReport)
    } else if (receipt.effect === 'possible') lane.unsure = true
    // A newer lock of the same door does the work of this one; its hold lives on.
    if (!hold || (receipt.end === 'cancelled' && receipt.why.startsWith('superseded'))) return
    if (receipt.end === 'done') {
      const confirmed = { ...hold, confirmed: true }
      lane.holds.set(hold.id, confirmed)
      this.#ports.write([confirmed], [], 'confirmed')
      return
    }
    // Whoever relied on this attempt has no lock either.
    const left = [...lane.holds.values()].filter(
      ({ id, confirmed }) => !confirmed && !this.#ports.isPending(id),
    )
    this.#end(lane, [...new Set([hold, ...left])], `${receipt.end}: ${receipt.why}`)
  }

  #released(lane: Lane, command: Command, receipt: Receipt): void {
    if (lane.release !== command.id) return
    lane.release = null
    if (receipt.end !== 'done') return
    this.#report(lane, receipt.result as DoorReport)
    if (lane.ours) lane.suspect = { ours: lane.ours, left: lane.unsure ? readAgainTimes : 1 }
    lane.ours = null
    lane.unsure = false
    lane.locked = false
    this.#readAgain(lane)
    const wanted = wantedHold(lane.holds.values())
    if (!wanted) return
    touch(lane, wanted)
    if (!this.#ports.isPending(wanted.id))
      this.#ports.write([], this.#relock(wanted), 'a weaker hold is left')
  }

  #readAgain(lane: Lane): void {
    this.#ports.clock.after(readAgainMs, () => {
      const device = this.#ports.device(lane.door)
      if (!lane.suspect || !device) return
      if (--lane.suspect.left > 0) this.#readAgain(lane)
      this.#ports.read(device)
    })
  }

  /** A lock that timed out and landed after its release is released as well. */
  #landedLate(lane: Lane, report: DoorReport): void {
    const suspect = lane.suspect
    if (!suspect) return
    if (suspect.left <= 0) lane.suspect = null
    if (lane.ours || lane.holds.size > 0) return
    if (!lingers(report.mode, suspect.ours)) {
      if (suspect.left <= 0) this.#ports.close(lane.over.splice(0).map((hold) => ({ ...hold, gone: true })))
      return
    }
    lane.ours = suspect.ours
    lane.unsure = true
    this.#ports.write([], this.#release(lane), 'a lock landed after its release')
  }

  #end(lane: Lane, holds: readonly Hold[], why: string, forbidden = false): void {
    if (holds.length === 0) return
    const at = this.#ports.clock.now()
    const ended: readonly Hold[] = holds.map((hold) => ({ ...hold, ended: { at, why } }))
    for (const hold of ended) lane.holds.delete(hold.id)
    const end = forbidden ? 'suppressed' : 'cancelled'
    const effects = ended.map((hold) => this.#ports.cancel(hold.id, why, end))
    const nothingSent = ended.every(
      (hold, n) =>
        !hold.confirmed &&
        (effects[n] === 'none' || (effects[n] === null && !this.#ports.isPending(hold.id))),
    )
    const isFree = lane.holds.size === 0 && !lane.unsure && !lane.locked && lane.release === null
    if (nothingSent && isFree) lane.ours = null
    const release = this.#release(lane)
    // The store forgets a hold only when nothing of it can be on the door.
    if (lane.ours) lane.over.push(...ended)
    this.#ports.write(lane.ours ? ended : ended.map((hold) => ({ ...hold, gone: true })), release, why)
  }

  /** The command that withdraws our lock, unless a live hold wants it as it is or a release is on its way. */
  #release(lane: Lane): Command[] {
    const wanted = wantedHold(lane.holds.values())
    const device = this.#ports.device(lane.door)
    if (!lane.ours || lane.release || !device || wanted?.mode === lane.ours.mode) return []
    lane.release = `door/${lane.door}/release.${this.#ports.nextId()}`
    const args = { from: lane.ours.mode, before: lane.ours.before }
    return [this.#command(lane.release, device, null, 'door.release', args, null)]
  }

  #relock(wanted: Hold): Command[] {
    const device = this.#ports.device(wanted.door)
    if (!device) return []
    const expiresAt = Math.min(wanted.until, this.#ports.clock.now() + 20_000)
    const id = `${wanted.id}#${this.#ports.nextId()}`
    return [this.#command(id, device, wanted.incident, `door.${wanted.mode}`, {}, expiresAt)]
  }

  #command(
    id: string,
    device: Device,
    incident: string | null,
    capability: string,
    args: Json,
    expiresAt: number | null,
  ): Command {
    const { name: target, connector } = device
    const dueAt = this.#ports.clock.now()
    const address = device.output as Json
    return {
      id,
      incident,
      target,
      connector,
      capability,
      address,
      args,
      dueAt,
      expiresAt,
      priority: 'door',
      unless: [],
    }
  }

  #report(lane: Lane, report: DoorReport): void {
    lane.reported = report
    lane.reportedAt = this.#ports.clock.now()
  }

  #before(lane: Lane): DoorMode {
    const fresh = lane.reportedAt !== null && this.#ports.clock.now() - lane.reportedAt < reportMs
    return fresh && lane.reported ? lane.reported.mode : 'unknown'
  }

  #lane(door: string): Lane {
    const nothing = { reported: null, reportedAt: null, ours: null, release: null, suspect: null }
    const fresh = { door, holds: new Map(), over: [], unsure: false, locked: false, ...nothing }
    const lane: Lane = this.#lanes.get(door) ?? fresh
    this.#lanes.set(door, lane)
    return lane
  }
}

const isLock = ({ capability }: Command): boolean =>
  capability === 'door.secure' || capability === 'door.lockdown'

/** A lock that is tried anew after a release carries a number behind the id of its hold. */
const holdOf = ({ id }: Command): string => id.split('#', 1)[0] as string

const touch = (lane: Lane, { mode, before }: Hold): void => {
  if (lane.ours?.mode !== 'lockdown') lane.ours = { mode, before }
}
