import { createHash, randomBytes } from 'node:crypto'
import { type Clock, deadline, every, type Timer } from '../clock.ts'
import { failed, type Outcome } from '../command.ts'
import type { Log, SecretRef } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import type { Catalogue } from '../site/compile.ts'
import type { Carrier, Marks, Receiver } from './carrier.ts'
import { InlineRunner } from './inline.ts'
import {
  about,
  boxFrom,
  boxTo,
  type CarriedOrder,
  decode,
  encode,
  needsMark,
  Openings,
  ordersIn,
  ownerField,
  type ToBridge,
  ToWorker,
  type WorkerLink,
} from './parcel.ts'
import type { Part } from './part.ts'
import type { Seal } from './seal.ts'
import { Wakeful } from './wakeful.ts'

/** No canary for so long, and the box is opened anew, ms (what-users-ask, row 2). */
const renewMs = 5_000
/** Orders whose end could not be told yet; the bridge has long given up on the oldest. */
const untoldMax = 5_000
/**
 * A report waits for others to end while orders run, so many turns of the event loop at most: it costs the same however much it
 * tells. A busy worker tells 13 % more so, a quiet one tells some 0.1 ms later.
 */
const gatherTurns = 4
/** Pause before what could not be told is told again, ms. */
const againMs = 250
/** One picture, bytes: larger ones do not go through Redis. */
const evidenceMax = 4 * 1024 * 1024
/** Pictures that could not be told yet. */
const picturesMax = 8
/** What a link says of itself is cut there, characters. */
const whyMax = 500

type Canary = NonNullable<ToBridge['canary']>
type OrdersMessage = Extract<ToWorker, { is: 'orders' }>
type Refused = NonNullable<NonNullable<ToBridge['ended']>[number]['refused']>
type Report = { -readonly [K in 'ended' | 'notes' | 'kept']-?: NonNullable<ToBridge[K]> }

/** What a worker runs on. */
export interface WorkerParts {
  readonly name: string
  readonly seal: Seal
  readonly carrier: Carrier
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly log: Log
  secret(ref: SecretRef): Promise<string>
  random(): number
}

/** Acts on the outputs of a bridge from another machine. It starts nothing late, and hears nothing: inputs live in the bridge. */
export class Worker {
  readonly #p: WorkerParts
  /** This life; orders for another one are not started. */
  readonly #session = randomBytes(9).toString('base64url')
  /** Parcels that came in, until nothing of them could start any more: Redis may show one twice. */
  readonly #seen = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()
  readonly #wakeful: Wakeful
  #runner: InlineRunner
  #openings = ''
  #isOpening = false
  /** What came last out of our box was not sealed with our key, or of another version. */
  #isStrange = false
  /** Links that the bridge left and this worker has no code for. */
  #unknown: readonly WorkerLink[] = []
  #receiver: Receiver | null = null
  #untold = empty()
  #telling = false
  #seq = 0
  #heardAt = 0
  #timer: Timer | null = null
  #stopping = false

  constructor(parts: WorkerParts) {
    this.#p = parts
    this.#runner = this.#newRunner()
    this.#wakeful = new Wakeful(parts.clock)
  }

  /** Takes orders from now on. */
  start(): void {
    const { carrier, clock, name, log } = this.#p
    this.#heardAt = clock.mono()
    this.#receiver = carrier.receive(boxTo(name), (bytes) => this.#take(bytes))
    this.#timer = every(clock, renewMs / 5, () => {
      const now = clock.mono()
      for (const [parcel, until] of this.#seen) if (until < now) this.#seen.delete(parcel)
      if (now - this.#heardAt < renewMs) return
      this.#heardAt = now
      log.warn({ up: carrier.isUp(), why: carrier.why }, 'nothing heard from the bridge')
      this.#receiver?.restart()
    })
  }

