import { type Clock, sleep } from '../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import { relayStateIn } from './codec/event.ts'
import { OnvifError, outcomeOf } from './codec/fault.ts'
import { getRelayOutputs, type RelayWay, relayWays, setRelayOutputState } from './codec/relay.ts'
import type { Device } from './device.ts'
import { type Output, readBackMs } from './index.ts'
import { Subscription } from './subscription.ts'

/** A subscription outlives the act that needs it by no more than this, should we die in between, s. */
const subscriptionSeconds = 20
/** Between two pulls that brought nothing, so that a device that answers at once isn't flooded, ms. */
const pullPauseMs = 50

/** The relays of one device. ONVIF can't read a relay: what proves its state is its own event. */
export class Relays {
  readonly #device: Device
  readonly #clock: Clock
  #way: RelayWay | null = null
  #tokens: readonly string[] = []

  constructor(device: Device, clock: Clock) {
    this.#device = device
    this.#clock = clock
  }

  /** Finds where the device has its relays, by reading them; the first way that it knows is used from then on. */
  async list(signal?: AbortSignal): Promise<readonly string[]> {
    for (const way of relayWays) {
      if (!this.#device.has(way.service)) continue
      try {
        this.#tokens = await this.#device.ask(getRelayOutputs(way), { signal })
        this.#way = way
        return this.#tokens
      } catch (error) {
        if (!(error instanceof OnvifError) || !['UNSUPPORTED', 'REFUSED', 'NOT_FOUND'].includes(error.code))
          throw error
      }
    }
    this.#way = null
    return []
  }

  /** Throws what is wrong with a relay, before anything is asked of it. */
  async demand(relay: string, signal?: AbortSignal): Promise<RelayWay> {
    if (this.#way === null || !this.#tokens.includes(relay)) await this.list(signal)
    if (this.#way === null)
      throw new OnvifError('UNSUPPORTED', `${this.#device.host} has no relays`, { retry: 'never' })
    if (this.#tokens.includes(relay)) return this.#way
    const known = this.#tokens.slice(0, 20).join(', ') || 'none'
    throw new OnvifError('NOT_FOUND', `${this.#device.host} has no relay ${relay}; it has ${known}`, {
      retry: 'never',
    })
  }

  async set({ address, args: { on }, signal }: Order<Output, { on: boolean }>): Promise<Outcome> {
    const relay = address.relay ?? ''
    let way: RelayWay
    let watched: Subscription | null | 'refused'
    try {
      way = await this.demand(relay, signal)
      // Before the act: the event of the act must not fall into a gap.
      watched = address.confirm === 'answer' ? null : await this.#watch(signal)
    } catch (error) {
      return outcomeOf(error, 'none')
    }
    try {
      if (signal.aborted) return failed('ABORTED', `given up before relay ${relay} was set`)
      await this.#device.ask(setRelayOutputState(way, relay, on), { signal })
      if (address.confirm === 'answer') return done('answered', { on })
      if (watched instanceof Subscription) return await this.#readBack(watched, relay, on, signal)
      return failed('UNCONFIRMED', `NOT confirmed: ${this.#device.host} reports no relay events`, {
        retry: watched === 'refused' ? 'backoff' : 'never',
        effect: 'possible',
      })
    } catch (error) {
      return outcomeOf(error)
    } finally {
      if (watched instanceof Subscription) void watched.end()
    }
  }

  /** null: the device has no events; `refused`: it has, but not for us now. */
  async #watch(signal: AbortSignal): Promise<Subscription | null | 'refused'> {
    if (!this.#device.has('events')) return null
    try {
      return await Subscription.open(this.#device, 'tns1:Device/Trigger/Relay', subscriptionSeconds, signal)
    } catch (error) {
      if (!(error instanceof OnvifError)) throw error
      if (error.code === 'UNSUPPORTED' || error.code === 'NOT_FOUND') return null
      if (error.code === 'REFUSED') return 'refused'
      throw error
    }
  }

  /** The last state heard counts, and any change to what was asked: a pulse may be over before we hear of it. */
  async #readBack(watched: Subscription, relay: string, on: boolean, signal: AbortSignal): Promise<Outcome> {
    const end = this.#clock.mono() + readBackMs
    let seen = 'nothing'
    for (;;) {
      const left = end - this.#clock.mono()
      if (left <= 0 || signal.aborted) break
      try {
        const heard = (await watched.pull(left, signal)).flatMap((notice) => {
          const state = relayStateIn(notice, relay)
          return state === null ? [] : [{ state, changed: notice.operation === 'Changed' }]
        })
        const last = heard.at(-1)?.state
        if (last === on || heard.some(({ state, changed }) => changed && state === on))
          return done('confirmed', { on })
        if (last !== undefined) seen = last ? 'active' : 'inactive'
      } catch (error) {
        if (!(error instanceof OnvifError) || error.code !== 'TIMEOUT')
          return this.#unconfirmed(relay, String(error))
      }
      await sleep(this.#clock, pullPauseMs, signal)
    }
    return this.#unconfirmed(relay, seen)
  }

  #unconfirmed(relay: string, seen: string): Outcome {
    return failed('UNCONFIRMED', `NOT confirmed: relay ${relay} reports ${seen}`, { effect: 'possible' })
  }
}
