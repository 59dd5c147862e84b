import type { Clock, Timer } from '../clock.ts'

/** A timer later than this had no event loop: one whole turn of input comes first (mechanics, "Dispatch"), ms. */
const gapMs = 200

/** When each open incident is to be planned again; one timer for all. Due times are rows, this only wakes. */
export class Due {
  readonly #clock: Clock
  readonly #run: (id: string) => void
  readonly #at = new Map<string, number>()
  #timer: Timer | null = null
  #timerAt = Number.POSITIVE_INFINITY

  constructor(clock: Clock, run: (id: string) => void) {
    this.#clock = clock
    this.#run = run
  }

  set(id: string, at: number | null): void {
    if (at === null) this.#at.delete(id)
    else this.#at.set(id, at)
    if (at !== null && at < this.#timerAt) this.#arm(at)
  }

  /** How late the most overdue one is, ms; 0 when none is. */
  latenessMs(): number {
    const now = this.#clock.now()
    let late = 0
    for (const at of this.#at.values()) late = Math.max(late, now - at)
    return late
  }

  /** Runs all that is due. Called by the timer, and every second by the watchdog in case a timer was lost. */
  sweep(): void {
    const now = this.#clock.now()
    // Of thousands that are open few are due: no copy of all.
    const due: { readonly id: string; readonly at: number }[] = []
    for (const [id, at] of this.#at) if (at <= now) due.push({ id, at })
    for (const { id } of due.sort((a, b) => a.at - b.at)) {
      this.#at.delete(id)
      this.#run(id)
    }
    this.#rearm()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #arm(at: number): void {
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#clock.after(at - this.#clock.now(), () => {
      const late = this.#clock.now() - at
      // Two immediates are one whole turn: acknowledgements and fire readings that wait are read first.
      if (late > gapMs) setImmediate(() => setImmediate(() => this.sweep()))
      else this.sweep()
    })
  }

  #rearm(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAt = Number.POSITIVE_INFINITY
    let next = Number.POSITIVE_INFINITY
    for (const at of this.#at.values()) next = Math.min(next, at)
    if (next < Number.POSITIVE_INFINITY) this.#arm(next)
  }
}
