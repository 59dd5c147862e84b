import { createHash } from 'node:crypto'
import { every, type Timer } from '../clock.ts'
import type { Order, Outcome } from '../command.ts'
import { defaultAttemptMs } from '../connector.ts'
import { messageOf } from '../error.ts'
import type { Json } from '../fact.ts'
import type { Site } from '../site/site.ts'
import type { Faults } from '../supervision/faults.ts'
import type { Carrier } from './carrier.ts'
import { InlineRunner, type LinkHealth, type Surroundings } from './inline.ts'
import { encode, graceMs, type Openings, type ToBridge } from './parcel.ts'
import { type Part, partition } from './part.ts'
import { slowMs } from './remote-health.ts'
import { RemoteWorker } from './remote-worker.ts'
import { readKey, Seal } from './seal.ts'

/** How often each worker is tried out, ms. */
const beatMs = 500
/** A worker, or Redis, that is away for longer is a fault, ms; the bridge has stood in from the first moment on. */
const faultMs = 2_000

/** What the bridge brings along to have workers. */
export interface Workers {
  readonly carrier: Carrier
  /** By name; an error instead of a key keeps that worker unused. */
  readonly keys: ReadonlyMap<string, string | Error>
}

/**
 * Runs every link in this process, and hands the orders of connectors with `runs-on` to workers: to the first one that is
 * fit and has the link, else the bridge acts itself. Inputs live here alone.
 */
export class RemoteRunner {
  readonly #around: Surroundings
  readonly #faults: Faults
  readonly #workers: Workers
  readonly #inline: InlineRunner
  readonly #remote = new Map<string, RemoteWorker>()
  /** By link: its connector's workers in order, and how long one attempt may take. */
  readonly #ways = new Map<string, { readonly part: Part; readonly runsOn: readonly string[] }>()
  /** By id of the fault that it will be. */
  readonly #wrongSince = new Map<string, number>()
  readonly #said = new Map<string, boolean>()
  #timer: Timer | null = null
  #downSince: number | null = null

  constructor(around: Surroundings, site: Site, faults: Faults, workers: Workers) {
    this.#around = around
    this.#faults = faults
    this.#workers = workers
    this.#inline = new InlineRunner({ ...around, turned: (link) => this.#turned(link) })
    for (const [link, part] of partition(site)) {
      const { runsOn } = site.connectors.get(part.connectorName)!
      if (runsOn.length > 0) this.#ways.set(link, { part, runsOn })
    }
    for (const name of Object.keys(site.queue?.workers ?? {})) this.#hire(name)
  }

  start(parts: ReadonlyMap<string, Part>): void {
    this.#inline.start(parts)
    this.#timer = every(this.#around.clock, beatMs, () => this.#beat())
    this.#beat()
  }

  isUp(link: string): boolean {
    return this.#way(link) !== null || this.#inline.isUp(link)
  }

  /** How much longer than its attempt an order may take here, ms. */
  graceMs(link: string): number {
    return this.#ways.has(link) ? graceMs + slowMs : 0
  }

  /** One attempt. Never rejects. */
  act(link: string, capability: string, order: Order): Promise<Outcome> {
    const worker = this.#way(link)
    if (!worker) return this.#inline.act(link, capability, order)
    const { id, attempt, address, args, signal } = order
    const { connector, config } = this.#ways.get(link)!.part
    const ms = connector.attemptMs?.(config, capability) ?? defaultAttemptMs
    return worker.act({ id, attempt, link, capability, address, args, ms }, signal)
  }

