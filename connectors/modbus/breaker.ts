import type { Config } from './config.ts'

/** A unit that does not answer may take one part in this many of the time; the others have the rest. */
const share = 10
/** How soon it is asked again when nobody else waits, ms. */
const aloneMs = 250
/** A unit counts as answering so long after its last answer, ms. */
const freshMs = 60_000
/** One that has been silent is given so many times the longest that it ever took, and at least so long, ms. */
const trial = { slower: 3, leastMs: 50 }

/** The breakers by the config object that all links of a connector share: a link that is opened again knows which unit is dead. */
const known = new WeakMap<Config, Map<number, Breaker>>()

/** Keeps a unit that does not answer from taking the time of the others behind the same gateway or on the same line. */
export class Breaker {
  /** On the monotonic clock. */
  restUntil = Number.NEGATIVE_INFINITY
  readonly #others: ReadonlyMap<number, Breaker>
  #failures = 0
  #wasSilent = false
  #failedAt = Number.NEGATIVE_INFINITY
  #answeredAt = Number.NEGATIVE_INFINITY
  #restMs = 0
  #slowestMs = 0

  constructor(others: ReadonlyMap<number, Breaker>) {
    this.#others = others
  }

  /** It has left two requests unanswered. One may be lost on any line, and is asked again at once. */
  get isOpen(): boolean {
    return this.#failures > 1
  }

  /** How long to wait for its next answer, ms. */
  limit(timeoutMs: number): number {
    if (this.#failures === 0 || this.#slowestMs === 0) return timeoutMs
    return Math.min(timeoutMs, Math.max(this.#slowestMs * trial.slower, trial.leastMs))
  }

  answered(tookMs: number, now: number): void {
    this.#answeredAt = now
    this.#slowestMs = Math.max(this.#slowestMs, tookMs)
    this.restUntil = Number.NEGATIVE_INFINITY
    // One that is silent every other time does not get rid of its rests; one that says no is there.
    const flaps = this.#wasSilent && now - this.#failedAt < 2 * this.#restMs
    this.#failures = flaps ? 1 : 0
  }

  /** Nothing that can be used has come of `tookMs`: silence, or a gateway's word that there was silence. */
  failed(tookMs: number, now: number, wasSilent: boolean): void {
    this.#wasSilent = wasSilent
    this.#failures++
    this.#failedAt = now
    const all = [...this.#others.values()]
    const waiting = all.some((other: Breaker) => other !== this && other.#answers(now))
    const dead = all.filter(({ isOpen }) => isOpen).length
    this.#restMs = waiting ? tookMs * share * Math.max(1, dead) : aloneMs
    if (this.isOpen) this.restUntil = now + this.#restMs
  }

  #answers(now: number): boolean {
    return !this.isOpen && now - this.#answeredAt < freshMs
  }
}

export const breakerOf = (config: Config, unit: number): Breaker => {
  const units = known.get(config) ?? new Map<number, Breaker>()
  known.set(config, units)
  const breaker = units.get(unit) ?? new Breaker(units)
  units.set(unit, breaker)
  return breaker
}
