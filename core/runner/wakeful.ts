import { type Clock, deadline, every, punctual, type Timer } from '../clock.ts'

/** How often a process shows itself that it goes on, ms. */
const tickMs = 100
/** So long without a tick, and it has stood still; shorter than it takes the bridge to give its orders to others, ms. */
const stoodStillMs = 1_000

/** Knows whether this process has stood still: stopped, or swapped out. */
export class Wakeful {
  readonly #clock: Clock
  readonly #timer: Timer
  #tickedAt: number
  /** Aborted by the next stand-still. */
  #stand = new AbortController()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#tickedAt = clock.mono()
    this.#timer = every(clock, tickMs, () => {
      this.#look()
      this.#tickedAt = clock.mono()
    })
  }

  /** A time limit that is over after a stand-still as well: whoever looks at `aborted` before the bytes that act finds it so. */
  limit(ms: number): { signal: AbortSignal; cancel(): void } {
    this.#look()
    const limit = deadline(this.#clock, ms, this.#stand.signal)
    punctual(limit.signal, () => this.#look())
    return limit
  }

  stop(): void {
    this.#timer.cancel()
  }

  #look(): void {
    if (this.#clock.mono() - this.#tickedAt <= stoodStillMs) return
    this.#tickedAt = this.#clock.mono()
    const stand = this.#stand
    this.#stand = new AbortController()
    stand.abort(new DOMException('this process has stood still', 'AbortError'))
  }
}
