import type { Clock } from '../clock.ts'
import type { Log } from '../connector.ts'

/** How often refusals are logged, ms: noise must not fill the disk. */
const everyMs = 60_000

/** Counts what a listening connector refused, and says so at most once a minute and reason. */
export class Refusals {
  readonly #clock: Clock
  readonly #log: Log
  readonly #reasons = new Map<string, { count: number; logged: number; loggedAt: number }>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** How often, by reason. */
  get counts(): { [reason: string]: number } {
    return Object.fromEntries([...this.#reasons].map(([reason, { count }]) => [reason, count]))
  }

  /** `reason` is one of few sentences; what differs each time belongs into `fields`, and no secret into either. */
  add(reason: string, fields: object): void {
    const now = this.#clock.mono()
    const known = this.#reasons.get(reason) ?? { count: 0, logged: 0, loggedAt: Number.NEGATIVE_INFINITY }
    this.#reasons.set(reason, known)
    known.count++
    if (now - known.loggedAt < everyMs) return
    this.#log.warn({ ...fields, times: known.count - known.logged }, `refused: ${reason}`)
    Object.assign(known, { logged: known.count, loggedAt: now })
  }
}
