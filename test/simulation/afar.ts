import { expect } from 'vitest'
import { graceMs } from '../../core/runner/parcel.ts'
import { fitMs } from '../../core/runner/remote-health.ts'
import { Outpost, type Sent, type Start } from './fleet.ts'
import { oneOf, randomOf } from './random.ts'
import type { Manner } from './scripted.ts'
import { Troubles } from './troubles.ts'

/** Steps of the faulty time of one outpost, and their length, ms. */
const steps = 80
const stepMs = 250
/** A worker that is farther away than this is not used (`slowMs`): so wrong may the measure of its clock be, and drift. */
const clockErrorMs = 200 + 7

/** More tries of one command within a second are a loop. */
const triesMax = 8

/** A command through its attempts, as a bystander knows it. */
interface Life {
  readonly id: string
  readonly isLock: boolean
  readonly attempts: Attempt[]
  readonly abort: AbortController
  recalledAt: number | null
}

interface Attempt {
  readonly sent: Sent
  readonly starts: Start[]
}

/**
 * One outpost under random faults, each command of it a history of its own: whatever the way, the clocks and the workers
 * do, what the bridge is told about an attempt is true. Returns how many commands have lived and ended.
 */
export const outpostUnderFaults = async (seed: number): Promise<number> => {
  const afar = new Afar(seed)
  try {
    return await afar.live()
  } finally {
    await afar.close()
  }
}

class Afar {
  readonly #seed: number
  readonly #random: () => number
  readonly #outpost: Outpost
  readonly #lives = new Map<string, Life>()
  readonly #troubles: Troubles
  #wrong: string | null = null

  constructor(seed: number) {
    this.#seed = seed
    this.#random = randomOf(seed)
    this.#outpost = new Outpost(this.#random)
    this.#troubles = new Troubles(this.#outpost.fleet, this.#random)
    this.#outpost.fleet.onStart = (start) => this.#started(start)
  }

