import { DataType, type MonitoredItem } from 'node-opcua'
import type { DoorSpec, Doors } from '../door.ts'
import { type Behaviour, Journal, type Mock } from '../mock.ts'
import { Alarm } from './alarm.ts'
import { addDoors } from './doors.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { Front } from './front.ts'
import { Panel, type Quality } from './panel.ts'

export { Engine } from './engine.ts'

/** How long a press lasts when nothing else is said: that of a finger. */
const pressMs = 200
/** Finer than any sampling of the server. */
const tickMs = 5

export interface OpcuaServerOptions extends EngineOptions {
  readonly port?: number
  /** Buttons from 1: `Button1` with `Counter1`, `Latched1` and `Reset1`. */
  readonly inputs?: number
  /** Relays from 1: `Relay1`. */
  readonly relays?: number
  /** Names of alarm conditions. */
  readonly alarms?: readonly string[]
  readonly doors?: { readonly [token: string]: DoorSpec }
  /** An engine that others use as well; without it the server has its own. */
  readonly engine?: Engine
}

/** An OPC UA server with a panel of buttons, relays, alarms and doors. */
export class OpcuaServer implements Mock {
  readonly host = '127.0.0.1'
  readonly journal = new Journal()
  readonly doors: Doors
  readonly engine: Engine
  readonly #front: Front
  readonly #panel: Panel
  readonly #owns: boolean
  readonly #alarms = new Map<string, Alarm>()
  readonly #stuck = new Set<string>()
  readonly #inputs: number
  readonly #relays: number

