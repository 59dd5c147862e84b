import { sleep } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Fact } from '../../core/fact.ts'
import type { Config } from './index.ts'

/** How long a fact that could not be recorded rests before it is offered again, ms. */
const restMs = 500
/** Facts of one input that may wait; then the newest stands for those in between. */
const waitingMax = 100

/** What waits, by the config object that a link keeps when it is opened again: the device tells nothing twice. */
const unrecorded = new WeakMap<Config, Map<string, Fact[]>>()

const waitingOf = (config: Config, name: string): Fact[] => {
  const all = unrecorded.get(config) ?? new Map<string, Fact[]>()
  unrecorded.set(config, all)
  const waiting = all.get(name) ?? []
  all.set(name, waiting)
  return waiting
}

/** The facts of one input on their way to the disk: in order, each until it is recorded. */
export class Outbox {
  readonly #ctx: Context
  readonly #ended: AbortSignal
  readonly #waiting: Fact[]
  #busy = false
  #complained = false

  /** `name` tells the inputs of a connector apart; `ended`: the link is gone, and its successor goes on. */
  constructor(config: Config, name: string, ctx: Context, ended: AbortSignal) {
    this.#ctx = ctx
    this.#ended = ended
    this.#waiting = waitingOf(config, name)
    this.#offer()
  }

  /** The newest that is not recorded yet. */
  get last(): Fact | undefined {
    return this.#waiting.at(-1)
  }

  put(fact: Fact): void {
    if (this.#waiting.length >= waitingMax) this.#waiting.pop()
    this.#waiting.push(fact)
    this.#offer()
  }

  /** Offers the oldest fact, unless it is being offered or rests. */
  #offer(): void {
    const [fact] = this.#waiting
    if (!fact || this.#busy || this.#ended.aborted) return
    this.#busy = true
    void this.#record(fact).then(() => {
      this.#busy = false
      this.#offer()
    })
  }

  async #record(fact: Fact): Promise<void> {
    try {
      await this.#ctx.record(fact)
    } catch (error) {
      this.#complain(fact, error)
      return sleep(this.#ctx.clock, restMs, this.#ended)
    }
    // By identity: a later life of the link offers from the same list.
    const index = this.#waiting.indexOf(fact)
    if (index >= 0) this.#waiting.splice(index, 1)
    this.#complained = false
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