  async live(): Promise<number> {
    this.#outpost.start()
    await this.#pass(2_000)
    for (let step = 0; step < steps; step++) {
      const roll = this.#random()
      if (roll < 0.3) this.#troubles.happen()
      else if (roll < 0.35)
        this.#outpost.world.behaves(oneOf(this.#random, ['p1', 'door']), oneOf(this.#random, manners))
      for (let n = Math.floor(this.#random() * 7); n > 0; n--) this.#command()
      if (this.#random() < 0.2) this.#recall()
      await this.#pass(stepMs * this.#random())
    }
    await this.#recover()
    return this.#lives.size
  }

  async close(): Promise<void> {
    await this.#outpost.close()
  }

  /** Found anywhere, thrown at the next step: what is thrown within an act is an outcome. */
  #fail(what: string, life?: Life): void {
    this.#wrong ??= `seed ${this.#seed}: ${what} ${life ? JSON.stringify(life) : ''}`
  }

  async #pass(ms: number): Promise<void> {
    await this.#outpost.clock.advance(ms)
    if (this.#wrong !== null) throw new Error(this.#wrong)
  }

  #command(): void {
    const isLock = this.#random() < 0.4
    const id = `${this.#seed}-${this.#lives.size}`
    const life: Life = { id, isLock, attempts: [], abort: new AbortController(), recalledAt: null }
    this.#lives.set(id, life)
    this.#attempt(life)
  }

  /** One attempt as dispatch makes it, and the next one when this one has failed. */
  #attempt(life: Life): void {
    const { runner, clock } = this.#outpost
    const [link, capability, target] = life.isLock
      ? ['doors', 'door.lockdown', 'door']
      : ['pagers', 'page.send', 'p1']
    if (!runner.isUp(link as string)) {
      clock.after(250, () => this.#attempt(life))
      return
    }
    const abort = new AbortController()
    const limit = clock.after(5_000 + runner.graceMs(link as string), () => abort.abort())
    const n = life.attempts.length + 1
    const order = this.#outpost.order(target as string, { message: {} }, abort.signal, n, life.id)
    const sent: Sent = { id: life.id, at: clock.now(), outcome: null }
    const attempt: Attempt = { sent, starts: [] }
    life.attempts.push(attempt)
    const earlier = life.attempts.at(-triesMax)
    if (earlier && sent.at - earlier.sent.at < 1_000) this.#fail('tried again and again', life)
    void runner.act(link as string, capability as string, order).then((outcome) => {
      limit.cancel()
      sent.outcome = outcome
      sent.tookMs = clock.now() - sent.at
      if (outcome.ok) {
        if (attempt.starts.length === 0) this.#fail('done, and never begun', life)
        return
      }
      // What the target itself refused has begun; whatever else has had no effect has not.
      if (outcome.effect === 'none' && outcome.failure.code !== 'UNREACHABLE' && attempt.starts.length > 0)
        this.#fail(`no effect, and it had begun: ${outcome.failure.message}`, life)
      if (life.recalledAt !== null) return
      const { retry } = outcome.failure
      clock.after(typeof retry === 'object' ? retry.afterMs : 250, () => this.#attempt(life))
    })
  }

  #started(start: Start): void {
    const life = this.#lives.get(start.command)
    const attempt = life?.attempts[start.attempt - 1]
    if (!life || !attempt) return
    const { sent, starts } = attempt
    if (starts.length > 0) this.#fail(`begun twice, again by ${start.by}`, life)
    starts.push(start)
    const { outcome } = sent
    const { stoodAt, emptiedAt, markless: marklessSince } = this.#troubles
    const stood = start.by !== 'bridge' && stoodAt >= sent.at
    if (stood && emptiedAt >= sent.at) return
    if (outcome && (outcome.ok || outcome.effect === 'none'))
      this.#fail(`begun by ${start.by} after it had not`, life)
    const late = start.at - sent.at - graceMs
    // Until its clock has been measured anew, what is sent there after a short stand-still may begin later by as much.
    const isMeasured = start.by === 'bridge' || stoodAt < sent.at - fitMs
    if (isMeasured && late > (start.by === 'bridge' ? 0 : clockErrorMs))
      this.#fail(`begun ${late} ms too late by ${start.by}`, life)
    if (!life.isLock || start.by === 'bridge') return
    const markless = marklessSince.get(start.by)
    if (markless !== undefined && markless <= sent.at) this.#fail('a lock begun without its marks', life)
    if (life.recalledAt !== null && life.recalledAt < start.at && emptiedAt < sent.at)
      this.#fail('a lock begun after it was taken back', life)
  }

  /** Takes a command back: from the moment on that Redis knows it, no lock begins. */
  #recall(): void {
    const live = [...this.#lives.values()].filter(({ attempts }) => attempts.at(-1)?.sent.outcome === null)
    const life = live.length > 0 ? oneOf(this.#random, live) : null
    if (!life || life.recalledAt !== null) return
    life.recalledAt = Number.POSITIVE_INFINITY
    const { clock, fleet, runner } = this.#outpost
    const marks: string[] = []
    const { carrier } = fleet
    const mark = carrier.mark.bind(carrier)
    carrier.mark = (parcel, field, value) => {
      marks.push(`${parcel} ${field}`)
      return mark(parcel, field, value)
    }
    runner.recall(life.id)
    carrier.mark = mark
    const before = fleet.redis.onMark
    fleet.redis.onMark = (parcel, field) => {
      before(parcel, field)
      // Who has claimed the parcel before has read its marks.
      if (marks.includes(`${parcel} ${field}`) && !fleet.redis.marks.get(parcel)?.has('owner'))
        life.recalledAt = Math.min(life.recalledAt as number, clock.now())
    }
  }

  /** However it went: once the faults are over everything ends, and after 5 s both workers are used again. */
  async #recover(): Promise<void> {
    const { fleet, world, runner } = this.#outpost
    await this.#pass(17_000)
    world.behaves('p1', 'well')
    world.behaves('door', 'well')
    fleet.mend()
    await this.#pass(5_000)
    const page = this.#outpost.page()
    const lock = this.#outpost.lock()
    await this.#pass(200)
    for (const [sent, by] of [
      [page, 'one'],
      [lock, 'two'],
    ] as const) {
      if (this.#outpost.startsOf(sent)[0]?.by !== by)
        this.#fail(`${by} is not used 5 s after the faults: ${JSON.stringify([...runner.health()])}`)
    }
    await this.#pass(10_000)
    for (const life of this.#lives.values())
      for (const { sent } of life.attempts) {
        if (sent.outcome === null) this.#fail('never ended', life)
        if ((sent.tookMs as number) > 6_500) this.#fail('ended too late', life)
      }
    // Whatever is still remembered of an order would be taken back now.
    let remembered = 0
    fleet.redis.onMark = () => {
      remembered++
    }
    for (const id of this.#lives.keys()) runner.recall(id)
    await this.#pass(100)
    expect(remembered, `seed ${this.#seed}`).toBe(0)
    expect(this.#outpost.faults.open(), `seed ${this.#seed}`).toEqual([])
  }
}

const manners: readonly Manner[] = ['well', 'well', 'well', 'refuses', 'hangs', { landsAfterMs: 8_000 }]
