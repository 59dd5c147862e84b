import type { Clock, Timer } from '../clock.ts'
import type { Context } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import type { Fact, State } from '../fact.ts'
import { type Item, levels, type Reply, sent, type ToThread } from './thread-message.ts'

/** What a thread may say, in units: so many a second, and at once. A note is one; a reading of 64 inputs 50 times a second fits. */
const perSecond = 10_000
const burst = 20_000
/** Intake takes 2,000 presses a second of one connector. */
const costs = { note: 1, heard: 1, record: 5, secret: 5, keep: 5, log: 100 } as const
/** Characters and bytes that cost one more unit. */
const sizePerUnit = 2_000

/** What a link in a thread says, as it comes in: handed to core, and no more of it asked for than core can take beside others. */
export class Incoming {
  readonly #ctx: Context
  readonly #clock: Clock
  readonly #post: (message: ToThread) => void
  #tokens = burst
  #at: number
  #pause: Timer | null = null
  #isOver = false

  constructor(ctx: Context, post: (message: ToThread) => void) {
    this.#ctx = ctx
    this.#clock = ctx.clock
    this.#post = post
    this.#at = ctx.clock.mono()
  }

  /** Takes a batch; the next is asked for at once, or when this one is paid for. */
  take(items: readonly Item[]): void {
    const now = this.#clock.mono()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1_000) * perSecond)
    this.#at = now
    for (const item of items) {
      this.#tokens -= costs[item.is] + sizeOf(item) / sizePerUnit
      this.#hear(item)
    }
    if (this.#tokens >= 0) this.#post({ is: 'taken' })
    else
      this.#pause = this.#clock.after((-this.#tokens / perSecond) * 1_000, () => this.#post({ is: 'taken' }))
  }

  end(): void {
    this.#isOver = true
    this.#pause?.cancel()
  }

  #hear(item: Item): void {
    const ctx = this.#ctx
    try {
      switch (item.is) {
        case 'note':
          return void ctx.note(item.device, JSON.parse(item.json) as State)
        case 'heard':
          return void ctx.heard()
        case 'log':
          return void ctx.log[levels.includes(item.level) ? item.level : 'info'](
            JSON.parse(item.json),
            item.text,
          )
        case 'record':
          return void this.#reply(item.id, async () => ctx.record(factOf(JSON.parse(item.json))))
        case 'secret':
          return void this.#reply(item.id, async () => ctx.secret(JSON.parse(item.json)))
        case 'keep':
          return void this.#reply(item.id, async () => ctx.keep(item.bytes, item.about))
      }
    } catch (error) {
      ctx.log.warn({ is: item.is, error: messageOf(error) }, 'what a link said could not be taken')
    }
  }

  #reply(id: number, run: () => Promise<unknown>): void {
    const post = (reply: Reply) => {
      if (!this.#isOver) this.#post({ is: 'reply', id, ...reply })
    }
    run().then(
      (value) => post({ json: JSON.stringify(value ?? null) }),
      (error: unknown) => post({ error: sent(error) }),
    )
  }
}

/** What crosses from a thread is a fact only if it has what every fact has. */
const factOf = (value: unknown): Fact => {
  const { is, key, from, device } = (value ?? {}) as Record<string, unknown>
  const sound =
    (is === 'press' || is === 'trouble' || is === 'answer') &&
    typeof key === 'string' &&
    typeof from === 'string' &&
    (device === null || typeof device === 'string')
  if (!sound)
    throw new BridgeError('BAD_REQUEST', 'this is no fact: it needs `is`, `key`, `from` and `device`')
  return value as Fact
}

const sizeOf = (item: Item): number =>
  'json' in item ? item.json.length : item.is === 'keep' ? item.bytes.length : 0
