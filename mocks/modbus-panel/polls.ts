interface Poll {
  readonly unit: number
  left: number
  readonly resolve: () => void
}

/** Counts the read requests per unit, and lets a test wait for further ones. */
export class Polls {
  readonly #reads = new Map<number, number>()
  #waiting: Poll[] = []

  reads(unit: number): number {
    return this.#reads.get(unit) ?? 0
  }

  count(unit: number): void {
    this.#reads.set(unit, this.reads(unit) + 1)
    const mine = this.#waiting.filter((poll) => poll.unit === unit)
    for (const poll of mine) poll.left--
    this.#waiting = this.#waiting.filter((poll) => poll.left > 0)
    for (const poll of mine) if (poll.left <= 0) poll.resolve()
  }

  further(unit: number, times: number, withinMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const poll: Poll = {
        unit,
        left: times,
        resolve: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== poll)
        reject(
          new Error(
            `unit ${unit} should have been read ${times} times in ${withinMs} ms, ${poll.left} to go`,
          ),
        )
      }, withinMs)
      this.#waiting.push(poll)
    })
  }
}
