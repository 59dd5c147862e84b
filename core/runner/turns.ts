import type { Clock } from '../clock.ts'

/** One turn in so many goes to whoever has waited longest: those who ask first again and again would starve the others. */
const fairEvery = 4

/** So many at once, each for so long at most; the others wait, without costing anything. */
export class Turns {
  readonly #atOnce: number
  readonly #longestMs: number
  /** How to tell who waits, and whether they go before others; oldest first. */
  readonly #waiting = new Map<() => void, boolean>()
  #taken = 0
  #given = 0

  constructor(atOnce: number, longestMs: number) {
    this.#atOnce = atOnce
    this.#longestMs = longestMs
  }

  /**
   * Resolves with how to give the turn back; at once, without a turn, when `signal` aborts. `isFirst`: before those who
   * are not, but for one turn in four.
   */
  async take(clock: Clock, signal: AbortSignal, isFirst: boolean): Promise<() => void> {
    if (this.#taken >= this.#atOnce && !(await this.#turn(signal, isFirst))) return () => {}
    this.#taken++
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      timer.cancel()
      this.#taken--
      this.#next()?.()
    }
    const timer = clock.after(this.#longestMs, end)
    return end
  }

  #next(): (() => void) | undefined {
    const longest = this.#waiting.keys().next().value
    if (++this.#given % fairEvery === 0) return longest
    for (const [next, isFirst] of this.#waiting) if (isFirst) return next
    return longest
  }

  #turn(signal: AbortSignal, isFirst: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isMine: boolean) => {
        this.#waiting.delete(next)
        signal.removeEventListener('abort', give)
        resolve(isMine)
      }
      const next = () => settle(true)
      const give = () => settle(false)
      this.#waiting.set(next, isFirst)
      signal.addEventListener('abort', give, { once: true })
    })
  }
}
