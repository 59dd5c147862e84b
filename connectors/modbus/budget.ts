/** A cycle may be longer than the configured poll by this much; it is well again when it is no longer than that. */
const slower = { over: 1.25, well: 1.1 }
/** Cycles that are judged, at least. */
const judgedCycles = 100
/** Weight of the newest cycle in the mean. */
const newest = 0.02

/** Measures how long reading everything takes, against the configured poll. */
export class Budget {
  readonly #pollMs: number
  #cycles = 0
  #cycleMs = 0
  #longestMs = 0
  #isOver = false

  constructor(pollMs: number) {
    this.#pollMs = pollMs
  }

  /** Time from one cycle to the next, ms, as a running mean and at its longest. */
  get measured(): { cycleMs: number; longestMs: number; pollMs: number; overBudget: boolean } {
    const rounded = (ms: number) => Math.round(ms * 10) / 10
    return {
      cycleMs: rounded(this.#cycleMs),
      longestMs: rounded(this.#longestMs),
      pollMs: this.#pollMs,
      overBudget: this.#isOver,
    }
  }

  /** What is wrong, in words; null while the poll is kept. */
  get words(): string | null {
    if (!this.#isOver) return null
    const { cycleMs } = this.measured
    return `reading all inputs takes ${Math.round(cycleMs)} ms, longer than the configured poll of ${this.#pollMs} ms: presses shorter than ${Math.ceil(cycleMs * 1.5)} ms may be missed; poll slower, or read fewer inputs through this link`
  }

  /** A cycle began `ms` after the one before. */
  took(ms: number): void {
    this.#cycles++
    this.#longestMs = Math.max(this.#longestMs, ms)
    this.#cycleMs = this.#cycles === 1 ? ms : this.#cycleMs * (1 - newest) + ms * newest
    if (this.#cycles < judgedCycles) return
    const limit = this.#isOver ? slower.well : slower.over
    this.#isOver = this.#cycleMs > this.#pollMs * limit
  }
}
