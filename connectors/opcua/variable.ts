import type { DataValue, MonitoredItemCreateRequestOptions } from 'node-opcua'
import { AttributeIds, MonitoringMode } from 'node-opcua'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import { counterBits, means, overflowed, plain, qualityOf, statusInWords, told } from './codec.ts'
import { Contact } from './contact.ts'
import type { Config, Input } from './index.ts'
import type { Nodes } from './nodes.ts'

/** How often a latch that is still set is cleared again, ms: the button may be held. */
const resetAgainMs = 1_000
/** How much later than it should the server may tell a change, ms. */
const graceMs = 250

/** The two things that are known of an input: its level and its counter. */
type Side = 'level' | 'counter'

/** What the subscription told last of one node, and since when a reading says something else. */
interface Known {
  readonly node: string
  value: DataValue | null
  differsSince: number | null
}

/** One input that is a variable: between what the server tells of it and core. */
export class VariableInput {
  readonly device: string
  readonly #input: Input
  readonly #config: Config
  readonly #nodes: Nodes
  readonly #ctx: Context
  readonly #contact: Contact
  readonly #outbox: Outbox
  readonly #level: Known
  readonly #counter: Known | null
  readonly #apartMs: number
  #resetAt = Number.NEGATIVE_INFINITY
  /** The latch could not be cleared, so the next press would not be seen. */
  #blind = false
  #complained = ''

  constructor(
    device: string,
    input: Input,
    cursor: Json | undefined,
    config: Config,
    nodes: Nodes,
    ctx: Context,
  ) {
    this.device = device
    this.#input = input
    this.#config = config
    this.#nodes = nodes
    this.#ctx = ctx
    const node = input.node as string
    this.#level = { node, value: null, differsSince: null }
    this.#counter =
      input.counter === undefined ? null : { node: input.counter, value: null, differsSince: null }
    // Sampled, and told with the message after the next at the latest.
    this.#apartMs = config.sampling * 3 + graceMs
    this.#outbox = new Outbox(config, device, ctx)
    const settings = { device, node, counts: this.#counter !== null, apartMs: this.#apartMs }
    this.#contact = new Contact(settings, this.#outbox.last?.cursor ?? cursor, ctx.clock.now())
  }

  /** Its nodes: the level first. */
  get nodes(): readonly string[] {
    return this.#counter ? [this.#level.node, this.#counter.node] : [this.#level.node]
  }

  /** The server has told the present value of all nodes. */
  get complete(): boolean {
    return this.#level.value !== null && this.#counter?.value !== null
  }

  item(side: Side): MonitoredItemCreateRequestOptions {
    const { sampling, queue } = this.#config
    return {
      itemToMonitor: {
        nodeId: this.#nodes.idOrNull(side === 'level' ? this.#level.node : (this.#counter?.node ?? '')),
        attributeId: AttributeIds.Value,
      },
      monitoringMode: MonitoringMode.Reporting,
      requestedParameters: {
        samplingInterval: sampling,
        queueSize: queue,
        // The end of a burst may be missing, and is read besides; its beginning must not be.
        discardOldest: false,
      },
    }
  }

  /** Takes in what the subscription tells. */
  hear(side: Side, value: DataValue): void {
    const known = side === 'level' ? this.#level : this.#counter
    if (!known) return
    const first = known.value === null
    known.value = value
    known.differsSince = null
    const now = this.#ctx.clock.now()
    const facts = side === 'level' ? this.#hearLevel(value, first, now) : this.#hearCounter(value, now)
    for (const fact of facts) this.#outbox.put(fact)
    this.#remember(true)
    this.#outbox.afterwards(() => this.#clear())
  }

  /**
   * Compares a reading with what the subscription told; false when that has missed a change for so long that it can't
   * be believed any more.
   */
  compare(read: readonly (DataValue | undefined)[]): boolean {
    const now = this.#ctx.clock.mono()
    const [level, counter] = read
    const agree = this.#agrees(this.#level, level, now)
    const agrees = agree && (!this.#counter || this.#agrees(this.#counter, counter, now))
    if (agree && level && this.#level.differsSince === null) this.#contact.still(timeOf(level))
    for (const fact of this.#contact.rest(this.#ctx.clock.now())) this.#outbox.put(fact)
    const readable = read.every((value) => value !== undefined && qualityOf(value.statusCode.value) !== 'bad')
    this.#remember(readable && this.#level.differsSince === null)
    this.#clear()
    return agrees
  }

  unknown(): void {
    this.#ctx.note(this.device, { quality: 'unknown' })
  }

  #hearLevel(value: DataValue, first: boolean, now: number) {
    const status = value.statusCode.value
    return this.#contact.level(
      {
        active: this.#judge(value),
        at: timeOf(value),
        overflow: overflowed(status),
        first,
        value: qualityOf(status) === 'good' ? told(value.value?.value) : statusInWords(status),
      },
      now,
    )
  }

  #hearCounter(value: DataValue, now: number) {
    const counter = this.#count(value)
    if (counter === null) return []
    const facts = this.#contact.count(counter, counterBits(value.value.dataType) ?? 32, now)
    if (this.#contact.restarted)
      this.#ctx.log.warn(
        { device: this.device, counter },
        'the counter went down: the device has restarted, counting goes on from here',
      )
    return facts
  }

  /** Pressed or not; null when the value is not worth an answer. */
  #judge(value: DataValue): boolean | null {
    const quality = qualityOf(value.statusCode.value)
    if (quality === 'bad') this.#complain(`reads ${value.statusCode.name}`)
    if (quality === 'bad' || (quality === 'uncertain' && this.#input.uncertain === 'unknown')) return null
    const active = means(value.value?.value, this.#input.when)
    if (active === null)
      this.#complain(
        `reads ${JSON.stringify(told(value.value?.value))}, which can't be compared with \`when\``,
      )
    else this.#complained = ''
    return active
  }

  #count(value: DataValue): number | null {
    if (qualityOf(value.statusCode.value) !== 'good') return null
    const counter = plain(value.value?.value)
    if (typeof counter === 'number' && counterBits(value.value.dataType) !== null) return counter
    this.#complain('has a counter that is no integer')
    return null
  }

  /** One line for each new reason. */
  #complain(why: string): void {
    if (this.#complained === why) return
    this.#complained = why
    this.#ctx.log.warn(
      { device: this.device, node: this.#level.node },
      `${this.device} ${why}: it is unknown`,
    )
  }

  #agrees(known: Known, read: DataValue | undefined, now: number): boolean {
    const same = known.value !== null && read !== undefined && sameTold(known.value, read)
    if (same) known.differsSince = null
    else known.differsSince ??= now
    return known.differsSince === null || now - known.differsSince <= this.#apartMs + this.#config.watch
  }

