import type { Clock } from '../../core/clock.ts'

/** Messages a second that one sender may bring, with as many at once. */
export class Rate {
  readonly #perSecond: number
  #tokens: number
  #at: number

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#at = clock.mono()
  }

  /** Takes one; returns how long to wait for it, ms, 0 when it may come now. */
  take(clock: Clock): number {
    const now = clock.mono()
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#at) / 1_000) * this.#perSecond)
    this.#at = now
    this.#tokens--
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1_000
  }
}
