import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Outcome } from '../command.ts'
import type { Log } from '../connector.ts'
import { messageOf } from '../error.ts'
import type { Carrier, Receiver } from './carrier.ts'
import {
  about,
  boxFrom,
  boxTo,
  type CarriedOrder,
  decode,
  encode,
  ToBridge,
  type ToWorker,
} from './parcel.ts'
import { RemoteHealth, type RemoteLink } from './remote-health.ts'
import { RemoteOrders } from './remote-orders.ts'
import type { Seal } from './seal.ts'

/** No answer for so long, and everything that can be begun anew is, ms (what-users-ask, row 2). */
const renewMs = 5_000
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

interface Parts {
  readonly name: string
  readonly seal: Seal
  readonly carrier: Carrier
  readonly clock: Clock
  readonly log: Log
  readonly ears: Ears
  /** What it is to open, and the digest of that. */
  readonly openings: { readonly digest: string; readonly bytes: Buffer }
}

/** One worker as the bridge sees it. */
export class RemoteWorker {
  readonly name: string
  readonly #p: Parts
  readonly #health: RemoteHealth
  readonly #orders: RemoteOrders
  readonly #receiver: Receiver
  readonly #life = randomBytes(6).toString('hex')
  /** Numbers of this session's reports, and the highest of them. */
  readonly #seen = new Set<number>()
  #newest = 0
  #count = 0
  #left = false
  #renewedAt: number
  #wasFit = false

  constructor(parts: Parts) {
    const { name, clock, openings, ears } = parts
    this.name = name
    this.#p = parts
    this.#renewedAt = clock.mono()
    this.#health = new RemoteHealth(clock, openings.digest)
    this.#orders = new RemoteOrders({
      ...parts,
      health: this.#health,
      openings: openings.digest,
      newId: () => this.#newId(),
      send: (message) => this.#send(message),
      suspect: () => this.suspect(),
      unheard: () => ears.unheard(),
    })
    this.#receiver = parts.carrier.listen(boxFrom(name), (bytes) => this.#hear(bytes))
  }

  /** Why it gets no orders, in words; null: it is fit. */
  get unfit(): string | null {
    const { carrier } = this.#p
    return carrier.isUp() ? this.#health.unfit : `Redis is not connected: ${carrier.why ?? 'unknown reason'}`
  }

  /** Why it is not who it should be, in words. */
  get mistaken(): string | null {
    return this.#health.mistaken
  }

  /** Which of its links it has not, in words. */
  get missing(): string | null {
    const down = [...this.#health.links.values()].find(({ up }) => !up)
    return down && this.unfit === null ? `${down.name}: ${down.why ?? 'not connected there'}` : null
  }

  /** When the newest canary that it has answered was sent, ms since the epoch; null: it never has. */
  get heardAt(): number | null {
    return this.#health.heardAt
  }

  get links(): Iterable<RemoteLink> {
    return this.#health.links.values()
  }

  /** Whether it can act on a link now. */
  has(link: string): boolean {
    return this.unfit === null && this.#health.links.get(link)?.up === true
  }

  /** One attempt there. Never rejects. Goes out with the other orders of this turn. */
  act(order: CarriedOrder, signal: AbortSignal): Promise<Outcome> {
    return this.#orders.act(order, signal)
  }

  /** Takes an order back that may not have been started yet. */
  recall(command: string): void {
    this.#orders.recall(command)
  }

  /** It gets no orders until it has answered a canary that is sent from now on. */
  suspect(): void {
    this.#health.suspect()
    this.#turn()
  }

  /** Twice a second: a canary goes out, and what a dead worker had is given up. */
  beat(): void {
    const { carrier, openings } = this.#p
    if (this.#health.isSilent) this.#orders.giveUp(this.unfit ?? 'it is silent')
    this.#turn()
    this.#renew()
    if (!carrier.isUp()) {
      this.#left = false
      return
    }
    this.#leave()
    const id = this.#newId()
    this.#health.sent(id)
    this.#send({ is: 'canary', id, openings: openings.digest }).catch(() => {})
  }

  async stop(): Promise<void> {
    this.#orders.stop()
    await this.#receiver.close()
  }

  /** Begins with the worker's name, so that each may have rights to the marks of its own parcels only (Redis ACL). */
  #newId(): string {
    return `${this.name}:${this.#life}-${++this.#count}`
  }

  #send(message: ToWorker): Promise<void> {
    const { carrier, seal } = this.#p
    return carrier.send(boxTo(this.name), seal.close(encode(message), about.parcel))
  }

  /** Leaves what the worker is to open, once for each connection to Redis. */
  #leave(): void {
    const { carrier, seal, openings, log } = this.#p
    if (this.#left) return
    this.#left = true
    carrier.leave(boxTo(this.name), seal.close(openings.bytes, about.openings)).catch((error: unknown) => {
      this.#left = false
      log.debug({ worker: this.name, error: messageOf(error) }, 'openings not left')
    })
  }

  /** Connections that look well may be dead, and a box of a worker that was away is full of what is too late. */
  #renew(): void {
    const { carrier, clock } = this.#p
    const now = clock.mono()
    if (now - Math.max(this.#health.answeredAt, this.#renewedAt) < renewMs || !carrier.isUp()) return
    this.#renewedAt = now
    this.#left = false
    this.#receiver.restart()
    carrier.clear(boxTo(this.name)).catch(() => {})
  }

  async #hear(bytes: Buffer): Promise<void> {
    const { seal, log, ears } = this.#p
    const report = decode(ToBridge, seal.open(bytes, about.report))
    if (!report) {
      // Said once: whoever may write to Redis writes as often as they like.
      if (!this.#health.isStrange)
        log.warn({ worker: this.name }, 'a report that is not sealed by this worker, or of another version')
      this.#health.isStrange = true
      return
    }
    const { session, canary, ended = [] } = report
    this.#health.isStrange = false
    if (canary) this.#canary(session, canary)
    const isNews = session === this.#health.session && !this.#isRepeat(report.seq)
    if (isNews && (report.notes || report.kept)) await ears.told(report)
    for (const one of ended) this.#orders.ended(session, one)
  }

  #canary(session: string, canary: NonNullable<ToBridge['canary']>): void {
    if (this.#health.answered(session, canary)) {
      this.#seen.clear()
      this.#newest = 0
      // What the last life had was lost with it, or is on its way to its target.
      this.#orders.giveUp('it was started anew')
    }
    // Redis may have forgotten them without a cut.
    if (!this.#health.hasOpenings) this.#left = false
    this.#turn()
  }

  #isRepeat(seq: number): boolean {
    if (this.#seen.has(seq) || seq <= this.#newest - seenMax) return true
    this.#seen.add(seq)
    this.#newest = Math.max(this.#newest, seq)
    if (this.#seen.size > 2 * seenMax)
      for (const known of this.#seen) if (known <= this.#newest - seenMax) this.#seen.delete(known)
    return false
  }

  #turn(): void {
    const { log, ears } = this.#p
    const why = this.unfit
    if (this.#wasFit !== (why === null))
      log[why === null ? 'info' : 'warn'](
        { worker: this.name, why },
        why === null ? 'worker fit' : 'worker unfit',
      )
    this.#wasFit = why === null
    ears.turned()
  }
}
