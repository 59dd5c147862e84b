import { BoundedMap } from '../../core/bounded.ts'
import { sleep } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Fact } from '../../core/fact.ts'

/** How long a fact that could not be recorded rests before it is offered again, ms. */
const restMs = 500
/** Facts that may wait; then the oldest is left to core's own memory, which responds to it all the same. */
const waitingMax = 1_000

/** A fact on its way to the disk. */
export interface Waiting {
  readonly fact: Fact
  /** Resolves when it is recorded. */
  readonly recorded: Promise<void>
  /** Core has answered at least once that it could not be recorded. */
  refused: boolean
}

/** What is not recorded yet; outlives a link, since core takes the broker's next telling of it for an old one. */
export class Unrecorded extends BoundedMap<string, Waiting & { readonly settle: () => void }> {
  constructor() {
    super(waitingMax)
  }
}

/** The facts of a link on their way to the disk, each offered until it is recorded. */
export class Outbox {
  readonly #ctx: Context
  readonly #unrecorded: Unrecorded
  #complained = false

  constructor(unrecorded: Unrecorded, ctx: Context) {
    this.#ctx = ctx
    this.#unrecorded = unrecorded
    for (const key of [...unrecorded.keys()]) void this.#offer(key)
  }

  get size(): number {
    return this.#unrecorded.size
  }

  /** A fact of this key that is not recorded yet. */
  waiting(key: string): Waiting | undefined {
    return this.#unrecorded.get(key)
  }

  put(fact: Fact): Waiting {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = { fact, recorded: promise, settle: resolve, refused: false }
    this.#unrecorded.set(fact.key, waiting)
    void this.#offer(fact.key)
    return waiting
  }

  async #offer(key: string): Promise<void> {
    const { clock, signal } = this.#ctx
    for (;;) {
      const waiting = this.#unrecorded.get(key)
      if (!waiting || signal.aborted) return
      try {
        await this.#ctx.record(waiting.fact)
        if (this.#unrecorded.get(key) === waiting) this.#unrecorded.delete(key)
        this.#complained = false
        return waiting.settle()
      } catch (error) {
        waiting.refused = true
        this.#complain(waiting.fact, error)
        await sleep(clock, restMs, signal)
      }
    }
  }

  #complain({ device, key }: Fact, error: unknown): void {
    if (this.#complained) return
    this.#complained = true
    this.#ctx.log.warn(
      { device, key, error: messageOf(error) },
      'a press is not recorded yet: it is not acknowledged, and offered again until it is',
    )
  }
}
