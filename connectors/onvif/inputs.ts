import { z } from 'zod'
import { sleep } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import type { Notice } from './codec/event.ts'
import type { Device } from './device.ts'
import type { Config, Input, Output } from './index.ts'
import { Listeners } from './listener.ts'
import { Kept, Subscription } from './subscription.ts'

/** How long a subscription is asked to live, s: as long as a camera that we can't reach keeps our presses. */
const lifeSeconds = 60
/** How long a pull waits at the device, s. With the timeout of an exchange: how late a dead device is known. */
const pullSeconds = { least: 1, most: 3 }
/** From one pull to the next where the device answered with something, and where it answered at once with nothing, ms. */
const paceMs = { busy: 20, idle: 250 }
/** How long the state is waited for when a subscription is new, ms. */
const stateMs = 1_000
/** A subscription that has to be made anew again within this time is not to be had, ms. */
const mendEveryMs = 10_000
/** How long the last word to a device may take when the link closes, ms; core grants 1 s for all of it. */
const farewellMs = 500

const Stored = z.object({
  pull: Kept.extend({
    session: z.number(),
    /** When the device ends it, by our clock, ms. */
    until: z.number(),
  }),
})

/** The inputs of one device: one pull point for all of them, pulled as long as the link lives. */
export class Inputs {
  readonly #device: Device
  readonly #ctx: Context
  readonly #config: Config
  readonly #listeners: Listeners
  readonly #left: z.infer<typeof Stored>['pull'] | null
  readonly #ended = new AbortController()
  readonly #waitSeconds: number
  #subscription: Subscription | null = null
  #session: number
  #renewAt = 0
  #mendedAt = Number.NEGATIVE_INFINITY
  /** The device can't be reached: what waits in the subscription is for the next life. */
  #cut = false
  /** An answer may have been lost on its way, and what was in it. */
  #torn = false
  #explained = false