  constructor(
    engine: Engine,
    { inputs = 4, relays = 2, alarms = [], doors = {}, ...options }: OpcuaServerOptions,
  ) {
    this.engine = engine
    this.#owns = options.engine === undefined
    this.#inputs = inputs
    this.#relays = relays
    this.#front = new Front(() => engine.port)
    this.#panel = new Panel(engine, 'Panel', this.journal)
    for (let n = 1; n <= inputs; n++) this.#addButton(n)
    for (let n = 1; n <= relays; n++)
      this.#panel.variable(`Relay${n}`, DataType.Boolean, false, () => !this.#stuck.has(`Relay${n}`))
    for (const name of alarms) this.#alarms.set(name, new Alarm(engine, this.#panel, name, this.journal))
    this.#panel.variable('Heartbeat', DataType.String, '', () => true)
    this.doors = addDoors(engine, this.#panel, doors, this.journal)
  }

  get port(): number {
    return this.#front.port.port
  }

  get url(): string {
    return `opc.tcp://${this.host}:${this.port}/UA`
  }

  /** Connections that are open now: what a client leaks stays here. */
  get openSockets(): number {
    return this.#front.port.sockets.size
  }

  /** Sessions that came in by this port and are not closed. */
  get sessions(): number {
    return this.#sessions().length
  }

  /** Subscriptions of these sessions. */
  get subscriptions(): number {
    return this.#sessions().reduce((sum, session) => sum + session.currentSubscriptionCount, 0)
  }

  listen(port?: number): Promise<void> {
    return this.#front.port.open(port)
  }

  /** The id of the panel, or of something of it: `id('Button1')`. */
  id(below?: string): string {
    return this.#panel.id(below)
  }

  /** Presses a button for `forMs` (200 by default), or until `release`. Resolves when it is let go, or held. */
  async press(n: number, { forMs = pressMs, hold }: { forMs?: number; hold?: true } = {}): Promise<void> {
    this.#panel.set(`Button${n}`, true)
    this.#panel.set(`Latched${n}`, true)
    this.#panel.set(`Counter${n}`, ((this.#panel.get(`Counter${n}`) as number) + 1) % 2 ** 32)
    if (hold) return
    await new Promise((resolve) => setTimeout(resolve, forMs))
    this.release(n)
  }

  release(n: number): void {
    this.#panel.set(`Button${n}`, false)
  }

  /** A condition by its name. */
  alarm(name: string): Alarm {
    const alarm = this.#alarms.get(name)
    if (!alarm) throw new RangeError(`there is no alarm ${name}`)
    return alarm
  }

  /** An event that is no condition. */
  raise(message: string, severity = 700): void {
    this.#panel.raise(message, severity)
  }

  /** Says that its queue for events was too short; node-opcua's server itself never does. */
  losesEvents(): void {
    this.#panel.raise('the queue was too short', 1, 'EventQueueOverflowEventType')
  }

  get(name: string): unknown {
    return this.#panel.get(name)
  }

  set(name: string, value: unknown, quality?: Quality): void {
    this.#panel.set(name, value, quality)
  }

  qualify(name: string, quality: Quality): void {
    this.#panel.qualify(name, quality)
  }

  remove(name: string): void {
    this.#panel.remove(name)
  }

  /** The relay accepts writes but stays where it is; `stuck` false frees it. */
  relayStuck(n: number, stuck = true): void {
    if (stuck) this.#stuck.add(`Relay${n}`)
    else this.#stuck.delete(`Relay${n}`)
  }

  /** A variable of type Boolean that was not there before. */
  add(name: string): void {
    this.#panel.variable(name, DataType.Boolean, false)
  }

  /** The sessions stay, their subscriptions are gone, or (`muted`) say that they are there and tell nothing any more. */
  losesSubscriptions(how: 'deleted' | 'muted'): void {
    for (const session of this.#sessions())
      for (const subscription of [...session.publishEngine.subscriptions])
        if (how === 'deleted') session.deleteSubscription(subscription.id)
        else subscription.setPublishingMode(false)
  }

  /** How the items of all subscriptions queue. */
  get queues(): { readonly queueSize: number; readonly discardOldest: boolean }[] {
    return this.#sessions().flatMap((session) =>
      session.publishEngine.subscriptions.flatMap((subscription) => {
        const { monitoredItems } = subscription as unknown as {
          monitoredItems: Map<number, MonitoredItem>
        }
        return [...monitoredItems.values()].map(({ queueSize, discardOldest }) => ({
          queueSize,
          discardOldest,
        }))
      }),
    )
  }

  /**
   * Resolves after `ms` and as many turns of the event loop as that takes on an idle machine: where this one stands still
   * for a moment, the server's sampling does as well.
   */
  async sampled(ms: number): Promise<void> {
    const end = performance.now() + ms
    const turns = Math.max(1, Math.floor(ms / tickMs))
    for (let turn = 0; turn < turns || performance.now() < end; turn++)
      await new Promise((resolve) => setTimeout(resolve, tickMs))
  }

  /** Forgets all sessions, as when their time is over. */
  forget(): void {
    this.engine.forget(this.#sessions())
  }

  /** Cuts all connections; the port stays open. */
  drop(): void {
    this.#front.port.drop()
  }

  /** Half-open, garbled and wrong: what is asked happens, nobody hears. */
  behave(behaviour: Behaviour): void {
    this.#front.behave(behaviour)
  }

  /** Counters start at 0 again, relays and latches are off, sessions forgotten; a button that is held stays pressed. */
  async reboot(awayMs: number): Promise<void> {
    this.engine.forget(this.#sessions())
    for (let n = 1; n <= this.#inputs; n++) {
      this.#panel.set(`Counter${n}`, 0)
      this.#panel.set(`Latched${n}`, this.#panel.get(`Button${n}`))
    }
    for (let n = 1; n <= this.#relays; n++) this.#panel.set(`Relay${n}`, false)
    for (const alarm of this.#alarms.values()) alarm.restart()
    await this.#front.port.away(awayMs)
  }

  async close(): Promise<void> {
    for (const door of Object.values(this.doors)) door.close()
    await this.#front.port.close()
    this.engine.forget(this.#sessions())
    this.#panel.close()
    if (this.#owns) await this.engine.close()
  }

  #sessions() {
    return this.engine.sessions(this.#front.ways)
  }

  #addButton(n: number): void {
    this.#panel.variable(`Button${n}`, DataType.Boolean, false)
    this.#panel.variable(`Counter${n}`, DataType.UInt32, 0)
    this.#panel.variable(`Latched${n}`, DataType.Boolean, false)
    this.#panel.variable(`Reset${n}`, DataType.Boolean, false, ({ value }) => {
      if (value === true) this.#panel.set(`Latched${n}`, this.#panel.get(`Button${n}`))
      return false
    })
  }
}

/** Starts a server on loopback; port 0 (default) takes a free one. */
export const startOpcuaServer = async (options: OpcuaServerOptions = {}): Promise<OpcuaServer> => {
  const server = new OpcuaServer(options.engine ?? (await Engine.start(options)), options)
  await server.listen(options.port)
  return server
}
