import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from '../clock.ts'
import { failed, type Outcome } from '../command.ts'
import type { Log } from '../connector.ts'
import { messageOf } from '../error.ts'
import { type Carrier, NotSent, type Receiver } from './carrier.ts'
import {
  about,
  boxFrom,
  boxTo,
  type CarriedOrder,
  decode,
  type Ended,
  encode,
  graceMs,
  needsMark,
  ordersMax,
  ownerField,
  ToBridge,
  type WorkerLink,
} from './parcel.ts'
import type { Seal } from './seal.ts'

/** A worker whose last answered canary is older than this gets no orders, ms: two of three may be lost. */
const fitMs = 1_600
/** A way that takes longer leaves nothing of the grace, ms there and back. */
export const slowMs = 400
/** The measure of the other clock is renewed this often, ms; it is in use for 2 s more, and two clocks of 100 ppm part by 6.5 ms in that time. */
const measureMs = 30_000
const driftMs = 7
/** How long the question may take who may start a parcel, ms. */
const askMs = 200
/** No answer for so long, and everything that can be begun anew is, ms (what-users-ask, row 2). */
const renewMs = 5_000
/** Canaries that wait in the box of a worker that is away. */
const unansweredMax = 10
/** A worker of whose name another one has spoken gets no orders for so long, ms: both take out of the same box. */
const twinsMs = 5_000
/** Lives of a worker that are known again. */
const livesMax = 20
/** Reports that are known again. */
const seenMax = 1_000

/** What a worker tells beside how orders ended. */
export interface Ears {
  /** It has become fit, or unfit, or its links have changed. */
  turned(): void
  /** Redis has not answered in time: no worker is any better than this one. */
  unheard(): void
  told(report: Pick<ToBridge, 'notes' | 'kept'>): Promise<void>
}

/** A link of a worker, and since when it is so, ms since the epoch. */
export interface RemoteLink extends WorkerLink {
  readonly since: number
}

interface Pending {
  readonly order: CarriedOrder
  /** Where it travels; null: it has not left yet. */
  parcel: Parcel | null
  readonly end: (outcome: Outcome) => void
}

interface Parcel {
  readonly id: string
  readonly session: string
  readonly pending: Map<number, Pending>
  /** As the carrier counted them when it was sent. */
  readonly connections: number
  /** The worker has it, and may have started all of it. */
  started: boolean
}

/** One worker as the bridge sees it: whether it is fit, its clock, and what it has been given. */
export class RemoteWorker {
  readonly name: string
  readonly #seal: Seal
  readonly #carrier: Carrier
  readonly #clock: Clock
  readonly #log: Log
  readonly #ears: Ears
  readonly #openings: { readonly digest: string; readonly bytes: Buffer }
  readonly #life = randomBytes(6).toString('hex')
  readonly #receiver: Receiver
  /** When each canary on its way was sent, by its id; ids of another life of the bridge are not among them. */
  readonly #canaries = new Map<string, number>()
  readonly #parcels = new Map<string, Parcel>()
  readonly #links = new Map<string, RemoteLink>()
  readonly #seen = new Set<number>()
  /** The highest number of a report of this session. */
  #newest = 0
  #next: Pending[] = []
  #flushing = false
  #count = 0
  #session: string | null = null
  /** Its earlier lives; one that speaks again is another process with the same name. */
  readonly #earlier = new Set<string>()
  #twinsAt = Number.NEGATIVE_INFINITY
  /** What came last from its box was not sealed with our key, or of another version. */
  #isStrange = false
  #hasOpenings = false
  #left = false
  /** When the newest canary that was answered had been sent; monotonic. */
  #answeredAt = Number.NEGATIVE_INFINITY
  #renewedAt: number
  /** Only a canary sent after this takes the suspicion away; monotonic. */
  #suspectAt = Number.NEGATIVE_INFINITY
  /** The worker's clock less ours, how wrong that may be, and when it was measured. */
  #offset = { ms: 0, errorMs: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY }
  #roundMs = 0
  #wasFit = false
  #stopped = false

