import type { Socket } from 'node:net'

/** One direction of a connection over a wire: bytes, and then its end. */
export class Flow {
  /** It has lost something. */
  isTorn = false
  readonly #to: Socket
  /** Milliseconds that what comes now is late; null loses it. */
  readonly #delay: () => number | null
  /** What is on its way; null is the end. */
  #waiting: { bytes: Buffer | null; due: number }[] = []
  #timer: NodeJS.Timeout | undefined
  #failed = false

  constructor(from: Socket, to: Socket, delay: () => number | null) {
    this.#to = to
    this.#delay = delay
    from.setNoDelay(true)
    from.on('data', (bytes) => this.#take(bytes))
    from.on('error', () => {
      this.#failed = true
    })
    from.on('close', () => this.#take(null))
    to.on('close', () => clearTimeout(this.#timer))
  }

  /** All that is on its way arrives now. */
  flush(): void {
    clearTimeout(this.#timer)
    for (const { bytes } of this.#waiting.splice(0)) this.#pass(bytes)
  }

  #take(bytes: Buffer | null): void {
    const delay = this.#delay()
    if (delay === null) this.isTorn = true
    else if (delay === 0 && this.#waiting.length === 0) this.#pass(bytes)
    else {
      this.#waiting.push({ bytes, due: performance.now() + delay })
      if (this.#waiting.length === 1) this.#arm()
    }
  }

  /** Nothing overtakes what came before it, whatever its own delay. */
  #arm(): void {
    const first = this.#waiting[0]
    if (!first || first.due === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(
      () => {
        this.#waiting.shift()
        this.#pass(first.bytes)
        this.#arm()
      },
      Math.max(0, first.due - performance.now()),
    )
  }

  #pass(bytes: Buffer | null): void {
    if (this.#to.destroyed) return
    if (bytes) this.#to.write(bytes)
    else if (this.#failed) this.#to.resetAndDestroy()
    else this.#to.destroySoon()
  }
}
