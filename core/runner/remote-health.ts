import type { Clock } from '../clock.ts'
import type { ToBridge, WorkerLink } from './parcel.ts'

/** A worker whose last answered canary is older than this gets no orders, ms: two of three may be lost. */
export const fitMs = 1_600
/** A way that takes longer leaves nothing of the grace, ms there and back. */
export const slowMs = 400
/** The measure of the other clock is renewed this often, ms; it is in use for 2 s more, and two clocks of 100 ppm part by 6.5 ms in that time. */
const measureMs = 30_000
export const driftMs = 7
/** Canaries that wait in the box of a worker that is away. */
const unansweredMax = 10
/** A worker of whose name another one has spoken gets no orders for so long, ms: both take out of the same box. */
const twinsMs = 5_000
/** Lives of a worker that are known again. */
const livesMax = 20

/** A link of a worker, and since when it is so, ms since the epoch. */
export interface RemoteLink extends WorkerLink {
  readonly since: number
}

type Canary = NonNullable<ToBridge['canary']>

/** How a worker is, as its answers to canaries tell. */
export class RemoteHealth {
  readonly #clock: Clock
  /** Digest of what it is to have opened. */
  readonly #openings: string
  /** When each canary on its way was sent, by its id; ids of another life of the bridge are not among them. */
  readonly #canaries = new Map<string, number>()
  readonly #links = new Map<string, RemoteLink>()
  /** The life of the worker that answers. */
  session: string | null = null
  /** Its earlier lives; one that speaks again is another process with the same name. */
  readonly #earlier = new Set<string>()
  /** What came last from its box was not sealed with our key, or of another version. */
  isStrange = false
  /** It has open what it is to have. */
  hasOpenings = false
  /** The worker's clock less ours, how wrong that may be, and when it was measured. */
  offset = unmeasured
  #twinsAt = Number.NEGATIVE_INFINITY
  /** When the newest canary that was answered had been sent; monotonic. */
  #answeredAt = Number.NEGATIVE_INFINITY
  /** Only a canary sent after this takes the suspicion away; monotonic. */
  #suspectAt = Number.NEGATIVE_INFINITY
  #roundMs = 0

  constructor(clock: Clock, openings: string) {
    this.#clock = clock
    this.#openings = openings
  }

  /** Why it gets no orders, in words; null: it is fit. */
  get unfit(): string | null {
    if (this.mistaken) return this.mistaken
    if (this.#ageMs === Number.POSITIVE_INFINITY) return 'it has never answered'
    if (this.isSilent) return `it has not answered for ${Math.round(this.#ageMs / 1_000)} s`
    if (this.#suspectAt >= this.#answeredAt) return 'it missed the start of an order'
    if (this.#roundMs > slowMs) return `the way there and back takes ${Math.round(this.#roundMs)} ms`
    return this.hasOpenings ? null : 'it is still opening its links'
  }

  /** Why it is not who it should be, in words. */
  get mistaken(): string | null {
    if (this.#clock.mono() - this.#twinsAt < twinsMs) return 'two processes use its name'
    return this.isSilent && this.isStrange
      ? 'what comes from it can not be opened: it needs the same key and the same version'
      : null
  }

  /** Nothing has come from it for so long that it counts as dead, or cut off. */
  get isSilent(): boolean {
    return this.#ageMs > fitMs
  }

  /** When the newest canary that it has answered was sent; monotonic, minus infinity: it never has. */
  get answeredAt(): number {
    return this.#answeredAt
  }

  /** The same, ms since the epoch; null: it never has. */
  get heardAt(): number | null {
    return this.#ageMs === Number.POSITIVE_INFINITY ? null : this.#clock.now() - Math.round(this.#ageMs)
  }

  get links(): ReadonlyMap<string, RemoteLink> {
    return this.#links
  }

  get #ageMs(): number {
    return this.#clock.mono() - this.#answeredAt
  }

  /** It gets no orders until it has answered a canary that is sent from now on. */
  suspect(): void {
    this.#suspectAt = this.#clock.mono()
  }

  /** It has just said that it has not got this link. */
  lacks(name: string, why: string | null): void {
    this.#setLink({ name, up: false, why }, this.#links.get(name))
  }

  sent(canary: string): void {
    this.#canaries.set(canary, this.#clock.mono())
    for (const oldest of this.#canaries.keys())
      if (this.#canaries.size > unansweredMax) this.#canaries.delete(oldest)
  }

  /** Takes an answer in; true when it is the first of another life of the worker. */
  answered(session: string, { id, mono, openings, links }: Canary): boolean {
    const sentAt = this.#canaries.get(id)
    this.#canaries.delete(id)
    // Overtaken, or not ours: how it was before is no news.
    if (sentAt === undefined || sentAt < this.#answeredAt) return false
    const isAnother = session !== this.session
    if (isAnother) this.#begin(session)
    this.#answeredAt = sentAt
    this.#measure(mono, sentAt)
    this.hasOpenings = openings === this.#openings
    const before = new Map(this.#links)
    this.#links.clear()
    for (const link of links) this.#setLink(link, before.get(link.name))
    return isAnother
  }

  #setLink(link: WorkerLink, before: RemoteLink | undefined): void {
    const since = before?.up === link.up ? before.since : this.#clock.now()
    this.#links.set(link.name, { ...link, since })
  }

  #begin(session: string): void {
    if (this.session) this.#earlier.add(this.session)
    for (const oldest of this.#earlier) if (this.#earlier.size > livesMax) this.#earlier.delete(oldest)
    if (this.#earlier.has(session)) this.#twinsAt = this.#clock.mono()
    this.session = session
    this.offset = unmeasured
  }

  /** Keeps the best measure of the worker's clock, as long as it can be true: a machine that was moved stood still. */
  #measure(mono: number, sentAt: number): void {
    const now = this.#clock.mono()
    this.#roundMs = now - sentAt
    const offset = { ms: mono - (sentAt + now) / 2, errorMs: this.#roundMs / 2, at: now }
    const known = this.offset
    const isBetter = offset.errorMs <= known.errorMs || now - known.at > measureMs
    const isOther = Math.abs(offset.ms - known.ms) > offset.errorMs + known.errorMs + driftMs
    if (isBetter || isOther) this.offset = offset
  }
}

const unmeasured = { ms: 0, errorMs: Number.POSITIVE_INFINITY, at: Number.NEGATIVE_INFINITY }