  constructor(parts: {
    name: string
    seal: Seal
    carrier: Carrier
    clock: Clock
    log: Log
    ears: Ears
    openings: { digest: string; bytes: Buffer }
  }) {
    this.name = parts.name
    this.#seal = parts.seal
    this.#carrier = parts.carrier
    this.#clock = parts.clock
    this.#log = parts.log
    this.#ears = parts.ears
    this.#openings = parts.openings
    this.#renewedAt = parts.clock.mono()
    this.#receiver = parts.carrier.listen(boxFrom(this.name), (bytes) => this.#hear(bytes))
  }

  /** Why it gets no orders, in words; null: it is fit. */
  get unfit(): string | null {
    const age = this.#clock.mono() - this.#answeredAt
    if (!this.#carrier.isUp()) return `Redis is not connected: ${this.#carrier.why ?? 'unknown reason'}`
    if (this.mistaken) return this.mistaken
    if (age === Number.POSITIVE_INFINITY) return 'it has never answered'
    if (this.#isSilent) return `it has not answered for ${Math.round(age / 1_000)} s`
    if (this.#suspectAt >= this.#answeredAt) return 'it missed the start of an order'
    if (this.#roundMs > slowMs) return `the way there and back takes ${Math.round(this.#roundMs)} ms`
    return this.#hasOpenings ? null : 'it is still opening its links'
  }

  /** Nothing has come from it for so long that it counts as dead, or cut off. */
  get #isSilent(): boolean {
    return this.#clock.mono() - this.#answeredAt > fitMs
  }

  /** Whether it can act on a link now. */
  has(link: string): boolean {
    return this.unfit === null && this.#links.get(link)?.up === true
  }

  /** When the newest canary that it has answered was sent, ms since the epoch; null: it never has. */
  get heardAt(): number | null {
    const ageMs = this.#clock.mono() - this.#answeredAt
    return ageMs === Number.POSITIVE_INFINITY ? null : this.#clock.now() - Math.round(ageMs)
  }

  /** Why it is not who it should be, in words. */
  get mistaken(): string | null {
    if (this.#clock.mono() - this.#twinsAt < twinsMs) return 'two processes use its name'
    return this.#isSilent && this.#isStrange
      ? 'what comes from it can not be opened: it needs the same key and the same version'
      : null
  }

  /** Which of its links it has not, in words. */
  get missing(): string | null {
    const down = [...this.#links.values()].find(({ up }) => !up)
    return down && this.unfit === null ? `${down.name}: ${down.why ?? 'not connected there'}` : null
  }

  get links(): Iterable<RemoteLink> {
    return this.#links.values()
  }

  /** One attempt there. Never rejects. Goes out with the other orders of this turn. */
  act(order: CarriedOrder, signal: AbortSignal): Promise<Outcome> {
    return new Promise((resolve) => {
      const give = () => this.#aborted(pending)
      const end = (outcome: Outcome) => {
        signal.removeEventListener('abort', give)
        resolve(outcome)
      }
      const pending: Pending = { order, parcel: null, end }
      if (signal.aborted || this.#stopped) return end(unsent(this.name))
      signal.addEventListener('abort', give, { once: true })
      this.#next.push(pending)
      if (this.#flushing) return
      this.#flushing = true
      setImmediate(() => this.#flush())
    })
  }

  /** Nobody waits for it any more. */
  #aborted(pending: Pending): void {
    const { parcel } = pending
    if (parcel) {
      for (const [n, one] of parcel.pending) if (one === pending) parcel.pending.delete(n)
      if (parcel.pending.size === 0) this.#parcels.delete(parcel.id)
      pending.end(failed('TIMEOUT', `${this.name}: no answer in time`, { effect: 'possible' }))
    } else {
      this.#next = this.#next.filter((one) => one !== pending)
      pending.end(unsent(this.name))
    }
  }

  /** Takes an order back that may not have been started yet; how it ended comes as for any other. */
  recall(command: string): void {
    const here = this.#next.filter(({ order }) => order.id === command)
    this.#next = this.#next.filter(({ order }) => order.id !== command)
    for (const { end } of here) end(notStarted(`${this.name}: it is no longer wanted`))
    for (const { id, pending } of this.#parcels.values())
      for (const [n, { order }] of pending)
        if (order.id === command) {
          const mark = this.#seal.close(Buffer.from('taken back'), about.mark(id, String(n)))
          this.#carrier.mark(id, String(n), mark).catch(() => {})
        }
  }

  /** Twice a second: a canary goes out, and what a dead worker had is given up. */
  beat(): void {
    if (this.#isSilent) this.#giveUp()
    this.#turn()
    this.#renew()
    if (!this.#carrier.isUp()) {
      this.#left = false
      return
    }
    this.#leave()
    const id = this.#newId()
    this.#canaries.set(id, this.#clock.mono())
    for (const oldest of this.#canaries.keys())
      if (this.#canaries.size > unansweredMax) this.#canaries.delete(oldest)
    this.#send({ is: 'canary', id, openings: this.#openings.digest }).catch(() => {})
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const { pending } of this.#parcels.values())
      for (const { end } of pending.values())
        end(failed('ABORTED', 'the bridge is stopping', { effect: 'possible' }))
    this.#parcels.clear()
    for (const { end } of this.#next.splice(0)) end(unsent(this.name))
    await this.#receiver.close()
  }

  /** Begins with the worker's name, so that each may have rights to the marks of its own parcels only (Redis ACL). */
  #newId(): string {
    return `${this.name}:${this.#life}-${++this.#count}`
  }

  #send(message: Parameters<typeof encode>[0]): Promise<void> {
    return this.#carrier.send(boxTo(this.name), this.#seal.close(encode(message), about.parcel))
  }

  #flush(): void {
    const all = this.#next
    this.#next = []
    this.#flushing = false
    for (let from = 0; from < all.length; from += ordersMax) this.#post(all.slice(from, from + ordersMax))
  }

  #post(orders: readonly Pending[]): void {
    const session = this.#session as string
    const id = this.#newId()
    const parcel: Parcel = {
      id,
      session,
      pending: new Map(orders.entries()),
      connections: this.#carrier.connections,
      started: false,
    }
    this.#parcels.set(id, parcel)
    for (const pending of orders) pending.parcel = parcel
    const { ms, errorMs } = this.#offset
    const startBy = this.#clock.mono() + graceMs + ms
    // Nothing of it is started after this, whichever of the two clocks is ahead.
    this.#clock.after(graceMs + errorMs + driftMs, () => void this.#late(parcel))
    this.#send({
      is: 'orders',
      parcel: id,
      session,
      openings: this.#openings.digest,
      startBy,
      orders: orders.map(({ order }) => order),
    }).catch((error: unknown) => {
      if (!(error instanceof NotSent)) return
      this.suspect()
      this.#endAll(parcel, notStarted(`${this.name}: ${error.message}`))
    })
  }

  /** The grace of a parcel is over: what the worker has not started by now it never will. */
  async #late(parcel: Parcel): Promise<void> {
    if (this.#stopped || parcel.started) return
    if (parcel.pending.size === 0) {
      this.#parcels.delete(parcel.id)
      return
    }
    const first = await this.#ask(parcel.id)
    if (first === true) {
      this.suspect()
      this.#endAll(parcel, this.#missed(parcel))
    } else if (first === null) {
      this.#ears.unheard()
      this.#endAll(parcel, unknown(`${this.name}: Redis does not say whether it was started`))
    } else if (parcel.session === this.#session) parcel.started = true
    else this.#endAll(parcel, unknown(`${this.name} was started anew`))
  }

  /** Claims a parcel for the bridge. true: it was never started; false: the worker came first; null: Redis does not say. */
  async #ask(parcel: string): Promise<boolean | null> {
    const mark = this.#seal.close(Buffer.from('bridge'), about.mark(parcel, ownerField))
    let timer: Timer | null = null
    const late = new Promise<null>((resolve) => {
      timer = this.#clock.after(askMs, () => resolve(null))
    })
    const asked = this.#carrier.mark(parcel, ownerField, mark).then(
      ({ first, all }) => first || (this.#isOfWorker(parcel, all.get(ownerField)) ? false : null),
      () => null,
    )
    const answer = await Promise.race([asked, late])
    ;(timer as Timer | null)?.cancel()
    return answer
  }

  /** What somebody else wrote says nothing. */
  #isOfWorker(parcel: string, mark: Buffer | undefined): boolean {
    return mark !== undefined && this.#seal.open(mark, about.mark(parcel, ownerField)) !== null
  }

  /**
   * How orders end that the bridge has claimed. What needs its mark was not started, unless Redis has forgotten that the
   * worker came first; a page may have gone out, since a worker that gets no answer from Redis waits for none.
   */
  #missed({ connections }: Parcel): (order: CarriedOrder) => Outcome {
    const why = `${this.name} did not start it within ${graceMs} ms`
    const isSure = connections === this.#carrier.connections
    return ({ capability }) =>
      isSure && needsMark.has(capability) ? notStarted(why) : unknown(`${why}, as far as is known`)
  }

  #endAll(parcel: Parcel, outcome: Outcome | ((order: CarriedOrder) => Outcome)): void {
    this.#parcels.delete(parcel.id)
    for (const { order, end } of parcel.pending.values())
      end(typeof outcome === 'function' ? outcome(order) : outcome)
    parcel.pending.clear()
  }

  /** What was started by a worker that is dead, or cut off, may have had an effect: nobody waits for its answer. */
  #giveUp(): void {
    for (const parcel of this.#parcels.values())
      if (parcel.started) this.#endAll(parcel, unknown(`${this.name}: ${this.unfit}`))
  }

  /** It gets no orders until it has answered a canary that is sent from now on. */
  suspect(): void {
    this.#suspectAt = this.#clock.mono()
    this.#turn()
  }

  /** Leaves what the worker is to open, once for each connection to Redis. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    const sealed = this.#seal.close(this.#openings.bytes, about.openings)
    this.#carrier.leave(boxTo(this.name), sealed).catch((error: unknown) => {
      this.#left = false
      this.#log.debug({ worker: this.name, error: messageOf(error) }, 'openings not left')
    })
  }

  /** Connections that look well may be dead, and a box of a worker that was away is full of what is too late. */
  #renew(): void {
    const now = this.#clock.mono()
    if (now - Math.max(this.#answeredAt, this.#renewedAt) < renewMs || !this.#carrier.isUp()) return
    this.#renewedAt = now
    this.#left = false
    this.#receiver.restart()
    this.#carrier.clear(boxTo(this.name)).catch(() => {})
  }

  async #hear(bytes: Buffer): Promise<void> {
    const report = decode(ToBridge, this.#seal.open(bytes, about.report))
    if (!report) {
      // Said once: whoever may write to Redis writes as often as they like.
      if (!this.#isStrange)
        this.#log.warn(
          { worker: this.name },
          'a report that is not sealed by this worker, or of another version',
        )
      this.#isStrange = true
      return
    }
    this.#isStrange = false
    if (report.canary) this.#canary(report.session, report.canary)
    const isNews = report.session === this.#session && !this.#isRepeat(report.seq)
    if (isNews && (report.notes || report.kept)) await this.#ears.told(report)
    // Nobody but the life that a parcel was meant for knows how it ended, and it is known once.
    for (const ended of report.ended ?? [])
      if (this.#parcels.get(ended.parcel)?.session === report.session) this.#ended(ended)
  }

  #isRepeat(seq: number): boolean {
    if (this.#seen.has(seq) || seq <= this.#newest - seenMax) return true
    this.#seen.add(seq)
    this.#newest = Math.max(this.#newest, seq)
    if (this.#seen.size > 2 * seenMax)
      for (const known of this.#seen) if (known <= this.#newest - seenMax) this.#seen.delete(known)
    return false
  }

  #canary(session: string, { id, mono, openings, links }: NonNullable<ToBridge['canary']>): void {
    const sentAt = this.#canaries.get(id)
    if (sentAt === undefined) return
    this.#canaries.delete(id)
    // Overtaken: how it was before is no news.
    if (sentAt < this.#answeredAt) return
    if (session !== this.#session) this.#begin(session)
    this.#answeredAt = sentAt
    this.#measure(mono, sentAt)
    this.#hasOpenings = openings === this.#openings.digest
    // Redis may have forgotten them without a cut.
    if (!this.#hasOpenings) this.#left = false
    const before = new Map(this.#links)
    this.#links.clear()
    for (const link of links) this.#links.set(link.name, this.#linkOf(link, before.get(link.name)))
    this.#turn()
  }

  /** Keeps the best measure of the worker's clock, as long as it can be true: a machine that was moved stood still. */
  #measure(mono: number, sentAt: number): void {
    const now = this.#clock.mono()
    this.#roundMs = now - sentAt
    const offset = { ms: mono - (sentAt + now) / 2, errorMs: this.#roundMs / 2, at: now }
    const known = this.#offset
    const isBetter = offset.errorMs <= known.errorMs || now - known.at > measureMs
    const isOther = Math.abs(offset.ms - known.ms) > offset.errorMs + known.errorMs + driftMs
    if (isBetter || isOther) this.#offset = offset
  }

  #linkOf(link: WorkerLink, before: RemoteLink | undefined): RemoteLink {
    return { ...link, since: before && before.up === link.up ? before.since : this.#clock.now() }
  }

  /** Another life of the worker: what the last one had was lost with it, or is on its way to its target. */
  #begin(session: string): void {
    if (this.#session) this.#earlier.add(this.#session)
    for (const oldest of this.#earlier) if (this.#earlier.size > livesMax) this.#earlier.delete(oldest)
    if (this.#earlier.has(session)) this.#twinsAt = this.#clock.mono()
    this.#session = session
    this.#seen.clear()
    this.#newest = 0
    this.#offset = { ms: 0, errorMs: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY }
    for (const parcel of [...this.#parcels.values()])
      if (parcel.started) this.#endAll(parcel, unknown(`${this.name} was started anew`))
  }

  #ended({ parcel: id, n, outcome, refused, why }: Ended): void {
    const parcel = this.#parcels.get(id)
    const pending = parcel?.pending.get(n)
    if (!parcel || !pending) return
    parcel.pending.delete(n)
    if (parcel.pending.size === 0) this.#parcels.delete(id)
    if (outcome) {
      pending.end(outcome)
      return
    }
    // The next try goes another way, until a canary tells more.
    const { link: name } = pending.order
    if (refused === 'late') this.suspect()
    else if (refused === 'link')
      this.#links.set(name, this.#linkOf({ name, up: false, why: why ?? null }, this.#links.get(name)))
    pending.end(notStarted(`${this.name}: ${why ?? 'it was not started'}`))
  }

  #turn(): void {
    const isFit = this.unfit === null
    if (isFit !== this.#wasFit)
      this.#log[isFit ? 'info' : 'warn'](
        { worker: this.name, why: this.unfit },
        isFit ? 'worker fit' : 'worker unfit',
      )
    this.#wasFit = isFit
    this.#ears.turned()
  }
}

/** Nothing of it has happened: the next attempt may go at once. */
const notStarted = (why: string): Outcome =>
  failed('WORKER_LATE', why, { retry: { afterMs: 0 }, effect: 'none' })

/** It never left. */
const unsent = (worker: string): Outcome => failed('ABORTED', `${worker}: it was no longer wanted`)

const unknown = (why: string): Outcome =>
  failed('WORKER_LATE', why, { retry: { afterMs: 0 }, effect: 'possible' })