  constructor(device: Device, opening: Opening<Config, Input, Output>, ctx: Context) {
    this.#device = device
    this.#ctx = ctx
    this.#config = opening.config
    this.#session = ctx.clock.now()
    const { least, most } = pullSeconds
    this.#waitSeconds = Math.max(least, Math.min(most, Math.floor(opening.config.poll / 1_000)))
    this.#left = leftIn(opening, ctx.clock.now())
    this.#listeners = new Listeners(opening, {
      host: device.host,
      config: opening.config,
      ctx,
      ended: this.#ended.signal,
      session: () => this.#session,
    })
  }

  /** What of a device, named by its name, can't be told at the moment. */
  isUnknown(name: string): boolean {
    const listener = this.#listeners.all.find((each) => each.name === name)
    return listener !== undefined && (this.#ended.signal.aborted || !listener.known)
  }

  /** Finds the subscription of an earlier life or makes one, and hears how the inputs are. */
  async begin(): Promise<void> {
    try {
      await this.#again()
      if (this.#subscription === null) await this.#subscribe()
      await this.#hearStates()
    } catch (error) {
      this.over(error)
      throw error
    }
  }

  /** Pulls until the link ends or the device is gone; resolves with the reason, and never rejects. */
  async run(): Promise<unknown> {
    while (!this.#ended.signal.aborted)
      try {
        await this.#turn()
      } catch (error) {
        if (this.#ended.signal.aborted) break
        // Devices close idle connections without a word, once: what comes next shows whether it is more than that.
        const again = !this.#torn && codeOf(error) === 'UNREACHABLE'
        this.#torn = true
        if (again) continue
        const why = await this.#mend(error)
        if (why !== null) return why
      }
    return new BridgeError('LINK_DOWN', 'closed')
  }

  /** Nothing more is heard in this life; `why` says whether the next one may find the subscription again. */
  over(why: unknown): void {
    if (this.#ended.signal.aborted) return
    this.#ended.abort()
    this.#cut = ['TIMEOUT', 'UNREACHABLE'].includes(codeOf(why))
    for (const listener of this.#listeners.all) listener.forget()
  }

  /** Gives the subscription back, unless the device can't be reached. */
  async end(): Promise<void> {
    this.over(null)
    const subscription = this.#subscription
    this.#subscription = null
    if (!this.#cut) await subscription?.end(farewellMs)
  }

  /** One pull, and what is due. */
  async #turn(): Promise<void> {
    const { clock } = this.#ctx
    if (this.#torn) await this.#current().synchronize(this.#ended.signal).catch(exceptFault)
    if (clock.mono() >= this.#renewAt) await this.#renew()
    const startedAt = clock.mono()
    const waitMs = this.#waitMs()
    const notices = await this.#pull(waitMs)
    this.#torn = false
    this.#take(notices)
    const tookMs = clock.mono() - startedAt
    const pauseMs = notices.length > 0 ? paceMs.busy : tookMs < waitMs / 2 ? paceMs.idle : 0
    if (pauseMs > tookMs) await sleep(clock, pauseMs - tookMs, this.#ended.signal)
  }

  /** Never so long that the subscription could run out meanwhile. */
  #waitMs(): number {
    const third = Math.floor((this.#subscription?.lifeMs ?? 0) / 3_000)
    return 1_000 * Math.max(1, Math.min(this.#waitSeconds, third))
  }

  #pull(waitMs: number): Promise<readonly Notice[]> {
    const timeoutMs = waitMs + this.#config.timeout
    return this.#current().pull(timeoutMs, this.#ended.signal, waitMs / 1_000)
  }

  #current(): Subscription {
    if (this.#subscription === null) throw new BridgeError('LINK_DOWN', 'there is no subscription')
    return this.#subscription
  }

  #take(notices: readonly Notice[]): void {
    if (this.#ended.signal.aborted) return
    this.#ctx.heard()
    for (const notice of notices) this.#listeners.hear(notice)
    for (const listener of this.#listeners.all) listener.fresh(this.#device.offsetMs)
  }

  /** The subscription of an earlier life, and what has come into it since: presses of a cut, or of our own restart. */
  async #again(): Promise<void> {
    if (this.#left === null) return
    const { session, until, ...kept } = this.#left
    const subscription = Subscription.again(this.#device, kept, lifeSeconds)
    try {
      await subscription.synchronize(this.#ended.signal).catch(exceptUnsupported)
      await subscription.renew(this.#ended.signal).catch(exceptUnsupported)
    } catch (error) {
      if (isAnswer(error)) return
      throw error
    }
    this.#subscription = subscription
    this.#session = session
    this.#granted()
    this.#ctx.log.info({ host: this.#device.host }, 'the subscription to events was still there')
  }

  async #subscribe(): Promise<void> {
    const { signal } = this.#ended
    this.#subscription = await Subscription.open(this.#device, this.#listeners.topics, lifeSeconds, signal)
    // Later than that of any subscription before.
    this.#session = Math.max(this.#session + 1, this.#ctx.clock.now())
    this.#granted()
  }

  #granted(): void {
    const { clock } = this.#ctx
    const subscription = this.#current()
    this.#renewAt = clock.mono() + subscription.lifeMs / 2
    const until = clock.now() + subscription.lifeMs
    const pull = { ...(subscription.kept as object), session: this.#session, until } as Json
    for (const listener of this.#listeners.all) listener.keep(pull)
  }

  /** Presses of a button that is held are found here; a device that keeps its state to itself is asked once more. */
  async #hearStates(): Promise<void> {
    if (!this.#listeners.haveStates) return this.#take([])
    for (let round = 0; round < 2; round++) {
      if (this.#listeners.all.every(({ known }) => known)) return this.#take([])
      if (round === 1) await this.#current().synchronize(this.#ended.signal).catch(exceptFault)
      this.#take(await this.#pull(stateMs))
    }
    this.#explain()
  }

  /** Once: which inputs the device says nothing of. */
  #explain(): void {
    const unknown = this.#listeners.all.filter(({ known }) => !known)
    if (this.#explained || unknown.length === 0) return
    this.#explained = true
    for (const { name } of unknown)
      this.#ctx.log.warn(
        { device: name, host: this.#device.host },
        'the device does not say how this input is: unknown until it changes; compare its token with what `duress-bridge probe` lists',
      )
  }

  /** Devices that can't renew get a new subscription in time. */
  async #renew(): Promise<void> {
    try {
      await this.#current().renew(this.#ended.signal)
      this.#granted()
    } catch (error) {
      if (!isAnswer(error)) throw error
      this.#ctx.log.debug({ why: messageOf(error) }, 'a subscription that is not renewed is made anew')
      await this.#anew()
    }
  }

  /** The new one first: what happens meanwhile is in one of them, or in both. */
  async #anew(): Promise<void> {
    const old = this.#subscription
    await this.#subscribe()
    const left = (await old?.pull(stateMs, this.#ended.signal, 0).catch(() => [])) ?? []
    await old?.end(farewellMs)
    if (left.length > 0) {
      const first = await this.#pull(stateMs)
      const both = new Set(first.map(inWhole))
      this.#take([...left.filter((notice) => !both.has(inWhole(notice))), ...first])
    }
    await this.#hearStates()
  }

  /** Null when there is a subscription again, else why not. A device that says no is there; one that is silent is gone. */
  async #mend(error: unknown): Promise<unknown> {
    const { clock, log } = this.#ctx
    if (!isAnswer(error) || clock.mono() - this.#mendedAt < mendEveryMs) return error
    this.#mendedAt = clock.mono()
    log.warn({ host: this.#device.host, why: messageOf(error) }, 'the subscription to events is made anew')
    for (const listener of this.#listeners.all) listener.forget()
    try {
      // A login that is no longer good may be that of a clock that was set.
      if (codeOf(error) === 'UNAUTHORIZED') await this.#device.measureClock(this.#ended.signal)
      await this.#anew()
      return null
    } catch (failure) {
      return failure
    }
  }
}

/** The newest subscription that the cursors remember, if the device can still have it. */
const leftIn = ({ inputs, cursors }: Opening<Config, Input, Output>, now: number) => {
  const left = [...inputs.keys()].flatMap((name) => {
    const stored = Stored.safeParse(cursors.get(name))
    return stored.success && stored.data.pull.until > now ? [stored.data.pull] : []
  })
  return left.toSorted((a, b) => b.until - a.until)[0] ?? null
}

const inWhole = ({ topic, operation, at, source, data }: Notice): string =>
  JSON.stringify([topic, operation, at, ...source, ...data])

const codeOf = (error: unknown): string => (error instanceof BridgeError ? error.code : 'CRASHED')

/** The device has answered, if only with a fault or with nonsense. */
export const isAnswer = (error: unknown): boolean =>
  ['UNSUPPORTED', 'REFUSED', 'NOT_FOUND', 'UNAUTHORIZED', 'BUSY', 'BAD_ANSWER'].includes(codeOf(error))

export const isSlow = (error: unknown): boolean => codeOf(error) === 'TIMEOUT'

const exceptUnsupported = (error: unknown): void => {
  if (codeOf(error) !== 'UNSUPPORTED') throw error
}

const exceptFault = (error: unknown): void => {
  if (!isAnswer(error)) throw error
}
