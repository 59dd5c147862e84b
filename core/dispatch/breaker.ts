import type { Outcome } from '../command.ts'
import type { ErrorCode } from '../error.ts'

/** Failures in a row until a lane sends one probe at a time. */
const openAfter = 3
/** Least pause between two probes of an open breaker, ms: what is back is told within a second, its backlog too (mechanics: at most 1 s apart). */
const probeEveryMs = 450

/** These say that the target, or the way to it, is not there; any other answer proves that it is. */
const dead: ReadonlySet<ErrorCode> = new Set([
  'TIMEOUT',
  'UNREACHABLE',
  'LINK_DOWN',
  'BUSY',
  'CRASHED',
  'BAD_ANSWER',
  'UNAUTHORIZED',
])

/** Open: one probe at a time, with the most urgent waiting command. It never fails a command unsent. */
export class Breaker {
  #failures = 0
  #lastProbeAt = Number.NEGATIVE_INFINITY

  get isOpen(): boolean {
    return this.#failures >= openAfter
  }

  /** When the next attempt may start, on the monotonic clock; in the past while the breaker is closed. */
  nextAt(): number {
    return this.isOpen ? this.#lastProbeAt + probeEveryMs : Number.NEGATIVE_INFINITY
  }

  started(mono: number): void {
    this.#lastProbeAt = mono
  }

  /** Returns true when this outcome has closed it: whatever waits may go. */
  ended(outcome: Outcome): boolean {
    // A worker that was late says nothing of the target.
    if (!outcome.ok && outcome.failure.code === 'WORKER_LATE') return false
    const was = this.isOpen
    this.#failures = !outcome.ok && dead.has(outcome.failure.code) ? this.#failures + 1 : 0
    return was && !this.isOpen
  }

  /** The link is back: forget what was. */
  reset(): void {
    this.#failures = 0
  }
}
