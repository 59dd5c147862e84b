import { type Clock, deadline, every, type Timer } from '../clock.ts'
import type { Order, Outcome } from '../command.ts'
import type { Json } from '../fact.ts'
import type { Site } from '../site/site.ts'
import type { Faults } from './faults.ts'

/** How long the relay may take to answer, ms; at the end of the bridge less, since a stop is prompt. */
const actMs = 4_000
const dropMs = 500

/** What the watchdog needs from the bridge. */
export interface Ports {
  readonly site: Site
  readonly clock: Clock
  readonly faults: Faults
  act(link: string, capability: string, order: Order): Promise<Outcome>
}

/**
 * A relay that is kept energised for as long as the bridge lives, on an input of another system: so that a dead bridge is
 * seen without it. Each writing renews the time that the relay's own module gives it; at the end of the bridge it is dropped.
 */
export class Watchdog {
  readonly #p: Ports
  #timer: Timer | null = null
  #writing = false

  constructor(ports: Ports) {
    this.#p = ports
  }

  start(): void {
    const { watchdog } = this.#p.site.supervision
    if (!watchdog) return
    void this.#energise()
    this.#timer = every(this.#p.clock, watchdog.everyMs, () => void this.#energise())
  }

  /** Drops the relay: who stops the bridge wants it to be seen, too. */
  async stop(): Promise<void> {
    if (!this.#timer) return
    this.#timer.cancel()
    await this.#write(false, dropMs)
  }

  async #energise(): Promise<void> {
    // A write that hangs is not piled up on.
    if (this.#writing) return
    this.#writing = true
    const outcome = await this.#write(true, actMs)
    this.#writing = false
    const { site, faults } = this.#p
    const label = site.supervision.watchdog?.relay.label
    faults.set(
      'watchdog-relay',
      outcome.ok ? null : `${label}: the watchdog relay is not held: ${outcome.failure.message}`,
    )
  }

  async #write(on: boolean, ms: number): Promise<Outcome> {
    const { site, clock, act } = this.#p
    const relay = site.supervision.watchdog!.relay
    const limit = deadline(clock, ms)
    const order = {
      id: `watchdog/${relay.name}`,
      attempt: 1,
      address: relay.output as Json,
      args: { on },
      signal: limit.signal,
    }
    const late = new Promise<Outcome>((resolve) =>
      limit.signal.addEventListener('abort', () =>
        resolve({
          ok: false,
          failure: { code: 'TIMEOUT', retry: 'backoff', message: 'no answer' },
          effect: 'possible',
        }),
      ),
    )
    const outcome = await Promise.race([act(relay.link, 'relay.set', order), late])
    limit.cancel()
    return outcome
  }
}
