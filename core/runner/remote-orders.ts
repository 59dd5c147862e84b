import type { Clock, Timer } from '../clock.ts'
import { failed, type Outcome } from '../command.ts'
import { type Carrier, NotSent } from './carrier.ts'
import {
  about,
  type CarriedOrder,
  type Ended,
  graceMs,
  needsMark,
  ordersMax,
  ownerField,
  pack,
  type ToWorker,
} from './parcel.ts'
import { driftMs, type RemoteHealth } from './remote-health.ts'
import type { Seal } from './seal.ts'

/** How long the question may take who may start a parcel, ms. */
const askMs = 200
/** An order waits so long at most for a parcel before it to be in its box, ms: what comes meanwhile travels with it. */
const gatherMs = 5

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

/** What orders need of the worker that they go to. */
interface Parts {
  readonly name: string
  readonly seal: Seal
  readonly carrier: Carrier
  readonly clock: Clock
  readonly health: RemoteHealth
  /** Digest of what the worker must have opened. */
  readonly openings: string
  newId(): string
  send(message: ToWorker): Promise<void>
  /** It gets no orders until it has answered a later canary. */
  suspect(): void
  /** Redis has not answered in time. */
  unheard(): void
}

/** The orders that one worker has been given, until each has its outcome. */
export class RemoteOrders {
  readonly #p: Parts
  readonly #parcels = new Map<string, Parcel>()
  #next: Pending[] = []
  #isDue = false
  /** Until when `#next` waits for the parcels before it; null: it does not. */
  #wait: Timer | null = null
  /** Parcels of which it is not known yet whether they are in the box. */
  #leaving = 0
  #stopped = false

  constructor(parts: Parts) {
    this.#p = parts
  }