  /** Takes an order back that a worker may not have started yet. */
  recall(command: string): void {
    for (const worker of this.#remote.values()) worker.recall(command)
  }

  probe(link: string, address: unknown, signal: AbortSignal): Promise<Json> {
    return this.#inline.probe(link, address, signal)
  }

  beating(): string[] {
    return this.#inline.beating()
  }

  beat(link: string, mark: string, signal: AbortSignal): Promise<void> {
    return this.#inline.beat(link, mark, signal)
  }

  /** Every link here, and as `LINK on WORKER` every one of a worker's. */
  health(): LinkHealth[] {
    const away = [...this.#remote.values()].flatMap((worker) =>
      [...worker.links].map(
        ({ name, up, why, since }): LinkHealth => ({
          name: `${name} on ${worker.name}`,
          connector: this.#ways.get(name)?.part.connectorName ?? name,
          up: up && worker.unfit === null,
          since,
          why: worker.unfit ?? why,
          heardAt: worker.heardAt,
          staleAfterMs: null,
          opens: 1,
        }),
      ),
    )
    return [...this.#inline.health().map((link) => this.#together(link)), ...away]
  }

  heard(link: string): void {
    this.#inline.heard(link)
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    await Promise.all([...this.#remote.values()].map((worker) => worker.stop()))
    await Promise.all([this.#inline.stop(), this.#workers.carrier.close()])
  }

  #way(link: string): RemoteWorker | null {
    for (const name of this.#ways.get(link)?.runsOn ?? []) {
      const worker = this.#remote.get(name)
      if (worker?.has(link)) return worker
    }
    return null
  }

  #hire(name: string): void {
    const { carrier, keys } = this.#workers
    const { clock, log } = this.#around
    try {
      const text = keys.get(name)
      if (typeof text !== 'string') throw text ?? new Error('it has no key')
      const seal = new Seal(readKey(text), name, 'bridge')
      const ears = {
        turned: () => this.#review(),
        unheard: () => {
          for (const worker of this.#remote.values()) worker.suspect()
        },
        told: (report: Pick<ToBridge, 'notes' | 'kept'>) => this.#told(name, report),
      }
      this.#remote.set(
        name,
        new RemoteWorker({ name, seal, carrier, clock, log, ears, openings: this.#openingsOf(name) }),
      )
    } catch (error) {
      this.#faults.set(
        `worker:${name}`,
        `worker ${name} is not used, the bridge acts itself: ${messageOf(error)}`,
      )
    }
  }

  /** What a worker is to open: outputs only. */
  #openingsOf(worker: string): { digest: string; bytes: Buffer } {
    const links = [...this.#ways].flatMap(([name, { part, runsOn }]): Openings['links'] =>
      runsOn.includes(worker)
        ? [
            {
              name,
              type: part.connector.type,
              connector: part.connectorName,
              isolate: part.isolate,
              config: part.config as Json,
              outputs: [...part.outputs] as [string, Json][],
            },
          ]
        : [],
    )
    const bytes = encode({ links })
    return { digest: createHash('sha256').update(bytes).digest('hex'), bytes }
  }

  #beat(): void {
    const { carrier } = this.#workers
    const { clock } = this.#around
    for (const worker of this.#remote.values()) worker.beat()
    this.#downSince = carrier.isUp() ? null : (this.#downSince ?? clock.mono())
    const isDown = this.#downSince !== null && clock.mono() - this.#downSince >= faultMs
    this.#faults.set(
      'queue',
      isDown ? `Redis is not connected: ${carrier.why}; the bridge acts itself` : null,
    )
    for (const { name, unfit, mistaken, missing } of this.#remote.values()) {
      const wrong = { worker: unfit, 'worker-mistaken': mistaken, 'worker-link': missing }
      // Without Redis no worker answers: that is one matter, and once it is back each has its time to answer.
      for (const [kind, why] of Object.entries(wrong))
        this.#lasting(
          `${kind}:${name}`,
          why === null || isDown ? null : `worker ${name}: ${why}; the bridge acts itself`,
        )
    }
  }

  /** What is wrong is a fault once it has lasted. */
  #lasting(id: string, what: string | null): void {
    const now = this.#around.clock.mono()
    const since = this.#wrongSince.get(id) ?? now
    if (what === null) this.#wrongSince.delete(id)
    else this.#wrongSince.set(id, since)
    this.#faults.set(id, now - since >= faultMs ? what : null)
  }

  async #told(worker: string, { notes = [], kept = [] }: Pick<ToBridge, 'notes' | 'kept'>): Promise<void> {
    for (const { device, state } of notes) if (this.#mayNote(worker, device)) this.#around.note(device, state)
    for (const { bytes, mediaType, capturedAt } of kept)
      await this.#around
        .keep(Buffer.from(bytes, 'base64'), { mediaType, capturedAt })
        .catch((error: unknown) => {
          this.#around.log.warn({ error: messageOf(error) }, 'a picture from a worker was not kept')
        })
  }

  /** A worker knows of its own outputs only: what it says of a fire input, or of another's door, is not heard. */
  #mayNote(worker: string, device: string): boolean {
    for (const { part, runsOn } of this.#ways.values())
      if (part.outputs.has(device)) return runsOn.includes(worker) && !part.inputs.has(device)
    return false
  }

  #turned(link: LinkHealth): void {
    if (this.#ways.has(link.name)) this.#say(this.#together(link))
    else this.#around.turned(link)
  }

  /** A worker has become fit or unfit: what it alone can reach comes or goes. */
  #review(): void {
    for (const link of this.#inline.health()) {
      const whole = this.#together(link)
      // Of a link that is still being tried for the first time nothing bad is known yet.
      if (this.#ways.has(link.name) && (whole.up || this.#said.has(link.name))) this.#say(whole)
    }
  }

  /** Tells once that there is a way to a link, or none. */
  #say(link: LinkHealth): void {
    if (this.#said.get(link.name) === link.up) return
    this.#said.set(link.name, link.up)
    this.#around.turned(link)
  }

  /** A link without inputs is up if anybody has it; its inputs only the bridge hears. */
  #together(link: LinkHealth): LinkHealth {
    const way = this.#ways.get(link.name)
    if (link.up || !way || way.part.inputs.size > 0) return link
    return this.#way(link.name) ? { ...link, up: true, why: null } : link
  }
}
