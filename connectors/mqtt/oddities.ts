import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/connector.ts'
import { plain } from './names.ts'

/** How often messages that nobody can make sense of are logged, ms. */
const logEveryMs = 60_000

/** Counts messages that were thrown away, and says so now and then. */
export class Oddities {
  readonly #clock: Clock
  readonly #log: Log
  #count = 0
  #logged = 0
  #loggedAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  get count(): number {
    return this.#count
  }

  add(topic: string, why: string): void {
    this.#count++
    const now = this.#clock.mono()
    if (now - this.#loggedAt < logEveryMs) return
    const messages = this.#count - this.#logged
    this.#log.warn(
      { topic: plain(topic, 200), messages },
      `a message makes no sense and is thrown away: ${plain(why, 300)}`,
    )
    this.#logged = this.#count
    this.#loggedAt = now
  }
}
