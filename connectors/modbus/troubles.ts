import type { Context } from '../../core/connector.ts'
import type { Trouble } from '../../core/fact.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import type { Config } from './config.ts'

/** Key of the trouble that goes on, by what it is of; kept with the config object that all links share. */
const going = new WeakMap<Config, Map<string, string>>()

/** Troubles of what is no device of the site: a unit, the poll itself. Told once when they begin and once when they end. */
export class Troubles {
  readonly #config: Config
  readonly #ctx: Context
  readonly #going: Map<string, string>
  readonly #outboxes = new Map<string, Outbox>()

  constructor(config: Config, ctx: Context) {
    this.#config = config
    this.#ctx = ctx
    this.#going = going.get(config) ?? new Map()
    going.set(config, this.#going)
  }

  /** `words`: what is wrong from now on; null: nothing. */
  set(from: string, trouble: Trouble['trouble'], words: string | null): void {
    const key = this.#going.get(from)
    if ((key !== undefined) === (words !== null)) return
    const { clock, log } = this.#ctx
    if (words !== null) {
      const begun = `${from}/${trouble}-${clock.now()}`
      this.#going.set(from, begun)
      log.warn({ from }, `${from}: ${words}`)
      this.#say({ ...said(from, begun, words), trouble, phase: 'active' })
    } else if (key !== undefined) {
      this.#going.delete(from)
      log.info({ from }, `${from}: well again`)
      this.#say({ ...said(from, `${key}/restored`, 'well again'), trouble, phase: 'restored' })
    }
  }

  #say(trouble: Trouble): void {
    const { from } = trouble
    const outbox = this.#outboxes.get(from) ?? new Outbox(this.#config, from, this.#ctx)
    this.#outboxes.set(from, outbox)
    outbox.put(trouble)
  }
}

const said = (from: string, key: string, words: string) =>
  ({ is: 'trouble', device: null, from, key, words, raw: { words } }) as const
