import { sleep } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Fact } from '../../core/fact.ts'

/** How long a fact that could not be recorded rests before it is offered again, ms. */
const restMs = 500
/** Facts of one input that may wait; then the newest stands for those in between. */
const waitingMax = 100

/** The facts of one input on their way to the disk: in order, each until it is recorded. */
export class Outbox {
  readonly #ctx: Context
  readonly #waiting: Fact[] = []
  #busy = false
  #complained = false

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  /** Everything said is recorded. */
  get empty(): boolean {
    return this.#waiting.length === 0
  }

  put(fact: Fact): void {
    if (this.#waiting.length >= waitingMax) this.#waiting.pop()
    this.#waiting.push(fact)
    this.#offer()
  }

  /** Offers the oldest fact, unless it is being offered or rests. */
  #offer(): void {
    const [fact] = this.#waiting
    if (!fact || this.#busy || this.#ctx.signal.aborted) return
    this.#busy = true
    this.#ctx
      .record(fact)
      .then(
        () => {
          this.#waiting.shift()
          this.#complained = false
        },
        (error: unknown) => {
          this.#complain(fact, error)
          return sleep(this.#ctx.clock, restMs, this.#ctx.signal)
        },
      )
      .then(() => {
        this.#busy = false
        this.#offer()
      })
  }

  #complain(fact: Fact, error: unknown): void {
    if (this.#complained) return
    this.#complained = true
    this.#ctx.log.warn(
      { device: fact.device, key: fact.key, error: messageOf(error) },
      'a fact is not recorded yet; it is offered again until it is',
    )
  }
}
