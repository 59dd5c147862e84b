import type { Clock, SimulatedClock, Timer } from '../../core/clock.ts'
import type { Host } from './carrier.ts'

/**
 * The clock of one program on a machine of its own: it goes by another zero and another speed than true time. The program
 * may freeze: then its timers fire first when it is thawed, and what has come meanwhile after them.
 */
export class MachineClock implements Clock, Host {
  readonly clock: Clock = this
  readonly #true: SimulatedClock
  readonly #start: number
  readonly #speed: number
  #offset: number
  #state: 'runs' | 'frozen' | 'dead' = 'runs'
  #frozenAt = 0
  #timers: (() => void)[] = []
  #came: (() => void)[] = []

  /** `ppm`: how much faster than true time, millionths. */
  constructor(trueTime: SimulatedClock, offset = 0, ppm = 0) {
    this.#true = trueTime
    this.#start = trueTime.now()
    this.#speed = 1 + ppm / 1_000_000
    this.#offset = offset
  }

  mono(): number {
    return (this.#true.now() - this.#start) * this.#speed + this.#offset
  }

  now(): number {
    return Math.round(this.mono())
  }

  wall(): number {
    return this.now()
  }

  after(ms: number, run: () => void): Timer {
    const due = this.mono() + ms
    let live = true
    const fire = () => {
      if (!live) return
      // The machine has stood still meanwhile, and the timer with it.
      const rest = due - this.mono()
      if (rest > 0.001) timer = this.#true.after(rest / this.#speed, wake)
      else run()
    }
    const wake = () => {
      if (this.#state === 'frozen') this.#timers.push(fire)
      else if (this.#state === 'runs') fire()
    }
    let timer = this.#true.after(ms / this.#speed, wake)
    return {
      cancel: () => {
        live = false
        timer.cancel()
      },
    }
  }

  enter(run: () => void): void {
    if (this.#state === 'frozen') this.#came.push(run)
    else if (this.#state === 'runs') run()
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen'
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  freeze(): void {
    if (this.#state !== 'runs') return
    this.#state = 'frozen'
    this.#frozenAt = this.#true.now()
  }

  /** `stood`: the whole machine stood still, as one that was moved or saved, and its clock with it. */
  thaw(stood = false): void {
    if (this.#state !== 'frozen') return
    this.#state = 'runs'
    if (stood) this.#offset -= (this.#true.now() - this.#frozenAt) * this.#speed
    const waiting = [...this.#timers, ...this.#came]
    this.#timers = []
    this.#came = []
    // A turn each, as the event loop has it: what one of them lets run runs before the next.
    for (const run of waiting) this.#true.after(0, () => this.enter(run))
  }

  /** Nothing of it ever runs again. */
  kill(): void {
    this.#state = 'dead'
    this.#timers = []
    this.#came = []
  }
}