  /**
   * One attempt there. Never rejects. Goes out with the other orders of this turn; while a parcel is leaving, with those
   * that come until it has left: a parcel costs the same whatever is in it.
   */
  act(order: CarriedOrder, signal: AbortSignal): Promise<Outcome> {
    return new Promise((resolve) => {
      const give = () => this.#aborted(pending)
      const end = (outcome: Outcome) => {
        signal.removeEventListener('abort', give)
        resolve(outcome)
      }
      const pending: Pending = { order, parcel: null, end }
      if (signal.aborted || this.#stopped) return end(this.#unsent())
      signal.addEventListener('abort', give, { once: true })
      this.#next.push(pending)
      if (this.#isDue) return
      this.#isDue = true
      if (this.#leaving === 0) setImmediate(() => this.#depart())
      else this.#wait = this.#p.clock.after(gatherMs, () => this.#depart())
    })
  }

  /** Takes an order back that may not have been started yet; how it ended comes as for any other. */
  recall(command: string): void {
    const { seal, carrier } = this.#p
    const here = this.#next.filter(({ order }) => order.id === command)
    this.#next = this.#next.filter(({ order }) => order.id !== command)
    for (const { end } of here) end(this.#notStarted('it is no longer wanted'))
    for (const { id, pending } of this.#parcels.values())
      for (const [n, { order }] of pending)
        if (order.id === command) {
          const mark = seal.close(Buffer.from('taken back'), about.mark(id, String(n)))
          carrier.mark(id, String(n), mark).catch(() => {})
        }
  }

  /** How an order ended there. Nobody but the life that its parcel was meant for knows that, and it is known once. */
  ended(session: string, { parcel: id, n, outcome, refused, why }: Ended): void {
    const { health, suspect } = this.#p
    const parcel = this.#parcels.get(id)
    const pending = parcel?.session === session ? parcel.pending.get(n) : undefined
    if (!parcel || !pending) return
    parcel.pending.delete(n)
    if (parcel.pending.size === 0) this.#parcels.delete(id)
    if (outcome) {
      pending.end(outcome)
      return
    }
    // The next try goes another way, until a canary tells more.
    if (refused === 'late') suspect()
    else if (refused === 'link') health.lacks(pending.order.link, why ?? null)
    pending.end(this.#notStarted(why ?? 'it was not started'))
  }

  /** What was started by a worker that is dead, or cut off, may have had an effect: nobody waits for its answer. */
  giveUp(why: string): void {
    for (const parcel of [...this.#parcels.values()])
      if (parcel.started) this.#endAll(parcel, () => this.#unknown(why))
  }

  stop(): void {
    this.#stopped = true
    const stopping = failed('ABORTED', 'the bridge is stopping', { effect: 'possible' })
    for (const parcel of [...this.#parcels.values()]) this.#endAll(parcel, () => stopping)
    for (const { end } of this.#next.splice(0)) end(this.#unsent())
  }

  /** Nobody waits for it any more. */
  #aborted(pending: Pending): void {
    const { parcel } = pending
    if (parcel) {
      for (const [n, one] of parcel.pending) if (one === pending) parcel.pending.delete(n)
      if (parcel.pending.size === 0) this.#parcels.delete(parcel.id)
      pending.end(failed('TIMEOUT', `${this.#p.name}: no answer in time`, { effect: 'possible' }))
    } else {
      this.#next = this.#next.filter((one) => one !== pending)
      pending.end(this.#unsent())
    }
  }

  #depart(): void {
    const all = this.#next
    this.#next = []
    this.#isDue = false
    this.#wait = null
    for (let from = 0; from < all.length; from += ordersMax) this.#post(all.slice(from, from + ordersMax))
  }

  /** A parcel is in its box, or will never be known to be. */
  #left(): void {
    this.#leaving--
    if (this.#leaving > 0 || !this.#wait) return
    this.#wait.cancel()
    this.#depart()
  }

  #post(orders: readonly Pending[]): void {
    const { health, clock, carrier, openings, newId, send, suspect } = this.#p
    const session = health.session as string
    const id = newId()
    const { connections } = carrier
    const parcel: Parcel = { id, session, pending: new Map(orders.entries()), connections, started: false }
    this.#parcels.set(id, parcel)
    for (const pending of orders) pending.parcel = parcel
    const { ms, errorMs } = health.offset
    const startBy = clock.mono() + graceMs + ms
    // Nothing of it is started after this, whichever of the two clocks is ahead.
    clock.after(graceMs + errorMs + driftMs, () => void this.#late(parcel))
    const packed = pack(orders.map(({ order }) => order))
    this.#leaving++
    send({ is: 'orders', parcel: id, session, openings, startBy, ...packed })
      .catch((error: unknown) => {
        if (!(error instanceof NotSent)) return
        suspect()
        this.#endAll(parcel, () => this.#notStarted(error.message))
      })
      .finally(() => this.#left())
  }

  /** The grace of a parcel is over: what the worker has not started by now it never will. */
  async #late(parcel: Parcel): Promise<void> {
    const { health, suspect, unheard } = this.#p
    if (this.#stopped || parcel.started) return
    if (parcel.pending.size === 0) {
      this.#parcels.delete(parcel.id)
      return
    }
    const first = await this.#ask(parcel.id)
    if (first === true) {
      suspect()
      this.#endAll(parcel, this.#missed(parcel))
    } else if (first === null) {
      unheard()
      this.#endAll(parcel, () => this.#unknown('Redis does not say whether it was started'))
    } else if (parcel.session === health.session) parcel.started = true
    else this.#endAll(parcel, () => this.#unknown('it was started anew'))
  }

  /** Claims a parcel for the bridge. true: it was never started; false: the worker came first; null: Redis does not say. */
  async #ask(parcel: string): Promise<boolean | null> {
    const { seal, clock, carrier } = this.#p
    const mark = seal.close(Buffer.from('bridge'), about.mark(parcel, ownerField))
    let timer: Timer | null = null
    const late = new Promise<null>((resolve) => {
      timer = clock.after(askMs, () => resolve(null))
    })
    const asked = carrier.mark(parcel, ownerField, mark).then(
      ({ first, all }) => first || (this.#isOfWorker(parcel, all.get(ownerField)) ? false : null),
      () => null,
    )
    const answer = await Promise.race([asked, late])
    ;(timer as Timer | null)?.cancel()
    return answer
  }

  /** What somebody else wrote says nothing. */
  #isOfWorker(parcel: string, mark: Buffer | undefined): boolean {
    return mark !== undefined && this.#p.seal.open(mark, about.mark(parcel, ownerField)) !== null
  }

  /**
   * How orders end that the bridge has claimed. What needs its mark was not started, unless Redis has forgotten that the
   * worker came first; a page may have gone out, since a worker that gets no answer from Redis waits for none.
   */
  #missed({ connections }: Parcel): (order: CarriedOrder) => Outcome {
    const why = `it did not start it within ${graceMs} ms`
    const isSure = connections === this.#p.carrier.connections
    return ({ capability }) =>
      isSure && needsMark.has(capability)
        ? this.#notStarted(why)
        : this.#unknown(`${why}, as far as is known`)
  }

  #endAll(parcel: Parcel, outcome: (order: CarriedOrder) => Outcome): void {
    this.#parcels.delete(parcel.id)
    for (const { order, end } of parcel.pending.values()) end(outcome(order))
    parcel.pending.clear()
  }

  /** Nothing of it has happened: the next attempt may go at once. */
  #notStarted(why: string): Outcome {
    return failed('WORKER_LATE', `${this.#p.name}: ${why}`, { retry: { afterMs: 0 }, effect: 'none' })
  }

  #unknown(why: string): Outcome {
    return failed('WORKER_LATE', `${this.#p.name}: ${why}`, { retry: { afterMs: 0 }, effect: 'possible' })
  }

  /** It never left. */
  #unsent(): Outcome {
    return failed('ABORTED', `${this.#p.name}: it was no longer wanted`)
  }
}
