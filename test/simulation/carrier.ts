import type { Clock, SimulatedClock, Timer } from '../../core/clock.ts'
import { type Carrier, type Marks, NotSent, type Receiver } from '../../core/runner/carrier.ts'

/** How the way between one party and Redis is at the moment; chances from 0 to 1, times in ms. */
export interface Weather {
  /** Not connected, and it is known. */
  down: boolean
  /** One way, from the least to the most. */
  delayMs: readonly [number, number]
  /** A request never gets there, or what was handed out never arrives; nobody is told. */
  lost: number
  /** A request is done, and the answer never comes. */
  unanswered: number
  /** What was handed out is handed out again later. */
  again: number
  /** Requests for marks alone are lost. */
  marks: 'well' | 'lost' | 'refused'
  /** Nothing comes out of boxes until the receiver begins anew, as with a connection that only looks well. */
  deaf: boolean
}

export const fair: Weather = {
  down: false,
  delayMs: [1, 3],
  lost: 0,
  unanswered: 0,
  again: 0,
  marks: 'well',
  deaf: false,
}

/** As the real one: a request without an answer has failed after this, ms. */
const commandMs = 1_000
/** What was shown once may be shown again for so long, ms. */
const againMs = 3_000

/** The Redis of a simulation: boxes, marks and what was left, as long as it has not been emptied. */
export class SimulatedRedis {
  readonly clock: SimulatedClock
  readonly random: () => number
  readonly boxes = new Map<string, Buffer[]>()
  readonly marks = new Map<string, Map<string, Buffer>>()
  readonly left = new Map<string, Buffer>()
  readonly carriers = new Set<SimulatedCarrier>()
  /** Called when a mark has been set. */
  onMark: (parcel: string, field: string) => void = () => {}

  constructor(clock: SimulatedClock, random: () => number) {
    this.clock = clock
    this.random = random
  }

  box(name: string): Buffer[] {
    const known = this.boxes.get(name) ?? []
    this.boxes.set(name, known)
    return known
  }

  /** It has been started anew without what it knew; everybody's connection is cut. */
  empty(): void {
    for (const carrier of this.carriers) carrier.cut()
    this.boxes.clear()
    this.marks.clear()
    this.left.clear()
  }
}

/** A program that may freeze or die: nothing of it runs until it is thawed, or ever again. */
export interface Host {
  readonly clock: Clock
  /** Runs `run` when the program next gets to it; never, when it is dead. */
  enter(run: () => void): void
}

/** The way of one program to the simulated Redis. */
export class SimulatedCarrier implements Carrier {
  weather: Weather = { ...fair }
  connections = 1
  readonly #redis: SimulatedRedis
  readonly #host: Host
  readonly #receivers = new Set<SimulatedReceiver>()
  readonly #pending = new Set<(error: Error) => void>()
  #isClosed = false

  constructor(redis: SimulatedRedis, host: Host) {
    this.#redis = redis
    this.#host = host
    redis.carriers.add(this)
  }

  get why(): string | null {
    return this.isUp() ? null : 'connection lost'
  }

  isUp(): boolean {
    return !this.weather.down && !this.#isClosed
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** The connection breaks: what is under way has an unknown end. It is back at once unless the weather is down. */
  cut(): void {
    this.connections++
    for (const fail of [...this.#pending]) fail(new Error('connection lost'))
  }

  async send(box: string, bytes: Uint8Array): Promise<void> {
    await this.#ask('send', () => {
      this.#redis.box(box).push(Buffer.from(bytes))
      for (const carrier of this.#redis.carriers) carrier.look(box)
    })
  }

  tell(box: string, bytes: Uint8Array): Promise<void> {
    return this.send(box, bytes)
  }

  listen(box: string, take: (bytes: Buffer) => Promise<void>): Receiver {
    return this.receive(box, take)
  }

  receive(box: string, take: (bytes: Buffer) => Promise<void>): Receiver {
    const receiver = new SimulatedReceiver(this, box, take)
    this.#receivers.add(receiver)
    receiver.look()
    return receiver
  }

  async clear(box: string): Promise<void> {
    await this.#ask('clear', () => void this.#redis.box(box).splice(0))
  }

  mark(parcel: string, field: string, value: Uint8Array): Promise<Marks> {
    if (this.weather.marks === 'refused') return Promise.reject(new NotSent('READONLY'))
    return this.#ask('mark', () => {
      const all = this.#redis.marks.get(parcel) ?? new Map<string, Buffer>()
      this.#redis.marks.set(parcel, all)
      const first = !all.has(field)
      if (first) all.set(field, Buffer.from(value))
      this.#redis.onMark(parcel, field)
      return { first, all: new Map(all) }
    })
  }