  #remember(fresh: boolean): void {
    const uncounted =
      this.#counter && (this.#counter.value === null || this.#count(this.#counter.value) === null)
    if (!fresh || !this.#contact.known || uncounted || this.#blind) this.unknown()
    else this.#ctx.note(this.device, { quality: 'good', active: this.#contact.active })
    if (!this.#contact.moved || !this.#outbox.empty) return
    this.#contact.moved = false
    this.#ctx.note(this.device, { cursor: this.#contact.cursor })
  }

  /** Clears the latch, once the press that it holds is recorded. */
  #clear(): void {
    const { latch } = this.#input
    const { clock, signal } = this.#ctx
    if (!latch || !this.#contact.active || !this.#outbox.empty) return
    if (signal.aborted || clock.mono() < this.#resetAt) return
    this.#resetAt = Number.POSITIVE_INFINITY
    this.#nodes
      .toWrite(latch.reset, latch.value, latch.type, signal)
      .then((request) => this.#nodes.write(request, latch.reset))
      .then(() => {
        this.#blind = false
      })
      .catch((error: unknown) => {
        if (!this.#blind && !signal.aborted)
          this.#ctx.log.warn({ device: this.device }, `the latch can't be cleared: ${messageOf(error)}`)
        this.#blind = true
      })
      .finally(() => {
        this.#resetAt = clock.mono() + resetAgainMs
      })
  }
}

/** SourceTimestamp, ms since the epoch; the epoch of OPC UA itself (1601) is none. */
const timeOf = ({ sourceTimestamp }: DataValue): number | null => {
  const ms = sourceTimestamp?.getTime()
  return ms === undefined || Number.isNaN(ms) || ms <= 0 ? null : ms
}

/** The same in value and in quality; the bit that tells of an overflow is none of it. */
const sameTold = (one: DataValue, other: DataValue): boolean =>
  qualityOf(one.statusCode.value) === qualityOf(other.statusCode.value) &&
  JSON.stringify(told(one.value?.value)) === JSON.stringify(told(other.value?.value))
