/** The only reader of time. All times are milliseconds. */
export interface Clock {
  /** Since the epoch: the wall time at start plus monotonic time, so that it never steps. */
  now(): number
  /** Monotonic, from an arbitrary zero. */
  mono(): number
  /** What the machine's wall clock says at this moment; may step. Only door locks and the step watch ask it. */
  wall(): number
  /** Runs once after `ms`, in a turn of its own. */
  after(ms: number, run: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** Monotonic, ms: the same in all threads of the process, while `performance.now()` counts from the start of each. */
const processMono = (): number => Number(process.hrtime.bigint()) / 1e6

/** What a thread's own `SystemClock` is made with, so that its `now` is this clock's. */
export const originOf = (clock: Clock): number => clock.now() - processMono()

/** The machine's clock. It starts at the wall time, or later: at the newest time in the store. */
export class SystemClock implements Clock {
  #base: number

  /** `origin`: the `originOf` another clock of this process; without it the wall clock says when it is. */
  constructor(origin?: number) {
    const mono = performance.now()
    this.#base = origin === undefined ? Date.now() - mono : origin + processMono() - mono
  }

  /** Moves `now` up to `floor`, when the store turns out to know a later time. */
  raise(floor: number): void {
    this.#base = Math.max(this.#base, floor - performance.now())
  }

  now(): number {
    return Math.round(this.#base + performance.now())
  }

  mono(): number {
    return performance.now()
  }

  wall(): number {
    return Date.now()
  }

  after(ms: number, run: () => void): Timer {
    // Node fires a timer over 2^31-1 ms at once; whoever waits so long looks again after a day.
    const timer = setTimeout(run, Math.min(Math.max(0, ms), 86_400_000))
    return { cancel: () => clearTimeout(timer) }
  }
}

/** Calls `run` every `ms` until the timer is cancelled; never two at once, never late twice. */
export const every = (clock: Clock, ms: number, run: () => void): Timer => {
  let timer = clock.after(ms, tick)
  function tick() {
    timer = clock.after(ms, tick)
    run()
  }
  return { cancel: () => timer.cancel() }
}

/** Resolves after `ms`, or at once when `signal` aborts. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const wake = () => {
      timer.cancel()
      signal?.removeEventListener('abort', wake)
      resolve()
    }
    const timer = clock.after(ms, wake)
    signal?.addEventListener('abort', wake, { once: true })
  })

/** A signal that aborts after `ms` or together with `parent`; `cancel` gives the timer back. */
export const deadline = (
  clock: Clock,
  ms: number,
  parent?: AbortSignal,
): { signal: AbortSignal; cancel(): void } => {
  const controller = new AbortController()
  const follow = () => controller.abort(parent?.reason)
  const timer = clock.after(ms, () =>
    controller.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError')),
  )
  if (parent?.aborted) follow()
  else parent?.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    cancel: () => {
      timer.cancel()
      parent?.removeEventListener('abort', follow)
    },
  }
}

const isAborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get as () => boolean

/**
 * Makes whoever asks whether `signal` is aborted `look` first. A process that has stood still takes what has come in meanwhile
 * before any timer: an answer that was waited for would have its act follow, seconds too late.
 */
export const punctual = (signal: AbortSignal, look: () => void): AbortSignal =>
  Object.defineProperty(signal, 'aborted', {
    get() {
      look()
      return isAborted.call(signal)
    },
  })

interface Pending {
  readonly at: number
  readonly seq: number
  readonly run: () => void
}

/**
 * A clock for simulations: time passes only by `advance`, timers fire in order of time and of making.
 * The wall clock can be stepped on its own.
 */
export class SimulatedClock implements Clock {
  #now: number
  #wallOffset = 0
  #seq = 0
  readonly #timers: Pending[] = []

  constructor(start = Date.UTC(2026, 0, 5, 8)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  mono(): number {
    return this.#now
  }

  wall(): number {
    return this.#now + this.#wallOffset
  }

  raise(floor: number): void {
    this.#now = Math.max(this.#now, floor)
  }

  stepWall(ms: number): void {
    this.#wallOffset += ms
  }

  after(ms: number, run: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, ms), seq: this.#seq++, run }
    this.#timers.push(timer)
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer)
        if (index >= 0) this.#timers.splice(index, 1)
      },
    }
  }

  /** Lets `ms` pass; between two timers all pending promises and immediates run. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await this.settle()
    for (;;) {
      let next: Pending | undefined
      for (const timer of this.#timers)
        if (
          timer.at <= end &&
          (!next || timer.at < next.at || (timer.at === next.at && timer.seq < next.seq))
        )
          next = timer
      if (!next) break
      this.#timers.splice(this.#timers.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.run()
      await this.settle()
    }
    this.#now = end
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}
