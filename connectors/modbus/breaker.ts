import type { Config } from './config.ts'

/** A unit that does not answer may take one part in this many of the time; the others have the rest. */
const share = 10
/** How soon it is asked again when nobody else waits, ms. */
const aloneMs = 250
/** A unit counts as answering so long after its last answer, ms. */
const freshMs = 10_000
/** Longest rest, however long its silence takes, ms. */
const longestMs = 60_000

/** How long to wait for a unit that has been silent, ms: at most, and at least where it used to answer quickly. */
const trial = { most: 400, least: 50, slower: 3 }

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
    if (!this.isOpen) return timeoutMs
    const usual = this.#slowestMs === 0 ? trial.most : Math.max(this.#slowestMs * trial.slower, trial.least)
    return Math.min(timeoutMs, usual, trial.most)
  }

  answered(tookMs: number, now: number): void {
    this.#answeredAt = now
    this.#slowestMs = Math.max(this.#slowestMs, tookMs)
    this.restUntil = Number.NEGATIVE_INFINITY
    // One that is silent every other time does not get rid of its rests; one that says no is there.
    const flaps = this.#wasSilent && !this.isOpen && now - this.#failedAt < this.#restMs
    if (!flaps) this.#failures = 0
  }

  /** Nothing that can be used has come of `tookMs`: silence, or a gateway's word that there was silence. */
  failed(tookMs: number, now: number, wasSilent: boolean): void {
    this.#wasSilent = wasSilent
    this.#failures++
    this.#failedAt = now
    const all = [...this.#others.values()]
    const waiting = all.some((other: Breaker) => other !== this && other.#answers(now))
    const dead = all.filter(({ isOpen }) => isOpen).length
    this.#restMs = waiting ? Math.min(tookMs * share * Math.max(1, dead), longestMs) : aloneMs
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
