import { type Clock, deadline, sleep } from '../clock.ts'
import { failed, type Order, type Outcome } from '../command.ts'
import type { Context, Link, Log, Opening, Recorded, SecretRef } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import type { Fact, Json, State } from '../fact.ts'
import { mayHear, type Part } from './part.ts'
import { openInThread } from './thread.ts'

/** How long `open` may take before it is given up and tried again, ms. */
const openMs = 10_000
/** Pauses between two tries to open a link, ms; drawn from half to the whole of these, so that whatever is back is heard within 5 s. */
const backoffMs = [250, 500, 1_000, 2_000, 4_000] as const
/** A link that lived this long starts its back-off anew, ms. */
const steadyMs = 30_000
/** How long a link may take to close before it is left to itself, ms. */
const closeMs = 1_000

/** What a link needs from the bridge. */
export interface Surroundings {
  readonly clock: Clock
  readonly log: Log
  record(connector: string, fact: Fact): Promise<Recorded>
  note(device: string, state: State): void
  keep(bytes: Uint8Array, about: { mediaType: string; capturedAt: number }): Promise<string>
  secret(ref: SecretRef): Promise<string>
  cursor(device: string): Json | undefined
  /** Called once when a link goes and once when it is back; `why` is null when it is up. */
  turned(link: LinkHealth): void
  random(): number
}

/** How a link is. */
export interface LinkHealth {
  readonly name: string
  readonly connector: string
  readonly up: boolean
  /** Since when it is up or down, ms since the epoch. */
  readonly since: number
  /** Why it is down, in words. */
  readonly why: string | null
  /** When data last came, ms since the epoch; the age of data is what counts, not the socket. */
  readonly heardAt: number | null
  /** How old its data may get, ms; null: silent by nature. */
  readonly staleAfterMs: number | null
  readonly opens: number
}

/** Runs links in this process: opens them, reopens them with back-off, hands orders to them. */
export class InlineRunner {
  readonly #around: Surroundings
  readonly #links = new Map<string, Running>()

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Starts to open these links, those that presses come from first; waits for none of them. */
  start(parts: ReadonlyMap<string, Part>): void {
    const inTurn = [...parts].sort(([, a], [, b]) => Number(mayHear(b)) - Number(mayHear(a)))
    for (const [name, part] of inTurn) {
      const running = new Running(name, part, this.#around)
      this.#links.set(name, running)
      running.start()
    }
  }

  isUp(link: string): boolean {
    return Boolean(this.#links.get(link)?.link)
  }

  /** How much longer than its attempt an order may take here, ms. */
  graceMs(_link: string): number {
    return 0
  }

  /** What is in flight here has begun: there is nothing to take back. */
  recall(_command: string): void {}

  /** One attempt. Never throws; what a connector throws is an outcome. */
  async act(link: string, capability: string, order: Order): Promise<Outcome> {
    const running = this.#links.get(link)
    if (!running?.link)
      return failed('LINK_DOWN', `${link} is not connected: ${running?.health().why ?? 'unknown link'}`)
    const act = (running.link.acts as Record<string, ((order: Order) => Promise<Outcome>) | undefined>)[
      capability
    ]
    if (!act) return failed('UNSUPPORTED', `${link} has no ${capability}`, { retry: 'never' })
    try {
      return await act(order)
    } catch (error) {
      this.#around.log.error(
        { link, capability, command: order.id, error: messageOf(error) },
        'connector threw',
      )
      return failed('CRASHED', `${link}: ${capability} threw: ${messageOf(error)}`, { effect: 'possible' })
    }
  }

  /** Tries a target out without moving anything. */
  async probe(link: string, address: unknown, signal: AbortSignal): Promise<Json> {
    const running = this.#links.get(link)
    if (!running?.link) throw new BridgeError('LINK_DOWN', running?.health().why ?? `no link ${link}`)
    if (!running.link.probe) return { reachable: true }
    return running.link.probe(address, signal)
  }

  /** Links that are up and can send a synthetic press through their own wire. */
  beating(): string[] {
    return [...this.#links].flatMap(([name, { link }]) => (link?.beat ? [name] : []))
  }

  /** Sends one; rejects with what is wrong. */
  async beat(link: string, mark: string, signal: AbortSignal): Promise<void> {
    await this.#links.get(link)?.link?.beat?.(mark, signal)
  }

  health(): LinkHealth[] {
    return [...this.#links.values()].map((running) => running.health())
  }

  /** The link a device belongs to has just proven that it is alive. */
  heard(link: string): void {
    this.#links.get(link)?.heard()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#links.values()].map((running) => running.stop()))
  }
}

/** One link through its lives. */
class Running {
  link: Link | null = null
  readonly #name: string
  readonly #part: Part
  readonly #around: Surroundings
  readonly #staleAfterMs: number | null
  readonly #end = new AbortController()
  #life = new AbortController()
  #since: number
  #why: string | null = 'not yet opened'
  #heardAt: number | null = null
  #opens = 0
  #told: 'nothing' | 'up' | 'down' = 'nothing'
  #loop: Promise<void> = Promise.resolve()

  constructor(name: string, part: Part, around: Surroundings) {
    this.#name = name
    this.#part = part
    this.#around = around
    this.#since = around.clock.now()
    this.#staleAfterMs = part.connector.staleAfterMs?.(part.config) ?? null
  }

  start(): void {
    this.#loop = this.#live()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    this.#life.abort()
    await this.#loop
  }

  heard(): void {
    this.#heardAt = this.#around.clock.now()
  }

  health(): LinkHealth {
    return {
      name: this.#name,
      connector: this.#part.connectorName,
      up: this.link !== null,
      since: this.#since,
      why: this.link ? null : this.#why,
      heardAt: this.#heardAt,
      staleAfterMs: this.#staleAfterMs,
      opens: this.#opens,
    }
  }

  async #live(): Promise<void> {
    const { clock, random } = this.#around
    let failures = 0
    while (!this.#end.signal.aborted) {
      const openedAt = clock.mono()
      await this.#once()
      if (clock.mono() - openedAt > steadyMs) failures = 0
      const pause = backoffMs[Math.min(failures++, backoffMs.length - 1)] as number
      if (!this.#end.signal.aborted) await sleep(clock, pause * (0.5 + random() / 2), this.#end.signal)
    }
  }

  /** Opens, lives until lost, closes. */
  async #once(): Promise<void> {
    const life = new AbortController()
    this.#life = life
    const link = await this.#open(life).catch((error: unknown) => {
      life.abort()
      this.#turn(null, messageOf(error))
      return null
    })
    if (!link) return
    this.#opens++
    this.heard()
    this.#turn(link, null)
    const ended = new Promise<string>((resolve) =>
      life.signal.addEventListener('abort', () => resolve('stopped')),
    )
    const lost = link.lost?.then(
      (why) => messageOf(why ?? 'connection lost'),
      (error: unknown) => messageOf(error),
    )
    const why = await Promise.race(lost ? [ended, lost] : [ended])
    this.#turn(null, why)
    life.abort()
    await this.#close(link)
  }

