import { BoundedMap } from '../core/bounded.ts'
import type { Clock } from '../core/clock.ts'

/** Requests a second, and at once, from one address; people and their consoles need a tenth of it. */
const perSecond = 20
const burst = 100
/** Addresses remembered; beyond it the oldest is forgotten, which can only let more in. */
const addressesMax = 1_000

/** A token bucket per remote address. */
export class Bucket {
  readonly #clock: Clock
  readonly #left = new BoundedMap<string, { tokens: number; at: number }>(addressesMax)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  take(address: string): boolean {
    const now = this.#clock.mono()
    const known = this.#left.get(address) ?? { tokens: burst, at: now }
    known.tokens = Math.min(burst, known.tokens + ((now - known.at) / 1_000) * perSecond)
    known.at = now
    this.#left.set(address, known)
    if (known.tokens < 1) return false
    known.tokens--
    return true
  }
}
