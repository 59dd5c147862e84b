import {
  AttributeIds,
  CallRequest,
  coerceNodeId,
  DataType,
  type DataValue,
  type MonitoredItemCreateRequestOptions,
  MonitoringMode,
  type Variant,
} from 'node-opcua'
import { sleep } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { plain, qualityOf } from './codec.ts'
import { EventInput, eventItem, eventTypes, toldBy } from './event.ts'
import type { Config, Input, Output } from './index.ts'
import type { Nodes } from './nodes.ts'
import type { Session } from './session.ts'
import { Subscription } from './subscription.ts'
import { VariableInput } from './variable.ts'

/** ServerStatus.State (Part 5, 12.6), and of its values those with which what is read can be believed. */
const serverState = { node: 'i=2259', shutdown: 4, fine: [0, 5] } as const
/** ConditionType and its method ConditionRefresh (Part 9, 5.5.7). */
const conditionRefresh = { object: 'i=2782', method: 'i=3875' } as const
/** Events come in bursts: a refresh tells all conditions at once. */
const eventQueueLeast = 500
/** How long after the answer to a refresh its end may be told; some servers never do, ms. */
const refreshMs = 1_000
/** How often an item that the server refused is asked for again, ms. */
const monitorAgainMs = 5_000

/** One thing that is listened to. */
interface Item {
  readonly what: string
  readonly request: MonitoredItemCreateRequestOptions
  readonly hear: (value: DataValue) => void
  readonly hearEvent: (fields: readonly (Variant | null)[]) => void
  readonly inputs: readonly EventInput[]
  monitored: boolean
}

const nothing = () => {}

/** All inputs of a link: subscribes them, and watches that the subscription tells the truth. */
export class Inputs {
  readonly #session: Session
  readonly #nodes: Nodes
  readonly #config: Config
  readonly #ctx: Context
  readonly #variables: readonly VariableInput[]
  readonly #events: readonly EventInput[]
  readonly #items: Item[] = []
  readonly #beats = new Map<string, () => void>()
  #subscription: Subscription | null = null
  #complete: () => void = nothing
  #refreshEnds: (() => void) | null = null
  #monitoredAt = Number.NEGATIVE_INFINITY
  /** The server says that it runs. */
  #runs = true

