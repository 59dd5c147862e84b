import { sleep } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { covers, exceptionOf, type Values } from './codec.ts'
import { type Config, type Input, inWords, type Output, type Run, readsOf, requestsFor } from './index.ts'
import { Listener } from './listener.ts'
import { ModbusException, type Wire } from './wire.ts'

/** How long a request that was refused rests, growing up to a limit, ms: a silent unit must not slow the others, and be heard soon after it is back. */
const rest = { first: 250, most: 2_000 }
/** Cycles after which the measured time is judged, and by how much it may exceed the configured one. */
const judged = { cycles: 100, slower: 1.25 }
/** How often a link without inputs looks whether its unit is there, ms. */
const aliveMs = 1_000

interface Request {
  readonly run: Run
  values: Values | null
  /** Those that need this request last of all in a cycle, and those that need it at all. */
  listeners: Listener[]
  users: Listener[]
  restUntil: number
  failures: number
  refusal: ModbusException | null
}

const request = (run: Run): Request => ({
  run,
  values: null,
  listeners: [],
  users: [],
  restUntil: Number.NEGATIVE_INFINITY,
  failures: 0,
  refusal: null,
})

/** Reads all inputs of a link again and again. */
export class Poll {
  readonly #wire: Wire
  readonly #ctx: Context
  readonly #config: Config
  readonly #everyMs: number
  readonly #silent: boolean
  readonly #listeners: Listener[]
  #requests: Request[]
  #cycles = 0
  #cycleMs = 0
  #longestMs = 0
  #warned = false

  constructor(wire: Wire, opening: Opening<Config, Input, Output>, ctx: Context) {
    this.#wire = wire
    this.#ctx = ctx
    this.#config = opening.config
    this.#silent = opening.inputs.size === 0
    this.#everyMs = this.#silent ? aliveMs : opening.config.poll
    this.#listeners = [...opening.inputs].map(
      ([device, input]) =>
        new Listener(device, input, opening.cursors.get(device), opening.config, wire, ctx),
    )
    const runs = [...opening.inputs.values()].flatMap((input) => {
      const { level, antivalent, counter } = readsOf(input)
      return [level, antivalent, counter].filter((run) => run !== null)
    })
    const [output] = opening.outputs.values()
    if (this.#silent && output)
      runs.push(
        output.register === undefined
          ? { read: 1, address: output.coil as number, length: 1 }
          : { read: 3, address: output.register, length: 1 },
      )
    this.#requests = this.#assign(requestsFor(runs, opening.config['max-gap']).map(request))
  }

  /** What `probe` tells: time from one cycle to the next, ms, as a running mean and at its longest, and what is read. */
  get measured(): { cycleMs: number; longestMs: number; pollMs: number; requests: string[] } {
    return {
      cycleMs: Math.round(this.#cycleMs * 10) / 10,
      longestMs: Math.round(this.#longestMs * 10) / 10,
      pollMs: this.#everyMs,
      requests: this.#requests.map(({ run }) => inWords(run)),
    }
  }

  /** Why something can't be read at the moment; null when all can. */
  get refusal(): ModbusException | null {
    return this.#requests.find(({ refusal }) => refusal)?.refusal ?? null
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
        for (const listener of each.users) listener.hear(this.#valuesOf)
      }
      if (this.#silent && !this.refusal) this.#ctx.heard()
    }
  }

  /** Reads something, to see that the unit is there. Rejects when it is not. */
  async ping(): Promise<void> {
    const [first] = this.#requests
    if (first) await this.#wire.turn(() => this.#wire.read(first.run))
  }

  /** Reads everything once. Rejects only when the wire is lost. */
  async cycle(): Promise<void> {
    for (const each of this.#requests) {
      await this.#readOrRest(each)
      for (const listener of each.listeners) listener.hear(this.#valuesOf)
    }
    if (this.#silent && !this.refusal) this.#ctx.heard()
  }

  async #readOrRest(each: Request): Promise<void> {
    if (this.#ctx.clock.mono() < each.restUntil) each.values = null
    else await this.#read(each)
  }

  /** Nothing is known any more. */
  forget(): void {
    for (const listener of this.#listeners) listener.unknown()
  }

  readonly #valuesOf = (run: Run): { run: Run; values: Values } | null => {
    for (const each of this.#requests)
      if (each.values && covers(each.run, run)) return { run: each.run, values: each.values }
    return null
  }

  /** In a whole cycle each listener speaks after the last of the requests that it needs. */
  #assign(requests: Request[]): Request[] {
    for (const each of requests) Object.assign(each, { listeners: [], users: [] })
    for (const listener of this.#listeners) {
      const needed = requests.filter(({ run }) => listener.runs.some((own) => covers(run, own)))
      needed.at(-1)?.listeners.push(listener)
      for (const each of needed) each.users.push(listener)
    }
    return requests
  }

  async #read(each: Request): Promise<void> {
    try {
      each.values = await this.#wire.turn(() => this.#wire.read(each.run))
      if (each.failures > 0) this.#ctx.log.info({ read: inWords(each.run) }, 'answered again')
      each.failures = 0
      each.refusal = null
    } catch (error) {
      each.values = null
      if (!(error instanceof ModbusException)) throw error
      this.#refused(each, error)
    }
  }

  #refused(each: Request, error: ModbusException): void {
    const { ofConfig } = exceptionOf(error.exception)
    if (ofConfig && this.#split(each)) return
    each.failures++
    each.refusal = error
    const ms = ofConfig ? rest.most : Math.min(rest.first * 2 ** (each.failures - 1), rest.most)
    each.restUntil = this.#ctx.clock.mono() + ms
    if (each.failures === 1)
      this.#ctx.log.warn({ exception: error.exception }, `${error.message}; these inputs are unknown`)
  }

  /** One wrong address, or one in a gap, spoils a whole request: asks for the parts one by one from the next cycle on. */
  #split(each: Request): boolean {
    const parts = this.#listeners.flatMap(({ runs }) => runs).filter((run) => covers(each.run, run))
    const single = requestsFor(parts, -1).map(request)
    if (single.length < 2) return false
    this.#requests = this.#assign(this.#requests.flatMap((other) => (other === each ? single : [other])))
    return true
  }

  #measure(ms: number): void {
    this.#cycles++
    this.#longestMs = Math.max(this.#longestMs, ms)
    this.#cycleMs = this.#cycles === 1 ? ms : this.#cycleMs * 0.95 + ms * 0.05
    if (this.#warned || this.#cycles < judged.cycles || this.#cycleMs < this.#config.poll * judged.slower)
      return
    if (this.#silent) return
    this.#warned = true
    this.#ctx.log.warn(
      { cycleMs: Math.round(this.#cycleMs), pollMs: this.#config.poll },
      'reading all inputs takes longer than the configured poll: short presses may be missed; poll slower, or read fewer inputs through this link',
    )
  }
}
