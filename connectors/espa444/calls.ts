import type { Timer } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Kind } from '../../core/fact.ts'
import type { TextInput } from '../../core/intake/text.ts'
import { TextSource } from '../../core/intake/text-source.ts'
import type { Call } from './codec.ts'
import type { Config } from './index.ts'
import { Session } from './session.ts'

/** Call type 1 is "reset": the call is over. */
const reset = '1'

/** What comes in over one link: calls, and polls that prove that the line is alive. */
export class Calls {
  readonly counts = { taken: 0, garbled: 0, unrecorded: 0 }
  readonly source: TextSource
  readonly #config: Config
  readonly #devices: readonly string[]
  readonly #kinds: ReadonlyMap<string, Kind>
  readonly #ctx: Context
  #polledAt: number
  #silent = false
  #timer: Timer | null = null

  constructor(opening: Opening<Config, TextInput, never>, ctx: Context) {
    this.#config = opening.config
    this.#devices = [...opening.inputs.keys()]
    this.#kinds = new Map(Object.entries(this.#config.priorities))
    this.#ctx = ctx
    this.source = new TextSource(opening, ctx)
    this.#polledAt = ctx.clock.now()
    this.#watch()
  }

  session(write: (text: string) => void, own: () => boolean): Session {
    return new Session({
      ...this.#config,
      clock: this.#ctx.clock,
      write,
      // We ourselves are no proof that the control station lives.
      alive: () => own() || this.#polled(),
      take: (call) => this.#take(call),
      failed: (what, error) => {
        this.counts[what]++
        if (what === 'unrecorded')
          this.#ctx.log.warn({ error: messageOf(error) }, 'a call could not be recorded')
        else if (this.counts.garbled === 1)
          this.#ctx.log.warn({}, 'a block did not come through: see the probe')
      },
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  async #take(call: Call): Promise<void> {
    if (this.#config.status.includes(call.header)) return
    await this.source.take(call.text, {
      to: call.to,
      raw: { header: call.header, records: call.records },
      phase: call.callType === reset ? 'restored' : undefined,
      kind: this.#kinds.get(call.priority),
    })
    this.counts.taken++
  }

  #polled(): void {
    this.#polledAt = this.#ctx.clock.now()
    this.#ctx.heard()
    if (!this.#silent) return
    this.#silent = false
    for (const device of this.#devices) this.#ctx.note(device, { quality: 'good' })
    this.#watch()
  }

  /** What nobody polls for can't be told to us: it is unknown, not idle. */
  #watch(): void {
    if (!this.#config.polls) return
    const left = this.#polledAt + this.#config.quiet - this.#ctx.clock.now()
    if (left > 0) {
      this.#timer = this.#ctx.clock.after(left, () => this.#watch())
      return
    }
    this.#silent = true
    this.#timer = null
    for (const device of this.#devices) this.#ctx.note(device, { quality: 'unknown' })
    this.#ctx.log.warn({}, `no poll for ${Math.round(this.#config.quiet / 1_000)} s: the line counts as dead`)
  }
}
