import type { Clock } from '../clock.ts'

/** A press waits so long for a fresher fix, if the known one is stale, ms (safety.md, "Location, honestly"). */
const fixWaitMs = 500
/** Presses that may wait at a time; the ones beyond go at once. */
const waitingMax = 1_000

/** Presses that wait a moment for their badge to be seen. */
export class Fixes {
  readonly #clock: Clock
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A device has been seen: whoever waits for it goes on. */
  arrived(device: string): void {
    for (const go of this.#waiting.get(device) ?? []) go()
  }

  /** Resolves when the device is seen, after half a second at the latest. */
  wait(device: string): Promise<void> {
    if (this.#count >= waitingMax) return Promise.resolve()
    this.#count++
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(device) ?? new Set()
      this.#waiting.set(device, waiting)
      const go = () => {
        timer.cancel()
        this.#count--
        waiting.delete(go)
        if (waiting.size === 0) this.#waiting.delete(device)
        resolve()
      }
      const timer = this.#clock.after(fixWaitMs, go)
      waiting.add(go)
    })
  }
}
