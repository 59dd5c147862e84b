import { createHash } from 'node:crypto'
import { loadText } from '../../config/load.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { Order, Outcome } from '../../core/command.ts'
import type { Connector, Context, Link, Opening } from '../../core/connector.ts'
import type { State } from '../../core/fact.ts'
import type { LinkHealth } from '../../core/runner/inline.ts'
import { partition } from '../../core/runner/part.ts'
import { RemoteRunner, type Workers } from '../../core/runner/remote.ts'
import { readKey, Seal } from '../../core/runner/seal.ts'
import { Worker } from '../../core/runner/worker.ts'
import type { Site } from '../../core/site/site.ts'
import { type Fault, Faults } from '../../core/supervision/faults.ts'
import { SimulatedCarrier, SimulatedRedis } from './carrier.ts'
import { MachineClock } from './machine-clock.ts'
import { scripted, World } from './scripted.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** An act that began at its target. */
export interface Start {
  /** True time, ms. */
  readonly at: number
  /** A worker, or `bridge`. */
  readonly by: string
  readonly capability: string
  readonly command: string
  readonly attempt: number
}

/** The key of a worker in a simulation. */
const keyOf = (worker: string): string => createHash('sha256').update(worker).digest('base64')

/** The way to the scripted world that one program has for itself: it sees what begins, and can be cut. */
export class OwnWay {
  readonly connector: Connector
  readonly #drops = new Map<string, (why: Error) => void>()
  /** What the connector says while it is cut. */
  why = 'no route'
  #isCut = false

