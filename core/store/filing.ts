import type { Clock, Timer } from '../clock.ts'
import { messageOf } from '../error.ts'
import { Bundle } from './backlog.ts'
import type { Written } from './disk.ts'
import { release } from './journal.ts'
import type { Applied } from './sqlite.ts'
import type { Transport } from './transport.ts'

/**
 * A bundle goes into the store's file this long after the last one came, ms: when whoever has been told of it has been
 * served, and the processor has nothing to do.
 */
const quietMs = 20
/** And at the latest this long after the first, ms. */
const atLatestMs = 250
/** Rows that one transaction takes, except for the last bundle's. */
const batchRows = 2_000

/** A bundle on its way into the file. */
interface Unfiled {
  readonly n: number
  readonly rows: number
  readonly sets: number
  /** As the journal has it, outside of the heap; or itself, when somebody still waits for it. */
  readonly what: Uint8Array | Bundle
  readonly then: (applied: Applied) => void
}

/** Brings bundles into the store's file, in their order, many in one transaction. */
export class Filing {
  readonly #clock: Clock
  readonly #transport: Transport
  readonly #written: (written: Written) => void
  /** Those that were asked for come first, so many as `#asked` says. */
  #queue: Unfiled[] = []
  #asked = 0
  #rows = 0
  #timer: Timer | null = null
  #firstAt = 0
  #lastAt = 0
  /** Of what failed nothing more is heard. */
  #life = 0
  #idle: (() => void) | null = null
  #ballastGone = false
  /** The newest bundle that is in the file. */
  upTo = 0

  constructor(clock: Clock, transport: Transport, written: (written: Written) => void) {
    this.#clock = clock
    this.#transport = transport
    this.#written = written
  }

  /** `then` is called once it is in the file, unless that fails. */
  add(unfiled: Unfiled): void {
    this.#lastAt = this.#clock.mono()
    if (this.#queue.length === this.#asked) this.#firstAt = this.#lastAt
    this.#queue.push(unfiled)
    this.#rows += unfiled.rows
    if (unfiled.what instanceof Bundle) this.hurry()
    else if (this.#rows >= batchRows && this.#asked === 0) this.#ask()
    else this.#timer ??= this.#clock.after(quietMs, () => this.#look())
  }

  /** Whatever is asked of the store from now on finds all that was added before. */
  hurry(): void {
    while (this.#queue.length > this.#asked) this.#ask()
  }

  /** Resolves when all is in the file, or nothing more can be. */
  async end(): Promise<void> {
    this.hurry()
    if (this.#queue.length > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
  }

  /** Gives up: the bundles that are not in the file, in order. */
  takeBack(): Bundle[] {
    this.#life++
    this.#timer?.cancel()
    this.#timer = null
    this.#asked = 0
    this.#rows = 0
    const left = this.#queue.splice(0)
    this.#idle?.()
    return left.map((unfiled) =>
      unfiled.what instanceof Bundle ? unfiled.what : Bundle.kept(unfiled.what, unfiled),
    )
  }

  #look(): void {
    this.#timer = null
    if (this.#queue.length === this.#asked) return
    const now = this.#clock.mono()
    const at = Math.min(this.#lastAt + quietMs, this.#firstAt + atLatestMs)
    // While a transaction is under way, what comes is gathered.
    if (now >= at && this.#asked === 0) this.#ask()
    else this.#timer = this.#clock.after(Math.max(1, at - now), () => this.#look())
  }

  #ask(): void {
    const batch: Unfiled[] = []
    for (let rows = 0; rows < batchRows && this.#queue.length > this.#asked; this.#asked++) {
      const next = this.#queue[this.#asked] as Unfiled
      rows += next.rows
      batch.push(next)
    }
    this.#rows -= batch.reduce((sum, { rows }) => sum + rows, 0)
    this.#firstAt = this.#clock.mono()
    const life = this.#life
    const done = (written: Written) => {
      if (life === this.#life) this.#done(batch, written)
    }
    const upTo = (batch.at(-1) as Unfiled).n
    const parts = batch.map(({ what }) => (what instanceof Bundle ? what.flat : what))
    this.#transport
      .ask({ do: 'write', parts, upTo })
      .then(done, (error) => done({ lost: messageOf(error), ballastGone: this.#ballastGone }))
  }

  #done(batch: readonly Unfiled[], written: Written): void {
    this.#ballastGone = written.ballastGone
    if ('applied' in written) {
      this.#queue.splice(0, batch.length)
      this.#asked -= batch.length
      this.upTo = (batch.at(-1) as Unfiled).n
    }
    this.#written(written)
    if ('lost' in written) return
    let from = 0
    for (const { sets, what, then } of batch) {
      then(partOf(written.applied, from, sets))
      from += sets
      if (!(what instanceof Bundle)) release(what)
    }
    if (this.#queue.length > this.#asked) this.#timer ??= this.#clock.after(1, () => this.#look())
    if (this.#queue.length === 0) this.#idle?.()
  }
}

/** What became of the sets of one bundle among those of a batch. */
const partOf = ({ refused, repeated, head }: Applied, from: number, count: number): Applied => {
  const own = <Of>(all: readonly (readonly [number, Of])[]): (readonly [number, Of])[] =>
    all.filter(([index]) => index >= from && index < from + count).map(([index, of]) => [index - from, of])
  return { refused: own(refused), repeated: own(repeated), head }
}