  private constructor(
    session: Session,
    nodes: Nodes,
    { config, inputs, cursors }: Opening<Config, Input, Output>,
    ctx: Context,
  ) {
    this.#session = session
    this.#nodes = nodes
    this.#config = config
    this.#ctx = ctx
    const all = [...inputs]
    this.#variables = all
      .filter(([, { event }]) => !event)
      .map(([device, input]) => new VariableInput(device, input, cursors.get(device), config, nodes, ctx))
    this.#events = all
      .filter(([, { event }]) => event)
      .map(([device, input]) => new EventInput(device, input, cursors.get(device), config, nodes, ctx))
    for (const input of this.#variables) this.#addVariable(input)
    for (const notifier of new Set(this.#events.map((input) => input.notifier))) this.#addNotifier(notifier)
    if (config.heartbeat !== undefined) this.#addHeartbeat(config.heartbeat)
  }

  /** Subscribes everything and takes in how it stands now. Rejects only when the session is lost, or too slow. */
  static async open(
    session: Session,
    nodes: Nodes,
    opening: Opening<Config, Input, Output>,
    ctx: Context,
  ): Promise<Inputs> {
    const inputs = new Inputs(session, nodes, opening, ctx)
    if (inputs.#items.length === 0) return inputs
    inputs.#subscription = await Subscription.open(session, opening.config, ctx.clock, {
      value: (handle, value) => inputs.#items[handle]?.hear(value),
      event: (handle, fields) => inputs.#items[handle]?.hearEvent(fields),
      told: () => inputs.#complete(),
    })
    await inputs.#monitor()
    const present = inputs.#present()
    inputs.#subscription.start()
    await present
    await inputs.#refresh()
    return inputs
  }

  /** Runs until the session is lost. */
  async watch(): Promise<void> {
    while (this.#session.isOpen) {
      await sleep(this.#ctx.clock, this.#config.watch, this.#ctx.signal)
      if (!this.#session.isOpen || this.#ctx.signal.aborted) return
      await this.#look()
    }
  }

  /** Reads everything once, and compares. Rejects when the server does not answer. */
  async #look(): Promise<void> {
    const nodes = this.#variables.flatMap((input) => input.nodes)
    const values = await this.#nodes.read([serverState.node, ...nodes], this.#ctx.signal)
    if (!this.#session.isOpen) return
    this.#judge(values[0])
    this.#ctx.heard()
    let at = 1
    for (const input of this.#variables) {
      const own = values.slice(at, at + input.nodes.length)
      at += own.length
      if (!this.#runs) input.unknown()
      else if (!input.compare(own))
        throw new BridgeError(
          'LINK_DOWN',
          `${input.device} has changed, and the subscription did not tell it`,
        )
    }
    for (const input of this.#events) this.#runs ? input.note() : input.unknown()
    this.#mustSpeak()
    if (this.#items.some(({ monitored }) => !monitored)) await this.#monitor()
  }

  /** A subscription without anything to tell says that it is there; one that doesn't is dead, while its session lives on. */
  #mustSpeak(): void {
    const subscription = this.#subscription
    if (!subscription) return
    if (subscription.silentMs > subscription.aliveMs + this.#config.timeout)
      throw new BridgeError(
        'LINK_DOWN',
        `the subscription says nothing for ${Math.round(subscription.silentMs)} ms`,
      )
  }

  #judge(value: DataValue | undefined): void {
    const state = value && qualityOf(value.statusCode.value) === 'good' ? plain(value.value.value) : null
    if (state === serverState.shutdown)
      throw new BridgeError('LINK_DOWN', 'the server says that it shuts down')
    const runs = state === null || serverState.fine.some((fine) => fine === state)
    if (this.#runs && !runs)
      this.#ctx.log.warn({ state }, 'the server says that it does not run: all is unknown')
    this.#runs = runs
  }

  /** Nothing is known any more. */
  forget(): void {
    for (const input of [...this.#variables, ...this.#events]) input.unknown()
  }

  /** What `probe` tells. */
  get measured(): { subscribed: number; refused: string[]; tellsEveryMs: number | null } {
    const refused = this.#items.filter(({ monitored }) => !monitored).map(({ what }) => what)
    return {
      subscribed: this.#items.length - refused.length,
      refused,
      tellsEveryMs: this.#subscription?.everyMs ?? null,
    }
  }

  /** Resolves when the mark has come round by the heartbeat's variable and is recorded. */
  async beat(mark: string, node: string, signal: AbortSignal): Promise<void> {
    const request = await this.#nodes.toWrite(node, mark, 'String', signal)
    const { clock } = this.#ctx
    const came = new Promise<void>((resolve) => this.#beats.set(mark, resolve))
    try {
      await this.#nodes.write(request, node, signal)
      const late = sleep(clock, this.#config.timeout, signal).then(() => {
        throw new BridgeError('TIMEOUT', `the heartbeat was written to ${node}, but did not come back`)
      })
      await Promise.race([came, late])
    } finally {
      this.#beats.delete(mark)
    }
  }

  #add(item: Partial<Item> & Pick<Item, 'what' | 'request'>): void {
    this.#items.push({
      hear: nothing,
      hearEvent: nothing,
      inputs: [],
      monitored: false,
      ...item,
    })
  }

  #addVariable(input: VariableInput): void {
    // The level first: told in this order, a press that both show is one.
    for (const [nth, what] of input.nodes.entries()) {
      const side = nth === 0 ? 'level' : 'counter'
      this.#add({ what, request: input.item(side), hear: (value) => input.hear(side, value) })
    }
  }

  #addNotifier(notifier: string): void {
    const inputs = this.#events.filter((input) => input.notifier === notifier)
    const queue = Math.max(this.#config.queue, eventQueueLeast)
    this.#add({
      what: notifier,
      request: eventItem(this.#nodes.idOrNull(notifier), queue),
      hearEvent: (fields) => this.#hearEvent(notifier, inputs, fields),
      inputs,
    })
  }

  #addHeartbeat(node: string): void {
    this.#add({
      what: node,
      request: {
        itemToMonitor: { nodeId: this.#nodes.idOrNull(node), attributeId: AttributeIds.Value },
        monitoringMode: MonitoringMode.Reporting,
        requestedParameters: { samplingInterval: this.#config.sampling, queueSize: this.#config.queue },
      },
      hear: (value) => this.#hearBeat(plain(value.value?.value)),
    })
  }

  #hearEvent(notifier: string, inputs: readonly EventInput[], fields: readonly (Variant | null)[]): void {
    const event = toldBy(fields)
    if (event.eventType === eventTypes.refreshEnd) this.#refreshEnds?.()
    else if (event.eventType === eventTypes.refreshRequired) this.#refreshSoon()
    else if (event.eventType === eventTypes.overflow) this.#overflow(notifier, event.eventId)
    else if (event.eventType !== eventTypes.refreshStart) for (const input of inputs) input.hear(event)
  }

  /** Events are lost, and nobody knows which: as long as one of them may have been a press, it was. */
  #overflow(notifier: string, eventId: string): void {
    this.#ctx.log.warn({ notifier }, 'the queue for events was too short at the server: some are lost')
    this.#ctx
      .record({
        is: 'press',
        phase: 'active',
        kind: 'unknown',
        device: null,
        from: `events of ${notifier} that the server lost`,
        key: `lost/${notifier}/${eventId}`,
        raw: { notifier, eventId, lost: true },
      })
      .catch((error: unknown) => this.#session.leave(asBridgeError(error)))
    this.#refreshSoon()
  }

  #hearBeat(mark: unknown): void {
    const came = typeof mark === 'string' ? this.#beats.get(mark) : undefined
    if (typeof mark !== 'string' || !came) return
    this.#ctx
      .record({
        is: 'press',
        phase: 'active',
        device: null,
        from: 'heartbeat',
        key: `heartbeat/${mark}`,
        heartbeat: mark,
        raw: { heartbeat: mark },
      })
      .then(came, nothing)
  }

  /** Asks for the items that are not monitored yet. */
  async #monitor(): Promise<void> {
    const { clock, log } = this.#ctx
    if (clock.mono() - this.#monitoredAt < monitorAgainMs) return
    const first = this.#monitoredAt === Number.NEGATIVE_INFINITY
    this.#monitoredAt = clock.mono()
    const missing = this.#items.flatMap((item, handle) => (item.monitored ? [] : [[item, handle] as const]))
    const statuses = await this.#subscription?.monitor(
      missing.map(([{ request }, clientHandle]) => ({
        ...request,
        requestedParameters: { ...request.requestedParameters, clientHandle },
      })),
    )
    for (const [nth, [item]] of missing.entries()) {
      const status = statuses?.[nth]
      item.monitored = status !== undefined && qualityOf(status.value) !== 'bad'
      for (const input of item.inputs) input.heard = item.monitored
      if (!item.monitored && first)
        log.warn(
          { node: item.what, status: status?.name ?? '' },
          'the server does not let us listen to it; it is unknown',
        )
    }
  }

