import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import { bitAt, counterAt, type Values } from './codec.ts'
import type { Config, Input } from './config.ts'
import { Contact, type Reading } from './contact.ts'
import { Loop, scaled } from './loop.ts'
import { inWords, type Point, type Reads, type Run, readsOf } from './points.ts'
import type { Unit } from './unit.ts'

/** How often a latch that is still set is cleared again, ms: the button may be held. */
const resetAgainMs = 1_000

/** What was read of a run in this cycle; null when it could not be. */
export type ValuesOf = (run: Run) => { run: Run; values: Values } | null

/** Whatever wants to hear what a poll reads. */
export interface Hearer {
  readonly unit: Unit
  /** Everything that must be read for it. */
  readonly runs: readonly Run[]
  /** Takes in what a cycle has read. */
  hear(valuesOf: ValuesOf): void
  /** Nothing is known of it any more. */
  unknown(): void
}

/** One input between the poll and core: records what its contact says, and remembers its level. */
export class Listener implements Hearer {
  readonly unit: Unit
  readonly runs: readonly Run[]
  readonly #device: string
  readonly #input: Input
  readonly #reads: Reads
  readonly #order: Config['word-order']
  readonly #ctx: Context
  readonly #contact: Contact
  readonly #loop: Loop | null
  /** The values that the loop has seen last. */
  #measured: Values | null = null
  readonly #outbox: Outbox
  #resetAt = Number.NEGATIVE_INFINITY
  /** The latch could not be cleared, so the next press would not be seen. */
  #blind = false

  constructor(
    device: string,
    input: Input,
    cursor: Json | undefined,
    config: Config,
    unit: Unit,
    ctx: Context,
  ) {
    this.unit = unit
    this.#device = device
    this.#input = input
    this.#reads = readsOf(input)
    this.runs = Object.values(this.#reads).filter((run) => run !== null)
    this.#order = config['word-order']
    this.#ctx = ctx
    const settings = { device, at: inWords(this.#reads.level), settleMs: config.settle }
    this.#loop = input.bands ? new Loop(input.bands) : null
    this.#outbox = new Outbox(config, device, ctx)
    this.#contact = new Contact(settings, this.#outbox.last?.cursor ?? cursor, ctx.clock.now())
  }

  hear(valuesOf: ValuesOf): void {
    const reading = this.#loop ? this.#measure(this.#loop, valuesOf) : this.#reading(valuesOf)
    for (const fact of this.#contact.read(reading, this.#ctx.clock.now())) this.#outbox.put(fact)
    if (this.#contact.restarted)
      this.#ctx.log.warn(
        { device: this.#device, counter: reading.counter },
        'the counter went down: the module has restarted, counting goes on from here',
      )
    this.#remember(reading)
    if (this.#input.latch && reading.level === true) this.#clear(this.#input.latch.reset)
  }

  unknown(): void {
    this.#ctx.note(this.#device, { quality: 'unknown' })
  }

  /** Pressed and normal are levels; what else a loop may be is not known to be either. */
  #measure(loop: Loop, valuesOf: ValuesOf): Reading {
    const { level } = this.#reads
    const read = valuesOf(level)
    if (!read || !this.#input.bands) return { level: null }
    const measured = scaled(read.values[level.address - read.run.address] ?? 0, this.#input.bands)
    // What another request brings along is no further reading.
    const condition = read.values === this.#measured ? loop.condition : loop.read(measured)
    this.#measured = read.values
    if (condition === null) return { level: null }
    const isLevel = condition === 'normal' || condition === 'alarm'
    return { level: isLevel ? condition === 'alarm' : null, broken: isLevel ? null : condition, measured }
  }

  #reading(valuesOf: ValuesOf): Reading {
    const { level, antivalent, counter } = this.#reads
    const count = counter && valuesOf(counter)
    return {
      level: this.#level(valuesOf, level, this.#input.normally === 'open'),
      ...(antivalent && { pair: this.#level(valuesOf, antivalent, this.#input.normally !== 'open') }),
      ...(counter && { counter: count && counterAt(count.run, count.values, counter, this.#order) }),
    }
  }

  #level(valuesOf: ValuesOf, point: Point, activeWhen: boolean): boolean | null {
    const read = valuesOf(point)
    return read && bitAt(read.run, read.values, point) === activeWhen
  }

  #remember({ level, pair, counter }: Reading): void {
    const unread = level === null || pair === null || counter === null
    if (unread || this.#blind || this.#contact.wires === 'broken') this.unknown()
    // What changes over is neither pressed nor not pressed for the moment.
    else if (this.#contact.wires === 'sound' && !this.#loop?.isChanging)
      this.#ctx.note(this.#device, { quality: 'good', active: this.#contact.active })
    if (!this.#contact.moved || !this.#outbox.empty) return
    this.#contact.moved = false
    this.#ctx.note(this.#device, { cursor: this.#contact.cursor })
  }

  /** Clears the latch, once the press that it holds is recorded, and looks whether it is. */
  #clear(coil: number): void {
    const { clock, signal } = this.#ctx
    if (!this.#contact.active || !this.#outbox.empty || clock.mono() < this.#resetAt) return
    this.#resetAt = Number.POSITIVE_INFINITY
    this.unit
      .turn(async () => {
        await this.unit.ready()
        if (signal.aborted) return
        await this.unit.writeCoil(coil, true)
        await this.unit.read(this.#reads.level)
        this.#blind = false
      })
      .catch((error: unknown) => {
        if (!this.#blind && !signal.aborted)
          this.#ctx.log.warn({ device: this.#device }, `the latch can't be cleared: ${messageOf(error)}`)
        this.#blind = true
      })
      .finally(() => {
        this.#resetAt = clock.mono() + resetAgainMs
      })
  }
}
