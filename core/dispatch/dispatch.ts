import { proves } from '../capability.ts'
import { type Clock, punctual } from '../clock.ts'
import {
  type Command,
  type Effect,
  type Failure,
  failed,
  type Order,
  type Outcome,
  type Receipt,
} from '../command.ts'
import type { Log } from '../connector.ts'
import { messageOf } from '../error.ts'
import type { Json } from '../fact.ts'
import { Lane, type LaneOwner } from './lane.ts'
import type { Tracked } from './tracked.ts'
import type { Way } from './ways.ts'

/** Pauses between two attempts at one command, ms; the real ones are drawn from half to the whole of these. */
const pausesMs = [250, 500, 1_000, 2_000, 5_000] as const
/** A connector that has not returned this long after its signal was aborted is left to itself, ms. */
const graceMs = 250

/** Why a command may not be sent now. */
export interface Refusal {
  readonly end: 'expired' | 'cancelled' | 'suppressed'
  readonly why: string
}

/** What becomes of commands, as dispatch tells the bridge to write it down. */
export interface Ports {
  readonly clock: Clock
  readonly log: Log
  random(): number
  isUp(link: string): boolean
  /** Whether a command must wait although its link is up, such as a lock before its fire input has been read. */
  waits(tracked: Tracked): boolean
  /** Takes an attempt back that may not have begun at a worker yet; how it ended comes as for any other. */
  recall(id: string): void
  /** All rules of the moment of sending: expiry, conditions, silence, fire, holds. null: it may go. */
  refusal(tracked: Tracked): Refusal | null
  act(tracked: Tracked, order: Order): Promise<Outcome>
  /** Counts an attempt that has ended. */
  attempted(command: Command, ok: boolean): void
  /** Writes an attempt down; `send` is called when it is on disk, or at once where there is no disk. */
  started(tracked: Tracked, send: () => void): void
  retried(tracked: Tracked, dueAt: number, failure: Failure): void
  settled(tracked: Tracked, receipt: Receipt): void
}

/** When, how often and how late: takes commands to their receipts. */
export class Dispatch implements LaneOwner {
  readonly clock: Clock
  readonly #ports: Ports
  readonly #lanes = new Map<string, Lane>()
  readonly #tracked = new Map<string, Tracked>()
  #stopping = false

  constructor(ports: Ports) {
    this.#ports = ports
    this.clock = ports.clock
  }

  /** Commands that have no receipt yet. */
  get size(): number {
    return this.#tracked.size
  }

  has(id: string): boolean {
    return this.#tracked.has(id)
  }

  /** A command that has no receipt yet. */
  command(id: string): Command | undefined {
    return this.#tracked.get(id)?.command
  }

  unfinished(): Iterable<Tracked> {
    return this.#tracked.values()
  }

