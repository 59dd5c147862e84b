import type { Fact, Json } from '../../core/fact.ts'
import type { DuressHeard } from './codec/input.ts'
import { Keys, Last } from './keys.ts'

interface Settings {
  /** null: an access point that nobody configured. */
  readonly device: string | null
  readonly at: string
  /** Whether the name of the card's holder may be recorded. */
  readonly names: boolean
  readonly session: () => number
}

/**
 * One access point: a duress code there is a press. It is no state but a moment (IsProperty is false), so it has no end,
 * and nobody tells it again.
 */
export class Reader {
  readonly #settings: Settings
  readonly #keys: Keys

  constructor(settings: Settings, stored: Json | undefined) {
    this.#settings = settings
    this.#keys = new Keys(settings.session, Last.parse(stored ?? null))
  }

  get cursor(): Json {
    return this.#keys.last
  }

  read({ holder, reason }: DuressHeard, at: number): Fact[] {
    const { device, at: where, names } = this.#settings
    const key = `${device ?? where}/${this.#keys.next(at)}`
    return [
      {
        is: 'press',
        phase: 'active',
        device,
        from: `duress code at ${where}`,
        key,
        occurredAt: at,
        cursor: this.cursor,
        ...(names && holder !== null ? { person: holder } : {}),
        // The card's token names a person as well as the name does: neither is kept unless the config says so.
        raw: { accessPoint: where, reason, holder: holder === null ? null : names ? holder : 'not kept' },
      },
    ]
  }
}
