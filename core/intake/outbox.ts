import { sleep } from '../clock.ts'
import type { Context } from '../connector.ts'
import { messageOf } from '../error.ts'
import type { Fact } from '../fact.ts'

/** How long a fact that could not be recorded rests before it is offered again, ms. */
const restMs = 500
/** Facts of one input that may wait; then the newest stands for those in between. */
const waitingMax = 100

/** What waits to be recorded, by the config object that a link keeps when it is opened again: a lost connection must not cost a press that was seen. */
const unrecorded = new WeakMap<object, Map<string, Fact[]>>()

const waitingOf = (config: object, device: string): Fact[] => {
  const devices = unrecorded.get(config) ?? new Map<string, Fact[]>()
  unrecorded.set(config, devices)
  const waiting = devices.get(device) ?? []
  devices.set(device, waiting)
  return waiting
}

/**
 * The facts of one input of a device that tells nothing twice, on their way to the disk: in order, each offered until it is
 * recorded, over a reconnect as well. For connectors whose wire has no acknowledgement.
 */
export class Outbox {
  readonly #ctx: Context
  readonly #ended: AbortSignal
  readonly #waiting: Fact[]
  #then: (() => void)[] = []
  #busy = false
  #complained = false

  /** `device` tells the inputs of a connector apart; `ended`: the link is gone, and its successor goes on. */
  constructor(config: object, device: string, ctx: Context, ended: AbortSignal = ctx.signal) {
    this.#ctx = ctx
    this.#ended = ended
    this.#waiting = waitingOf(config, device)
    this.#offer()
  }

  /** The newest that is not recorded yet. */
  get last(): Fact | undefined {
    return this.#waiting.at(-1)
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

  /** Runs once everything said so far is recorded; never after the link is closed. */
  afterwards(run: () => void): void {
    if (this.empty) run()
    else this.#then.push(run)
  }

  /** Offers the oldest fact, unless it is being offered or rests. */
  #offer(): void {
    const [fact] = this.#waiting
    if (this.#busy || this.#ended.aborted) return
    if (!fact) {
      for (const run of this.#then.splice(0)) run()
      return
    }
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
