import { BoundedMap } from '../bounded.ts'
import type { Clock } from '../clock.ts'

/** A device that says more than this in a second is chattering; the rest is counted in one summary (mechanics, "Dispatch"). */
const rowsPerSecondMax = 10
/** What one connector may bring: presses a second, and at once. */
const connectorPerSecond = 2_000
const connectorBurst = 5_000
/** The first press of a device in this time is always taken, ms. */
const firstEveryMs = 60_000
/** Sources remembered; beyond it the oldest is forgotten, which can only let more in. */
const sourcesMax = 10_000

/** What becomes of a press: recorded, counted into a summary, or refused for now. */
export type Admission = 'record' | 'summarise' | 'refuse'

interface Source {
  firstAt: number
  secondAt: number
  inSecond: number
}

/** Bounds what inputs may cost, and never holds back a first press. */
export class Budget {
  readonly #clock: Clock
  readonly #sources = new BoundedMap<string, Source>(sourcesMax)
  readonly #connectors = new Map<string, { tokens: number; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  admit(connector: string, source: string): Admission {
    const now = this.#clock.mono()
    const within = this.#take(connector, now)
    const id = `${connector}/${source}`
    const known = this.#sources.get(id)
    if (!known || now - known.firstAt >= firstEveryMs) {
      this.#remember(id, { firstAt: now, secondAt: now, inSecond: 1 })
      return 'record'
    }
    if (now - known.secondAt >= 1_000) Object.assign(known, { secondAt: now, inSecond: 0 })
    known.inSecond++
    if (known.inSecond > rowsPerSecondMax) return 'summarise'
    return within ? 'record' : 'refuse'
  }

  #take(connector: string, now: number): boolean {
    const bucket = this.#connectors.get(connector) ?? { tokens: connectorBurst, at: now }
    bucket.tokens = Math.min(connectorBurst, bucket.tokens + ((now - bucket.at) / 1_000) * connectorPerSecond)
    bucket.at = now
    this.#connectors.set(connector, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #remember(id: string, source: Source): void {
    this.#sources.delete(id)
    this.#sources.set(id, source)
  }
}