  /** Starts nothing more; what is on its way gets `ms` to end and to be told. */
  async stop(ms: number): Promise<void> {
    this.#stopping = true
    this.#timer?.cancel()
    await this.#receiver?.close()
    const limit = deadline(this.#p.clock, ms)
    const late = new Promise<void>((resolve) => limit.signal.addEventListener('abort', () => resolve()))
    await Promise.race([Promise.all(this.#running).then(() => this.#tell()), late])
    limit.cancel()
    this.#wakeful.stop()
    await this.#runner.stop()
  }

  async #take(bytes: Buffer): Promise<void> {
    const { seal, log, clock } = this.#p
    const message = decode(ToWorker, seal.open(bytes, about.parcel))
    if (!message) {
      // Said once, and shown to the bridge, which can't open our answer either.
      if (!this.#isStrange)
        log.warn(
          {},
          'a parcel that is not sealed by our bridge, or of another version; is the key the right one?',
        )
      this.#isStrange = true
      void this.#report(undefined)
      return
    }
    this.#isStrange = false
    if (this.#stopping) return
    this.#heardAt = clock.mono()
    if (message.is === 'orders') await this.#orders(message)
    else this.#canary(message)
  }

  #canary({ id, openings }: { id: string; openings: string }): void {
    const mono = this.#p.clock.mono()
    if (openings !== this.#openings && !this.#isOpening) void this.#open(openings)
    const links = this.#runner.health().map(({ name, up, why }) => ({
      name,
      up,
      why: why?.slice(0, whyMax) ?? null,
    }))
    void this.#report({ id, mono, openings: this.#openings, links: [...links, ...this.#unknown] })
  }

  /** Opens what the bridge left: links of another config are closed first. */
  async #open(digest: string): Promise<void> {
    const { carrier, seal, name, log, catalogue } = this.#p
    this.#isOpening = true
    try {
      const left = await carrier.fetch(boxTo(name))
      const bytes = left && seal.open(left, about.openings)
      const openings = decode(Openings, bytes)
      if (!bytes || !openings || digestOf(bytes) !== digest) return
      await this.#runner.stop()
      this.#runner = this.#newRunner()
      this.#runner.start(partsOf(openings, catalogue))
      this.#unknown = openings.links
        .filter(({ type }) => !catalogue.has(type))
        .map(({ name: link, type }) => ({
          name: link,
          up: false,
          why: `this worker does not know the connector ${type}; is its version older?`,
        }))
      if (this.#unknown.length > 0) log.error({ links: this.#unknown }, 'links that can not be opened')
      this.#openings = digest
      log.info({ links: openings.links.map((link) => link.name) }, 'opening links')
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'the openings could not be read')
    } finally {
      this.#isOpening = false
    }
  }

  async #orders(message: OrdersMessage): Promise<void> {
    const { parcel, session, startBy } = message
    const { clock } = this.#p
    if (this.#seen.has(parcel)) return
    this.#seen.set(parcel, startBy + 60_000)
    if (session !== this.#session)
      return this.#refuse(message, 'late', 'it was for an earlier life of this worker')
    if (message.openings !== this.#openings)
      return this.#refuse(message, 'link', 'it is for other openings than it has')
    if (clock.mono() > startBy) return this.#refuse(message, 'late', 'it came too late')
    const marks = await this.#claim(parcel, startBy)
    // From here to the start of the last order nothing else runs.
    if (clock.mono() > startBy) return this.#refuse(message, 'late', 'Redis was too slow')
    if (this.#stopping) return this.#refuse(message, 'late', 'the worker is being stopped')
    if (marks && !marks.first && this.#isOfBridge(parcel, ownerField, marks.all.get(ownerField)))
      return this.#refuse(message, 'taken-back', 'the bridge has taken it back')
    for (const [n, order] of ordersIn(message).entries()) this.#start(message, n, order, marks)
  }

  /** Says that this worker starts the parcel, and reads what was taken back; null: Redis does not say. */
  async #claim(parcel: string, startBy: number): Promise<Marks | null> {
    const { carrier, seal, clock } = this.#p
    const limit = deadline(clock, startBy - clock.mono())
    const late = new Promise<null>((resolve) => limit.signal.addEventListener('abort', () => resolve(null)))
    const mark = seal.close(Buffer.from('worker'), about.mark(parcel, ownerField))
    const marks = await Promise.race([carrier.mark(parcel, ownerField, mark).catch(() => null), late])
    limit.cancel()
    return marks
  }

  /** What somebody else wrote says nothing. */
  #isOfBridge(parcel: string, field: string, mark: Buffer | undefined): boolean {
    return mark !== undefined && this.#p.seal.open(mark, about.mark(parcel, field)) !== null
  }

  #start({ parcel }: OrdersMessage, n: number, order: CarriedOrder, marks: Marks | null): void {
    const not = this.#whyNot(parcel, n, order, marks)
    if (not) {
      this.#end(parcel, n, ...not)
      return
    }
    const run = this.#run(order).then((outcome) => {
      this.#running.delete(run)
      this.#untold.ended.push({ parcel, n, outcome })
      this.#tellSoon()
    })
    this.#running.add(run)
  }