  constructor(by: string, world: World, clock: SimulatedClock, seen: (start: Start) => void) {
    const base = scripted(world)
    const open = async (opening: Opening<unknown, unknown, unknown>, ctx: Context): Promise<Link> => {
      if (this.#isCut) throw new Error(this.why)
      const name = by === 'bridge' ? opening.name : `${opening.name} of ${by}`
      const link = await world.open(name, ctx)
      const lost = new Promise<unknown>((resolve) => this.#drops.set(name, resolve))
      const acts = Object.fromEntries(
        Object.entries(link.acts).map(([capability, act]) => [
          capability,
          (order: Order): Promise<Outcome> => {
            const { id: command, attempt } = order
            if (!order.signal.aborted) seen({ at: clock.now(), by, capability, command, attempt })
            return (act as (order: Order) => Promise<Outcome>)(order)
          },
        ]),
      )
      return { ...link, acts: acts as Link['acts'], lost: Promise.race([link.lost, lost]) }
    }
    this.connector = { ...base, open: open as Connector['open'] }
  }

  cut(): void {
    this.#isCut = true
    for (const drop of this.#drops.values()) drop(new Error('cable pulled'))
    this.#drops.clear()
  }

  mend(): void {
    this.#isCut = false
  }
}

/** One worker, through its lives. */
export class Crew {
  readonly name: string
  readonly way: OwnWay
  clock!: MachineClock
  carrier!: SimulatedCarrier
  worker!: Worker
  readonly #fleet: Pick<Fleet, 'clock' | 'redis' | 'random'>

  constructor(name: string, fleet: Fleet, seen: (start: Start) => void) {
    this.name = name
    this.#fleet = fleet
    this.way = new OwnWay(name, fleet.world, fleet.clock, seen)
    this.start()
  }

  /** A new life: another process, on a machine whose clock goes as it likes. */
  start(): void {
    const { clock, redis, random } = this.#fleet
    this.clock = new MachineClock(clock, random() * 1e9, (random() - 0.5) * 200)
    this.carrier = new SimulatedCarrier(redis, this.clock)
    this.worker = new Worker({
      name: this.name,
      seal: new Seal(readKey(keyOf(this.name)), this.name, 'worker'),
      carrier: this.carrier,
      catalogue: new Map([['scripted', this.way.connector]]),
      clock: this.clock,
      log: quiet,
      secret: async () => 'secret',
      random,
    })
    this.worker.start()
  }

  /** SIGKILL. */
  kill(): void {
    this.clock.kill()
    void this.carrier.close()
  }
}

/** Redis and the workers of a simulation. */
export class Fleet {
  readonly clock: SimulatedClock
  readonly world: World
  readonly random: () => number
  readonly redis: SimulatedRedis
  readonly crews = new Map<string, Crew>()
  readonly starts: Start[] = []
  /** The bridge's own way to the world, and to Redis. */
  readonly way: OwnWay
  readonly host: MachineClock
  carrier: SimulatedCarrier
  /** Called in the turn in which an act begins. */
  onStart: (start: Start) => void = () => {}

  constructor(clock: SimulatedClock, world: World, names: readonly string[], random: () => number) {
    this.clock = clock
    this.world = world
    this.random = random
    this.redis = new SimulatedRedis(clock, random)
    const seen = (start: Start) => {
      this.starts.push(start)
      this.onStart(start)
    }
    this.way = new OwnWay('bridge', world, clock, seen)
    this.host = new MachineClock(clock)
    this.carrier = new SimulatedCarrier(this.redis, this.host)
    for (const name of names) this.crews.set(name, new Crew(name, this, seen))
  }

  crew(name: string): Crew {
    const crew = this.crews.get(name)
    if (!crew) throw new Error(`no worker ${name}`)
    return crew
  }

  /** What the bridge needs to have these workers; each of its lives has a way to Redis of its own. */
  get workers(): Workers {
    if (this.carrier.isClosed) this.carrier = new SimulatedCarrier(this.redis, this.host)
    return { carrier: this.carrier, keys: new Map([...this.crews.keys()].map((name) => [name, keyOf(name)])) }
  }

  /** All weather is fair, nobody is frozen, dead or cut. */
  mend(): void {
    for (const carrier of [this.carrier, ...[...this.crews.values()].map((crew) => crew.carrier)])
      carrier.weather = {
        ...carrier.weather,
        down: false,
        lost: 0,
        unanswered: 0,
        again: 0,
        marks: 'well',
        delayMs: [1, 3],
      }
    for (const crew of this.crews.values()) {
      crew.clock.thaw()
      if (crew.clock.isDead) crew.start()
      crew.way.mend()
      crew.carrier.look()
    }
    this.way.mend()
    this.carrier.look()
  }
}

/** A site whose pagers run on `one` or `two`, its doors on `two` or `one`, and its wire in the bridge alone. */
const yaml = `
site: { name: Afar, timezone: UTC }
places: { hall: { level: zone } }
queue:
  redis: redis://bridge@127.0.0.1
  workers: { one: { key: { env: KEY_ONE } }, two: { key: { env: KEY_TWO } } }
connectors:
  wire: { type: scripted }
  pagers: { type: scripted, runs-on: [one, two] }
  doors: { type: scripted, runs-on: [two, one] }
devices:
  button: { connector: wire, input: { id: b1 }, place: hall }
  fire-panel: { connector: wire, input: { id: fire }, means: fire, place: hall }
  door: { connector: doors, output: { id: door }, guards: [hall], egress: free }
responders:
  security: { page: { connector: pagers, id: p1, perceptible: none } }
plans:
  all:
    when: {}
    steps: [{ at: 0s, do: [page.send: { to: security }] }]
`

/** A remote runner with two workers, on a simulated clock. */
export class Outpost {
  readonly clock = new SimulatedClock()
  readonly world = new World(this.clock)
  readonly fleet: Fleet
  readonly site: Site
  readonly faults: Faults
  /** Each turn of a fault: `id` opened, `-id` closed. */
  readonly told: string[] = []
  readonly notes: { device: string; state: State }[] = []
  readonly kept: Buffer[] = []
  readonly turned: LinkHealth[] = []
  runner: RemoteRunner
  #ids = 0

  constructor(random: () => number, workers: (fleet: Fleet) => Workers = (fleet) => fleet.workers) {
    this.fleet = new Fleet(this.clock, this.world, ['one', 'two'], random)
    const catalogue = new Map([['scripted', this.fleet.way.connector]])
    const { site, findings } = loadText(yaml, catalogue, 'afar.yaml')
    if (!site) throw new Error(JSON.stringify(findings.filter(({ fatal }) => fatal)))
    this.site = site
    this.faults = new Faults(this.clock, ({ id, closedAt }: Fault) => {
      this.told.push(closedAt === null ? id : `-${id}`)
    })
    const around = {
      clock: this.clock,
      log: quiet,
      random,
      record: () => Promise.reject(new Error('nothing is pressed here')),
      note: (device: string, state: State) => void this.notes.push({ device, state }),
      keep: async (bytes: Uint8Array) => `${this.kept.push(Buffer.from(bytes))}`,
      secret: async () => 'secret',
      cursor: () => undefined,
      turned: (link: LinkHealth) => void this.turned.push(link),
    }
    this.runner = new RemoteRunner(around, site, this.faults, workers(this.fleet))
  }

  /** Both workers fit. */
  static async open(random: () => number = () => 0.5): Promise<Outpost> {
    const outpost = new Outpost(random)
    outpost.start()
    await outpost.clock.advance(3_000)
    return outpost
  }

  start(): void {
    this.runner.start(partition(this.site))
  }

  order(target: string, args: unknown, signal: AbortSignal, attempt = 1, id = `c${++this.#ids}`): Order {
    return { id, attempt, address: { id: target }, args, signal } as Order
  }

  /** A page, given up as dispatch does it; says how it ended once it has. */
  page(signal?: AbortSignal): Sent {
    return this.send('pagers', 'page.send', this.order('p1', { message: {} }, signal ?? this.#limit()))
  }

  lock(signal?: AbortSignal): Sent {
    return this.send('doors', 'door.lockdown', this.order('door', {}, signal ?? this.#limit()))
  }

  send(link: string, capability: string, order: Order): Sent {
    const sent: Sent = { id: order.id, at: this.clock.now(), outcome: null }
    void this.runner.act(link, capability, order).then((outcome) => {
      sent.outcome = outcome
      sent.tookMs = this.clock.now() - sent.at
    })
    return sent
  }

  startsOf({ id }: Sent): Start[] {
    return this.fleet.starts.filter(({ command }) => command === id)
  }

  async close(): Promise<void> {
    await Promise.all([this.runner.stop(), this.clock.advance(2_000)])
  }

  /** An attempt of 5 s, as dispatch would end it. */
  #limit(): AbortSignal {
    const controller = new AbortController()
    this.clock.after(5_000 + this.runner.graceMs('pagers'), () => controller.abort())
    return controller.signal
  }
}

export interface Sent {
  readonly id: string
  readonly at: number
  outcome: Outcome | null
  tookMs?: number
}
