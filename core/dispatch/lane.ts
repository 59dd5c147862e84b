import { type Priority, priorities } from '../capability.ts'
import type { Clock, Timer } from '../clock.ts'
import { Breaker } from './breaker.ts'
import type { Tracked } from './tracked.ts'

/** What a lane asks of dispatch. */
export interface LaneOwner {
  readonly clock: Clock
  /** Whether the way to the target is there at all. */
  isUp(tracked: Tracked): boolean
  /** Ends a command that may not be sent any more; true when it did. */
  drop(tracked: Tracked): boolean
  /** Starts an attempt; dispatch calls `ended` when it is over. */
  start(lane: Lane, tracked: Tracked): void
}

const rank = (priority: Priority): number => priorities.indexOf(priority)

/** Looks at what waits at least this often, ms: expiry by the wall clock has no timer of its own. */
const lookMs = 1_000

/** What can hang together: commands that share a way out, with its own concurrency and breaker. */
export class Lane {
  readonly breaker = new Breaker()
  readonly #owner: LaneOwner
  readonly #atOnce: number
  readonly #waiting: Tracked[][] = priorities.map(() => [])
  /** Targets whose state is being set: one in flight, in order. */
  readonly #busy = new Set<string>()
  #size = 0
  #inFlight = 0
  #timer: Timer | null = null
  #timerAt = 0

  constructor(owner: LaneOwner, atOnce: number) {
    this.#owner = owner
    this.#atOnce = atOnce
  }

  get waiting(): readonly Tracked[] {
    return this.#waiting.flat()
  }

  add(tracked: Tracked): void {
    this.#waiting[rank(tracked.command.priority)]!.push(tracked)
    this.#size++
  }

  /** Puts one back that has failed: before those that came after it. */
  putBack(tracked: Tracked): void {
    this.#waiting[rank(tracked.command.priority)]!.unshift(tracked)
    this.#size++
  }

  remove(tracked: Tracked): void {
    const queue = this.#waiting[rank(tracked.command.priority)]!
    const index = queue.indexOf(tracked)
    if (index >= 0) this.#take(queue, index)
  }

  /** Starts what may start, most urgent first; looks again when something can have changed. */
  pump(): void {
    if (this.#size === 0) return
    const opensAt = this.#opensAt()
    const now = this.#owner.clock.mono()
    // Nothing can start: whoever ends looks again, and at the latest the timer. A target that hangs costs nobody more the
    // longer its queue is.
    if (this.#timer && opensAt > now) {
      this.#lookAt(opensAt, now)
      return
    }
    this.review(now)
  }

  /** Looks at each that waits: whether it is still wanted, and whether it may start. */
  review(now = this.#owner.clock.mono()): void {
    let nextAt = Number.POSITIVE_INFINITY
    /** Targets with an earlier command that waits: what sets the state of a target goes in order. */
    const queued = new Set<string>()
    let started = false
    for (const queue of this.#waiting)
      for (let index = 0; index < queue.length; ) {
        // What took the last place leaves the others as they are: whoever ends looks at them again.
        if (started && this.#inFlight >= this.#atOnce && !this.breaker.isOpen) break
        const tracked = queue[index] as Tracked
        if (this.#owner.drop(tracked)) {
          // Dropping may have taken others out of the queue too.
          if (queue[index] === tracked) this.#take(queue, index)
          continue
        }
        const at = this.#startsAt(tracked, queued)
        if (at <= now) {
          this.#take(queue, index)
          this.#start(tracked)
          started = true
          continue
        }
        if (tracked.isStateful) queued.add(tracked.command.target)
        nextAt = Math.min(nextAt, at)
        if (this.#inFlight >= this.#atOnce && !this.breaker.isOpen) break
        index++
      }
    this.#lookAt(nextAt, now)
  }

  #lookAt(nextAt: number, now: number): void {
    if (this.#size === 0) return
    const at = Math.min(Math.max(now + 1, nextAt), now + lookMs)
    if (this.#timer && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#owner.clock.after(at - now, () => {
      this.#timer = null
      this.review()
    })
  }

  #take(queue: Tracked[], index: number): void {
    if (index === 0) queue.shift()
    else queue.splice(index, 1)
    this.#size--
  }

  /** An attempt is over. */
  ended(tracked: Tracked): void {
    this.#inFlight--
    if (tracked.isStateful) this.#busy.delete(tracked.command.target)
  }

  /** The way is back: nothing waits for its own pause any more. */
  kick(): void {
    this.breaker.reset()
    this.hurry()
    this.pump()
  }

  hurry(): void {
    for (const queue of this.#waiting) for (const tracked of queue) tracked.notBefore = 0
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** When the lane itself lets the next one start, on the monotonic clock; infinity while one must end first. */
  #opensAt(): number {
    return this.#inFlight >= (this.breaker.isOpen ? 1 : this.#atOnce)
      ? Number.POSITIVE_INFINITY
      : this.breaker.nextAt()
  }

  /** When a command may start, on the monotonic clock; infinity while it waits for another to end. */
  #startsAt(tracked: Tracked, queued: ReadonlySet<string>): number {
    const opensAt = this.#opensAt()
    if (opensAt === Number.POSITIVE_INFINITY) return opensAt
    const { target } = tracked.command
    if (tracked.isStateful && (this.#busy.has(target) || queued.has(target))) return Number.POSITIVE_INFINITY
    if (!this.#owner.isUp(tracked)) return Number.POSITIVE_INFINITY
    // A probe goes with the most urgent command, whatever pause that one had.
    return this.breaker.isOpen ? opensAt : tracked.notBefore
  }

  #start(tracked: Tracked): void {
    this.#inFlight++
    if (tracked.isStateful) this.#busy.add(tracked.command.target)
    this.breaker.started(this.#owner.clock.mono())
    this.#owner.start(this, tracked)
  }
}
