import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Trouble } from '../../core/fact.ts'
import { type Account, wholeOf } from './accounts.ts'

/** How often refusals are logged, ms. */
const logEveryMs = 60_000
/** A wrong time is put right by our NAK: only a panel that goes on with it is in trouble. */
const timesMax = 3
/** Accounts that nobody configured and whose trouble is told: anybody can make some up. */
const unknownMax = 20

/** Why a right frame was not taken. */
export type Why = 'plain' | 'no key' | 'key' | 'time' | 'format'

const words: Readonly<Record<Why, string>> = {
  plain: 'sends in clear what must be encrypted',
  'no key': 'sends encrypted messages, and no key is configured for it',
  key: 'sends messages that its key does not open',
  time: 'sends encrypted messages with a wrong time',
  format: 'sends messages of a format that is not known here',
}

/** Counts and tells what is not taken: in the log at times, and as a trouble of the account until it is taken again. */
export class Refusals {
  readonly #ctx: Context
  readonly #accounts = new Map<string, { times: number; trouble: Trouble | null }>()
  readonly counts: Record<Why | 'damaged' | 'silenced', number> = {
    plain: 0,
    'no key': 0,
    key: 0,
    time: 0,
    format: 0,
    damaged: 0,
    silenced: 0,
  }
  #loggedAt = Number.NEGATIVE_INFINITY
  #unknown = 0

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  /** One message was refused; `account` is null where nobody configured the one that it names. */
  add(account: Account | null, name: string, why: Why): void {
    const { clock, log } = this.#ctx
    this.counts[why]++
    if (clock.mono() - this.#loggedAt >= logEveryMs) {
      this.#loggedAt = clock.mono()
      log.warn({ account: name, refused: { ...this.counts } }, `account ${name} ${words[why]}`)
    }
    const id = account?.name ?? `unknown ${name.toUpperCase()}`
    const known = this.#accounts.get(id) ?? { times: 0, trouble: null }
    if (!account && !this.#accounts.has(id) && ++this.#unknown > unknownMax) return
    known.times++
    this.#accounts.set(id, known)
    if (known.trouble || (why === 'time' && known.times < timesMax)) return
    known.trouble = {
      is: 'trouble',
      phase: 'active',
      trouble: 'fault',
      device: wholeOf(account),
      from: `${account ? '' : 'unknown '}account ${account?.name ?? name}`,
      words: words[why],
      key: `refused ${id} ${clock.now()}`,
      raw: { account: name, refused: words[why] },
    }
    this.#record(known.trouble)
  }

  /** A message of the account was taken: what was wrong is over. */
  taken(account: string): void {
    const known = this.#accounts.get(account)
    if (!known) return
    this.#accounts.delete(account)
    if (known.trouble) this.#record({ ...known.trouble, phase: 'restored', key: `${known.trouble.key} over` })
  }

  #record(trouble: Trouble): void {
    this.#ctx.record(trouble).catch((error: unknown) => {
      this.#ctx.log.warn({ error: messageOf(error) }, `not recorded: ${trouble.from} ${trouble.words}`)
    })
  }
}