  /** Until each node that is monitored has told its present value, or the server takes too long with one. */
  async #present(): Promise<void> {
    const wanted = this.#variables.filter((input) =>
      input.nodes.every((node) => this.#items.some(({ what, monitored }) => what === node && monitored)),
    )
    const ended = new AbortController()
    const look = () => {
      if (wanted.every(({ complete }) => complete)) ended.abort()
    }
    this.#complete = look
    look()
    this.#session.lost.then(() => ended.abort())
    await sleep(this.#ctx.clock, this.#config.timeout, ended.signal)
    this.#complete = nothing
    if (this.#session.why) throw this.#session.why
  }

  #refreshSoon(): void {
    this.#refresh().catch((error: unknown) => this.#session.leave(asBridgeError(error)))
  }

  /** Lets the server tell all conditions that it retains: those of the time when nobody listened are among them. */
  async #refresh(): Promise<void> {
    if (this.#events.length === 0 || !this.#subscription) return
    const { clock, log, signal } = this.#ctx
    const ended = new AbortController()
    this.#refreshEnds = () => ended.abort()
    for (const input of this.#events) input.refresh()
    const request = new CallRequest({
      methodsToCall: [
        {
          objectId: coerceNodeId(conditionRefresh.object),
          methodId: coerceNodeId(conditionRefresh.method),
          inputArguments: [{ dataType: DataType.UInt32, value: this.#subscription.id }],
        },
      ],
    })
    try {
      await this.#nodes.call(request, 'ConditionRefresh', signal)
    } catch (error) {
      if (!this.#session.isOpen || signal.aborted) throw error
      log.info(
        { why: messageOf(error) },
        'the server refreshes no conditions: only what it tells from now on is heard',
      )
      return
    }
    // Not waited for: the session goes on meanwhile.
    sleep(clock, refreshMs, ended.signal).then(() => {
      if (!this.#session.isOpen || signal.aborted) return
      for (const input of this.#events) input.refreshed()
    })
  }
}

const asBridgeError = (error: unknown): BridgeError =>
  error instanceof BridgeError ? error : new BridgeError('CRASHED', messageOf(error), { cause: error })
