import { sleep } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import { Budget } from './budget.ts'
import { covers, exceptionOf } from './codec.ts'
import type { Config, Input, Output } from './config.ts'
import type { Heartbeat } from './heartbeat.ts'
import { type Hearer, Listener, type ValuesOf } from './listener.ts'
import { inWords } from './points.ts'
import { ModbusException, NotSent } from './refusal.ts'
import { assign, livenessOf, partsOf, type Request, requestsOf } from './request.ts'
import { Troubles } from './troubles.ts'
import type { Unit } from './unit.ts'
import type { Wire } from './wire.ts'

/** How long a request that was refused rests, growing up to a limit, ms: it must not slow the others, and be read soon after it can be. */
const rest = { first: 250, most: 2_000 }
/** How often a link without inputs looks whether its units are there, ms. */
const aliveMs = 1_000
/** The first cycle is cut short after so long, ms: the link counts as open then, if anybody has answered. */
const firstMs = 4_000

/** Reads all inputs of a link again and again. */
export class Poll {
  readonly #wire: Wire
  readonly #ctx: Context
  readonly #name: string
  readonly #everyMs: number
  readonly #silent: boolean
  readonly #hearers: Hearer[]
  readonly #budget: Budget
  readonly #troubles: Troubles
  #requests: Request[]
  /** Why nothing came of the newest request that nobody answered. */
  #silence: BridgeError | null = null

  constructor(
    wire: Wire,
    { name, config, inputs, outputs, cursors }: Opening<Config, Input, Output>,
    ctx: Context,
    heartbeat: Heartbeat | null,
  ) {
    this.#wire = wire
    this.#ctx = ctx
    this.#name = name
    this.#silent = inputs.size === 0 && !heartbeat
    this.#everyMs = this.#silent ? aliveMs : config.poll
    this.#budget = new Budget(this.#everyMs)
    this.#troubles = new Troubles(config, ctx)
    this.#hearers = [...inputs].map(
      ([device, input]) =>
        new Listener(device, input, cursors.get(device), config, wire.unit(input.unit), ctx),
    )
    if (heartbeat) this.#hearers.push(heartbeat)
    const requests = this.#silent
      ? livenessOf(outputs.values(), wire)
      : requestsOf(this.#hearers, config['max-gap'])
    this.#requests = assign(requests, this.#hearers)
  }

  /** What `probe` tells: how long a cycle takes, what is read, and who does not answer. */
  get measured() {
    const silent = this.#units.filter(({ breaker }) => breaker.isOpen).map(({ number }) => number)
    return {
      ...this.#budget.measured,
      requests: this.#requests.map(({ run }) => inWords(run)),
      ...(silent.length > 0 && { silentUnits: silent }),
    }
  }

  /** Why something can't be read at the moment; null when all can. */
  get refusal(): ModbusException | null {
    return this.#requests.find(({ refusal }) => refusal)?.refusal ?? null
  }

  get #units(): Unit[] {
    return [...new Set(this.#requests.map(({ unit }) => unit))]
  }

  /**
   * Runs until the wire is lost or the context is aborted. The requests of a cycle are spread over it: level and counter
   * of an input then see a press at different times, and whichever is read first tells it.
   */
  async run(): Promise<void> {
    const { clock, signal } = this.#ctx
    const isOver = () => !this.#wire.isOpen || signal.aborted
    let due = clock.mono()
    let began = due
    while (!isOver()) {
      due = Math.max(due + this.#everyMs, clock.mono())
      const requests = this.#requests
      for (const [n, each] of requests.entries()) {
        await sleep(clock, due + (n * this.#everyMs) / requests.length - clock.mono(), signal)
        if (isOver()) return
        if (n === 0) this.#measure(clock.mono() - began)
        if (n === 0) began = clock.mono()
        await this.#readOrRest(each)
        this.#tell(each, each.users)
      }
    }
  }

  /** Reads something, to see that somebody is there. Rejects when nobody is. */
  async ping(): Promise<void> {
    const each = this.#requests.find(({ unit }) => !unit.breaker.isOpen) ?? this.#requests[0]
    if (each) await each.unit.turn(() => each.unit.read(each.run))
  }

  /** Reads everything once. Rejects when the wire is lost, or nobody answers. */
  async cycle(): Promise<void> {
    const began = this.#ctx.clock.mono()
    for (const each of this.#requests) {
      if (this.#ctx.clock.mono() - began > firstMs) return
      await this.#readOrRest(each)
      this.#tell(each, each.listeners)
    }
    if (this.#silence && this.#requests.every(({ values, refusal }) => values === null && refusal === null))
      throw this.#silence
  }

  /** Nothing is known any more. */
  forget(): void {
    for (const hearer of this.#hearers) hearer.unknown()
  }

  #tell({ unit, values, refusal }: Request, hearers: readonly Hearer[]): void {
    const valuesOf: ValuesOf = (run) => {
      for (const each of this.#requests)
        if (each.unit === unit && each.values && covers(each.run, run))
          return { run: each.run, values: each.values }
      return null
    }
    for (const hearer of hearers) hearer.hear(valuesOf)
    if (this.#silent && values && !refusal) this.#ctx.heard()
  }

  async #readOrRest(each: Request): Promise<void> {
    const until = Math.max(each.restUntil, each.unit.breaker.restUntil)
    if (this.#ctx.clock.mono() < until) each.values = null
    else await this.#read(each)
  }

  async #read(each: Request): Promise<void> {
    try {
      each.values = await each.unit.turn(() => each.unit.read(each.run))
      if (each.failures > 0) this.#ctx.log.info({ read: inWords(each.run) }, 'answered again')
      each.failures = 0
      each.refusal = null
    } catch (error) {
      each.values = null
      this.#failed(each, error)
    }
    this.#report(each.unit)
  }

  /** Throws when the wire is of no more use. */
  #failed(each: Request, error: unknown): void {
    if (!this.#wire.isOpen) throw error
    if (!(error instanceof BridgeError)) throw error
    if (error instanceof ModbusException) {
      this.#refused(each, error)
      return
    }
    this.#silence = error
    if (error instanceof NotSent && error.againAt !== null) each.restUntil = error.againAt
    if (this.#units.some(({ breaker }) => !breaker.isOpen)) return
    this.#wire.drop(error)
    throw error
  }

  /** A unit that is silent on a line that lives is no loss of the link: it is told by itself. */
  #report({ number, breaker }: Unit): void {
    const words = 'does not answer: its inputs are unknown; check its power, address and wiring'
    this.#troubles.set(`unit ${number} of ${this.#name}`, 'comm-loss', breaker.isOpen ? words : null)
  }

  #refused(each: Request, error: ModbusException): void {
    const { ofConfig } = exceptionOf(error.exception)
    const parts = ofConfig ? partsOf(each, this.#hearers) : []
    if (parts.length > 0) {
      const others = this.#requests.flatMap((other) => (other === each ? parts : [other]))
      this.#requests = assign(others, this.#hearers)
      return
    }
    each.failures++
    each.refusal = error
    const ms = ofConfig ? rest.most : Math.min(rest.first * 2 ** (each.failures - 1), rest.most)
    each.restUntil = this.#ctx.clock.mono() + ms
    if (each.failures === 1)
      this.#ctx.log.warn({ exception: error.exception }, `${error.message}; these inputs are unknown`)
  }

  #measure(ms: number): void {
    if (this.#silent) return
    this.#budget.took(ms)
    this.#troubles.set(`${this.#name} is over its poll budget`, 'fault', this.#budget.words)
  }
}
