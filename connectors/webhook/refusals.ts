import { BoundedMap } from '../../core/bounded.ts'
import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/connector.ts'
import type { ErrorCode } from '../../core/error.ts'

/** Requests of one address that may be refused at once and a second; a sender with a wrong secret stays below. */
const burst = 50
const perSecond = 5
/** Addresses remembered; the oldest are forgotten first. */
const addressesMax = 10_000
/** How often refusals are logged, ms. */
const logEveryMs = 60_000

/** Counts what was refused. Only that is limited: who proves who they are always gets through, whatever else comes from their address. */
export class Refusals {
  readonly #clock: Clock
  readonly #log: Log
  readonly #addresses = new BoundedMap<string, { tokens: number; at: number }>(addressesMax)
  readonly counts: Partial<Record<ErrorCode, number>> = {}
  #loggedAt = Number.NEGATIVE_INFINITY
  #unlogged = 0

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** Counts one; true when the address has had too many. */
  tooMany(address: string, code: ErrorCode, why: string): boolean {
    const now = this.#clock.mono()
    this.counts[code] = (this.counts[code] ?? 0) + 1
    this.#unlogged++
    if (now - this.#loggedAt >= logEveryMs) {
      this.#log.warn({ address, code, refused: this.#unlogged }, `webhook request refused: ${why}`)
      this.#loggedAt = now
      this.#unlogged = 0
    }
    const bucket = this.#addresses.get(address) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1_000) * perSecond)
    bucket.at = now
    this.#addresses.set(address, bucket)
    if (bucket.tokens < 1) return true
    bucket.tokens--
    return false
  }
}
