/** A line on which one request is under way at a time, as on the RS-485 bus behind a gateway. */
export class Bus {
  #busy = false
  #waiting: ((done: () => void) => void)[] = []

  /** Runs when the line is free; the line is free again when `done` is called. */
  take(run: (done: () => void) => void): void {
    this.#waiting.push(run)
    this.#next()
  }

  #next(): void {
    if (this.#busy) return
    const run = this.#waiting.shift()
    if (!run) return
    this.#busy = true
    run(() => {
      this.#busy = false
      this.#next()
    })
  }
}