  /** Commands to people and doors that were due before `before` and have no receipt yet. */
  overdue(before: number): number {
    let count = 0
    for (const { command } of this.#tracked.values())
      if (command.dueAt < before && (command.priority === 'person' || command.priority === 'door')) count++
    return count
  }

  /** Whether an attempt could start at once as far as is known, so that it may be recorded with the command. */
  isReady(way: Way): boolean {
    return this.#ports.isUp(way.link) && !this.#lane(way).breaker.isOpen
  }

  /** Takes commands that are on disk, or in memory while there is no disk. */
  add(all: readonly Tracked[]): void {
    const lanes = new Set<Lane>()
    for (const tracked of all) {
      if (this.#tracked.has(tracked.command.id)) continue
      this.#tracked.set(tracked.command.id, tracked)
      const lane = this.#lane(tracked.way)
      if (tracked.isStateful) this.#supersede(tracked, lane)
      lane.add(tracked)
      lanes.add(lane)
    }
    for (const lane of lanes) lane.pump()
  }

  /** Ends a command unless it is in flight or over; says what earlier attempts may have done, null when it did not end. */
  cancel(id: string, why: string, end: 'cancelled' | 'suppressed' = 'cancelled'): Effect | null {
    const tracked = this.#tracked.get(id)
    if (tracked?.state === 'in-flight') this.#ports.recall(id)
    if (!tracked || tracked.state === 'in-flight' || tracked.state === 'settled') return null
    this.#lane(tracked.way).remove(tracked)
    this.#settle(tracked, { end, why })
    return tracked.effect
  }

  /** An attempt whose end was unknown turns out to have worked: settles the command if it waits for another try. */
  confirm(id: string, result: Json): void {
    const tracked = this.#tracked.get(id)
    if (tracked?.state !== 'waiting' || tracked.effect !== 'possible') return
    this.#lane(tracked.way).remove(tracked)
    this.#settle(tracked, { end: 'done', why: '' }, { ok: true, proof: 'confirmed', result })
  }

  /** A link is up: what waited for it goes at once. */
  linkUp(link: string): void {
    const lanes = new Set<Lane>()
    for (const { way, state } of this.#tracked.values())
      if (state === 'waiting' && way.link === link) lanes.add(this.#lane(way))
    for (const lane of lanes) lane.kick()
  }

  /** Something changed that refusals depend on (acknowledged, fire): looks at everything that waits. */
  review(): void {
    for (const lane of this.#lanes.values()) lane.review()
  }

  /** Starts nothing more; what is in flight is aborted. */
  stop(): void {
    this.#stopping = true
    for (const lane of this.#lanes.values()) lane.stop()
    for (const { abort } of this.#tracked.values()) abort?.abort()
  }

  isUp(tracked: Tracked): boolean {
    return !this.#stopping && this.#ports.isUp(tracked.way.link) && !this.#ports.waits(tracked)
  }

  drop(tracked: Tracked): boolean {
    if (this.#stopping) return false
    if (tracked.state === 'settled') return true
    const refusal = this.#ports.refusal(tracked)
    if (refusal) this.#settle(tracked, refusal)
    return refusal !== null
  }

  /** Called in the turn in which a lane has a place; the first attempt is recorded already, later ones are now. */
  start(lane: Lane, tracked: Tracked): void {
    if (tracked.recorded) {
      tracked.recorded = false
      // The lane has asked for refusals in this very turn.
      if (!this.#stopping) this.#sendNow(lane, tracked)
      return
    }
    tracked.state = 'starting'
    tracked.attempt++
    this.#ports.started(tracked, () => this.#send(lane, tracked))
  }

  /** Re-check and start of the send are one synchronous turn. */
  #send(lane: Lane, tracked: Tracked): void {
    const refusal = tracked.state === 'settled' ? null : this.#ports.refusal(tracked)
    if (tracked.state === 'settled' || refusal || this.#stopping) {
      lane.ended(tracked)
      if (refusal) this.#settle(tracked, refusal)
      if (!this.#stopping) lane.pump()
      return
    }
    this.#sendNow(lane, tracked)
  }

  #sendNow(lane: Lane, tracked: Tracked): void {
    tracked.state = 'in-flight'
    tracked.sends++
    this.#attempt(lane, tracked)
  }

  /** Ends with the outcome, or without one when the connector does not return: whichever comes first. */
  #attempt(lane: Lane, tracked: Tracked): void {
    const { clock } = this
    const { command, way } = tracked
    const ms = way.attemptMs
    const abort = new AbortController()
    tracked.abort = abort
    const over = () => abort.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'))
    // A lock that waits for a log-in does not follow it when the time is over, timer or not.
    if (tracked.isStateful) {
      const overAt = clock.mono() + ms
      punctual(abort.signal, () => {
        if (clock.mono() > overAt) over()
      })
    }
    let hasEnded = false
    const end = (outcome: Outcome) => {
      if (hasEnded) return
      hasEnded = true
      stuck.cancel()
      tracked.abort = null
      this.#ports.attempted(command, outcome.ok)
      this.#ended(lane, tracked, this.#judged(tracked, outcome))
    }
    let stuck = clock.after(ms, () => {
      over()
      stuck = clock.after(graceMs, () =>
        end(failed('TIMEOUT', `${command.target}: no answer within ${ms} ms`, { effect: 'possible' })),
      )
    })
    void this.#ports.act(tracked, tracked.order(abort.signal)).then(end)
  }

  /** Less proof than the capability demands is a failure. */
  #judged({ command, way }: Tracked, outcome: Outcome): Outcome {
    if (!outcome.ok || proves(outcome.proof, way.capability.proof)) return outcome
    return failed('UNCONFIRMED', `NOT confirmed: ${command.target} only ${outcome.proof} the command`, {
      effect: 'possible',
    })
  }

  #ended(lane: Lane, tracked: Tracked, outcome: Outcome): void {
    const closed = lane.breaker.ended(outcome)
    lane.ended(tracked)
    if (this.#stopping) return
    if (outcome.ok) this.#settle(tracked, { end: 'done', why: '' }, outcome)
    else this.#failed(lane, tracked, outcome)
    if (closed) lane.hurry()
    lane.pump()
  }

  #failed(lane: Lane, tracked: Tracked, outcome: Outcome & { ok: false }): void {
    const { failure, effect } = outcome
    tracked.lastFailure = failure
    if (effect === 'possible') tracked.effect = 'possible'
    tracked.state = 'waiting'
    // A release never ends but by success: the door stays ours to give back.
    const forever = tracked.way.capability.expiresAfterMs === null
    const end: Refusal | { end: 'failed'; why: string } | null =
      failure.retry === 'never' && !forever
        ? { end: 'failed', why: `${failure.code}: ${failure.message}` }
        : this.#ports.refusal(tracked)
    if (end) {
      this.#settle(tracked, end)
      return
    }
    const step = pausesMs[Math.min(tracked.sends - 1, pausesMs.length - 1)] as number
    const pause =
      typeof failure.retry === 'object'
        ? Math.min(failure.retry.afterMs, 60_000)
        : step * (0.5 + this.#ports.random() / 2)
    tracked.notBefore = this.clock.mono() + pause
    this.#ports.retried(tracked, this.clock.now() + Math.round(pause), failure)
    lane.putBack(tracked)
  }

  /** A newer setting of the same target takes the place of an older one that still waits; of a release never. */
  #supersede(newer: Tracked, lane: Lane): void {
    const { target, capability } = newer.command
    for (const older of lane.waiting)
      if (
        older.command.target === target &&
        family(older.command.capability) === family(capability) &&
        older.command.capability !== 'door.release' &&
        older.state !== 'settled'
      ) {
        lane.remove(older)
        this.#settle(older, { end: 'cancelled', why: `superseded by ${newer.command.id}` })
      }
  }

  #settle(tracked: Tracked, { end, why }: { end: Receipt['end']; why: string }, outcome?: Outcome): void {
    tracked.state = 'settled'
    this.#tracked.delete(tracked.command.id)
    const last = tracked.lastFailure
    const receipt: Receipt = {
      command: tracked.command.id,
      end,
      why:
        last && end !== 'done' && end !== 'failed'
          ? `${why}; last attempt: ${last.code}: ${last.message}`
          : why,
      proof: outcome?.ok ? outcome.proof : null,
      effect: end === 'done' ? 'had' : (tracked.effect satisfies Effect),
      attempts: tracked.sends,
      at: this.clock.now(),
      result: outcome?.ok ? outcome.result : null,
    }
    try {
      this.#ports.settled(tracked, receipt)
    } catch (error) {
      this.#ports.log.error(
        { command: tracked.command.id, error: messageOf(error) },
        'a receipt could not be taken',
      )
    }
  }

  #lane({ lane: { key, atOnce } }: Way): Lane {
    const known = this.#lanes.get(key)
    if (known) return known
    const lane = new Lane(this, atOnce)
    this.#lanes.set(key, lane)
    return lane
  }
}

const family = (capability: string): string => capability.split('.', 1)[0] as string