  async #open(life: AbortController): Promise<Link> {
    const { clock, cursor } = this.#around
    const { connector, config, inputs, outputs, isolate } = this.#part
    const cursors = new Map(
      [...inputs.keys()].flatMap((device) => {
        const value = cursor(device)
        return value === undefined ? [] : [[device, value] as const]
      }),
    )
    const opening: Opening<unknown, unknown, unknown> = { name: this.#name, config, inputs, outputs, cursors }
    const limit = deadline(clock, openMs, life.signal)
    const late = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () => {
        life.abort()
        reject(new BridgeError('TIMEOUT', `${this.#name} did not open within ${openMs / 1_000} s`))
      })
    })
    const ctx = this.#context(life.signal)
    const opened = isolate ? openInThread(connector, opening, ctx) : connector.open(opening, ctx)
    // A link that opens after it was given up is closed, not leaked.
    opened.then(
      (link) => {
        if (life.signal.aborted) void link.close().catch(() => {})
      },
      () => {},
    )
    return Promise.race([opened, late]).finally(() => limit.cancel())
  }

  #context(signal: AbortSignal): Context {
    const around = this.#around
    return {
      clock: around.clock,
      log: around.log,
      signal,
      record: (fact) => {
        // What we say to ourselves proves nothing of the other end.
        if (fact.is !== 'press' || fact.heartbeat === undefined) this.heard()
        return around.record(this.#part.connectorName, fact)
      },
      note: (device, state) => {
        // What a link says of its devices while it is being closed for good is no news of theirs.
        if (this.#end.signal.aborted) return
        if (state.quality !== 'unknown') this.heard()
        around.note(device, state)
      },
      heard: () => this.heard(),
      keep: around.keep,
      secret: around.secret,
    }
  }

  /** Logged once when it goes, once when it is back. */
  #turn(link: Link | null, why: string | null): void {
    const { clock, log, turned } = this.#around
    this.link = link
    this.#why = why
    const now = link ? 'up' : 'down'
    if (this.#told === now || this.#end.signal.aborted) return
    this.#told = now
    this.#since = clock.now()
    if (link) log.info({ link: this.#name }, 'link up')
    else log.warn({ link: this.#name, why }, 'link down')
    turned(this.health())
  }

  async #close(link: Link): Promise<void> {
    const { clock, log } = this.#around
    const limit = deadline(clock, closeMs)
    const late = new Promise<void>((resolve) => limit.signal.addEventListener('abort', () => resolve()))
    const closed = link.close().catch((error: unknown) => {
      log.warn({ link: this.#name, error: messageOf(error) }, 'link did not close cleanly')
    })
    await Promise.race([closed, late])
    limit.cancel()
  }
}
