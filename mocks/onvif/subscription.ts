/** Messages that wait for a slow client; the oldest go first when there are more. */
const queueMax = 200

/** One pull-point subscription: a queue, and at most one pull that waits for it. */
export class Subscription {
  /** By the machine's clock, ms since the epoch. */
  endsAt: number
  readonly #wants: (topic: string) => boolean
  readonly #queue: string[] = []
  #wake: (() => void) | undefined

  constructor(endsAt: number, wants: (topic: string) => boolean) {
    this.endsAt = endsAt
    this.#wants = wants
  }

  put(topic: string, message: string): void {
    if (!this.#wants(topic)) return
    this.#queue.push(message)
    if (this.#queue.length > queueMax) this.#queue.shift()
    this.#wake?.()
  }

  /** Up to `limit` messages: at once when there are any, else as soon as one comes, or none after `waitMs`. */
  async pull(limit: number, waitMs: number, gone: AbortSignal): Promise<string[]> {
    // A second pull ends the first one's wait with nothing.
    this.#wake?.()
    if (this.#queue.length === 0) await this.#something(waitMs, gone)
    return gone.aborted ? [] : this.#queue.splice(0, limit)
  }

  end(): void {
    this.#wake?.()
  }

  #something(waitMs: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        gone.removeEventListener('abort', wake)
        if (this.#wake === wake) this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(wake, waitMs)
      gone.addEventListener('abort', wake, { once: true })
      this.#wake = wake
    })
  }
}
