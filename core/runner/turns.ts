import type { Clock } from '../clock.ts'

/** So many at once, each for so long at most; the others wait, without costing anything. */
export class Turns {
  readonly #atOnce: number
  readonly #longestMs: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(atOnce: number, longestMs: number) {
    this.#atOnce = atOnce
    this.#longestMs = longestMs
  }

  /** Resolves with how to give the turn back; at once, without a turn, when `signal` aborts. */
  async take(clock: Clock, signal: AbortSignal): Promise<() => void> {
    if (this.#taken >= this.#atOnce && !(await this.#turn(signal))) return () => {}
    this.#taken++
    let isOver = false
    const end = () => {
      if (isOver) return
      isOver = true
      timer.cancel()
      this.#taken--
      const [next] = this.#waiting
      next?.()
    }
    const timer = clock.after(this.#longestMs, end)
    return end
  }

  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isMine: boolean) => {
        this.#waiting.delete(next)
        signal.removeEventListener('abort', give)
        resolve(isMine)
      }
      const next = () => settle(true)
      const give = () => settle(false)
      this.#waiting.add(next)
      signal.addEventListener('abort', give, { once: true })
    })
  }
}