  async leave(box: string, bytes: Uint8Array): Promise<void> {
    await this.#ask('leave', () => void this.#redis.left.set(box, Buffer.from(bytes)))
  }

  fetch(box: string): Promise<Buffer | null> {
    return this.#ask('fetch', () => this.#redis.left.get(box) ?? null)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#redis.carriers.delete(this)
    this.#receivers.clear()
    this.cut()
  }

  look(box?: string): void {
    for (const receiver of this.#receivers) if (box === undefined || receiver.box === box) receiver.look()
  }

  forget(receiver: SimulatedReceiver): void {
    this.#receivers.delete(receiver)
  }

  /** Takes the next out of a box, if there is any that gets here. */
  pull(receiver: SimulatedReceiver): void {
    const { random } = this.#redis
    if (!this.isUp() || this.weather.deaf) return
    for (const bytes of this.#redis.box(receiver.box).splice(0)) {
      if (random() < this.weather.lost) continue
      this.#hand(receiver, bytes, this.#delay())
      if (random() < this.weather.again) this.#hand(receiver, bytes, random() * againMs)
    }
  }

  #hand(receiver: SimulatedReceiver, bytes: Buffer, ms: number): void {
    this.#redis.clock.after(ms, () =>
      this.#host.enter(() => {
        if (this.#receivers.has(receiver) && !this.weather.down) void receiver.take(Buffer.from(bytes))
      }),
    )
  }

  #delay(): number {
    const [least, most] = this.weather.delayMs
    return least + this.#redis.random() * (most - least)
  }

  #ask<T>(what: 'send' | 'clear' | 'mark' | 'leave' | 'fetch', apply: () => T): Promise<T> {
    const { clock, random } = this.#redis
    if (!this.isUp()) return Promise.reject(new NotSent('Redis is not connected: connection lost'))
    const { weather } = this
    const isLost = random() < weather.lost || (what === 'mark' && weather.marks === 'lost')
    const isUnanswered = random() < weather.unanswered
    return new Promise((resolve, reject) => {
      let timer: Timer | null = null
      const end = (then: () => void) => {
        if (!this.#pending.delete(fail)) return
        timer?.cancel()
        then()
      }
      const fail = (error: Error) => end(() => this.#host.enter(() => reject(error)))
      this.#pending.add(fail)
      timer = clock.after(commandMs, () => fail(new Error('no answer within 1 s')))
      if (isLost) return
      clock.after(this.#delay(), () => {
        if (this.#redis.carriers.has(this) && this.weather.down) return
        const value = apply()
        if (isUnanswered) return
        clock.after(this.#delay(), () => end(() => this.#host.enter(() => resolve(value))))
      })
    })
  }
}

class SimulatedReceiver implements Receiver {
  readonly box: string
  readonly take: (bytes: Buffer) => Promise<void>
  readonly #carrier: SimulatedCarrier

  constructor(carrier: SimulatedCarrier, box: string, take: (bytes: Buffer) => Promise<void>) {
    this.#carrier = carrier
    this.box = box
    this.take = take
  }

  look(): void {
    this.#carrier.pull(this)
  }

  restart(): void {
    this.#carrier.weather.deaf = false
    this.look()
  }

  async close(): Promise<void> {
    this.#carrier.forget(this)
  }
}