  #whyNot(
    parcel: string,
    n: number,
    { capability, link }: CarriedOrder,
    marks: Marks | null,
  ): [Refused, string] | null {
    const mark = marks?.all.get(String(n))
    if (this.#isOfBridge(parcel, String(n), mark)) return ['taken-back', 'it is no longer wanted']
    // Unreadable: pages go, locks don't.
    const unreadable = !marks?.first || mark !== undefined
    if (unreadable && needsMark.has(capability))
      return ['late', 'Redis does not say whether it is still wanted']
    return this.#runner.isUp(link) ? null : ['link', `${link} is not connected here`]
  }

  async #run({ id, attempt, link, capability, address, args, ms }: CarriedOrder): Promise<Outcome> {
    const limit = this.#wakeful.limit(ms)
    const outcome = await this.#runner.act(link, capability, {
      id,
      attempt,
      address,
      args,
      signal: limit.signal,
    })
    limit.cancel()
    return (
      sound(outcome) ??
      failed('CRASHED', `${link}: ${capability} ended in no outcome`, { effect: 'possible' })
    )
  }

  #refuse({ parcel, orders }: OrdersMessage, refused: Refused, why: string): void {
    for (const n of orders.keys()) this.#end(parcel, n, refused, why)
  }

  #end(parcel: string, n: number, refused: Refused, why: string): void {
    this.#untold.ended.push({ parcel, n, outcome: null, refused, why })
    this.#tellSoon()
  }

  #tellSoon(): void {
    if (this.#telling) return
    this.#telling = true
    this.#tellWithin(gatherTurns)
  }

  #tellWithin(turns: number): void {
    setImmediate(() => {
      if (turns > 0 && this.#running.size > 0) this.#tellWithin(turns - 1)
      else void this.#tell()
    })
  }

  /** Tells everything that has happened; what can't be told now is told again. */
  async #tell(): Promise<void> {
    this.#telling = true
    const report = this.#untold
    this.#untold = empty()
    const told = await this.#report(undefined, report)
    if (!told) {
      // Notes are renewed by themselves.
      this.#untold = {
        notes: [],
        ended: [...report.ended, ...this.#untold.ended].slice(-untoldMax),
        kept: [...report.kept, ...this.#untold.kept].slice(-picturesMax),
      }
      this.#p.clock.after(againMs, () => void this.#tell())
      return
    }
    this.#telling = false
    if (this.#untold.ended.length + this.#untold.notes.length + this.#untold.kept.length > 0) this.#tellSoon()
  }

  /** Resolves to whether it was sent, as far as is known. */
  async #report(canary: Canary | undefined, report: Partial<Report> = {}): Promise<boolean> {
    const { carrier, seal, name } = this.#p
    const { ended = [], notes = [], kept = [] } = report
    const message: ToBridge = {
      session: this.#session,
      seq: ++this.#seq,
      ...(canary ? { canary } : {}),
      ...(ended.length > 0 ? { ended } : {}),
      ...(notes.length > 0 ? { notes } : {}),
      ...(kept.length > 0 ? { kept } : {}),
    }
    try {
      await carrier.tell(boxFrom(name), seal.close(encode(message), about.report))
      return true
    } catch {
      return false
    }
  }

  #newRunner(): InlineRunner {
    const { clock, log, random, secret } = this.#p
    return new InlineRunner({
      clock,
      log,
      random,
      secret,
      record: () => Promise.reject(new BridgeError('NOT_RECORDED', 'workers run outputs only')),
      note: (device, state) => {
        this.#untold.notes.push({ device, state })
        this.#tellSoon()
      },
      keep: async (bytes, { mediaType, capturedAt }) => {
        if (bytes.length > evidenceMax)
          throw new Error(`a picture of ${bytes.length} bytes is too large for a worker`)
        this.#untold.kept.push({ bytes: Buffer.from(bytes).toString('base64'), mediaType, capturedAt })
        return digestOf(bytes)
      },
      cursor: () => undefined,
      turned: () => {},
    })
  }
}

const empty = (): Report => ({ ended: [], notes: [], kept: [] })

/** What a connector returns travels only if it is an outcome, and Json: one that isn't would hold up all others. */
const sound = (outcome: Outcome): Outcome | null => {
  try {
    const read: Outcome | null = JSON.parse(JSON.stringify(outcome))
    return typeof read?.ok === 'boolean' ? read : null
  } catch {
    return null
  }
}

/** Evidence is named by its digest, wherever it is kept. */
const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What the bridge wants opened, with this worker's own code. */
const partsOf = ({ links }: Openings, catalogue: Catalogue): Map<string, Part> =>
  new Map(
    links.flatMap(({ name, type, connector: connectorName, isolate, config, outputs }) => {
      const connector = catalogue.get(type)
      return connector
        ? [
            [
              name,
              { connector, connectorName, isolate, config, inputs: new Map(), outputs: new Map(outputs) },
            ] as const,
          ]
        : []
    }),
  )
