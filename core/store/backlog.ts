import { encode, type Value } from './encode.ts'
import { unpacked } from './journal.ts'
import type { KnownKey } from './keys.ts'
import type { ChangeSet, Committed } from './port.ts'

/** Rows that one transaction takes at most, so that no press waits for a whole storm. */
const bundleRows = 2_000
/** Rows that memory holds for a disk; what comes then is only counted. */
const backlogRows = 50_000

/** Who waits for a change set. */
export interface Waiting {
  readonly set: ChangeSet
  /** null once it has been called. */
  act: (() => void) | null
  readonly key: KnownKey | null
  /** Its key belongs to a set that is still on its way: it acts only if that one is refused. */
  readonly repeats: boolean
  readonly settle: (committed: Committed) => void
  readonly fail: (error: unknown) => void
}

/** Change sets that become one transaction; their places in `sets` are those in `flat`. */
export class Bundle {
  readonly flat: Value[] = []
  readonly sets: (Waiting | null)[] = []
  rows = 0
  /** Somebody waits for it. */
  waits = false
  sealed = false

  /** One again that is in the journal: whoever waited for it has been told. */
  static kept(bytes: Uint8Array, { rows, sets }: { rows: number; sets: number }): Bundle {
    const bundle = new Bundle()
    for (const value of unpacked(bytes)) bundle.flat.push(value)
    for (let n = 0; n < sets; n++) bundle.sets.push(null)
    bundle.rows = rows
    return bundle
  }
}

/** The change sets that are not on disk, in order, and the count of those that found no room. */
export class Backlog {
  #bundles: Bundle[] = []
  #gap = { sets: 0, from: 0, to: 0 }
  rows = 0
  /** Sets that found no room since the start. */
  lost = 0

  get bundles(): readonly Bundle[] {
    return this.#bundles
  }

  get isFull(): boolean {
    return this.rows >= backlogRows
  }

  add(set: ChangeSet, waiting: Waiting | null): void {
    const last = this.#last()
    const rows = encode(set, last.flat)
    last.rows += rows
    this.rows += rows
    last.sets.push(waiting)
    if (set.waits) last.waits = true
  }

  #last(): Bundle {
    let last = this.#bundles.at(-1)
    if (!last || last.sealed || last.rows >= bundleRows) {
      last = new Bundle()
      this.#bundles.push(last)
    }
    return last
  }

  lose({ at }: ChangeSet): void {
    const { sets, from } = this.#gap
    this.#gap = { sets: sets + 1, from: sets === 0 ? at : from, to: at }
    this.lost++
  }

  /** Puts the count of what was lost where it would have stood. */
  tellGap(): void {
    const { sets, from, to } = this.#gap
    if (sets === 0) return
    this.#gap = { sets: 0, from: 0, to: 0 }
    const entries = [{ what: 'store.gap', incident: null, sets, from, to }]
    this.add({ at: to, waits: false, trail: { incident: null, entries } }, null)
  }

  /** What comes from now on goes into a bundle of its own. */
  seal(): void {
    const last = this.#bundles.at(-1)
    if (last) last.sealed = true
  }

  take(count = 1): readonly Bundle[] {
    const taken = this.#bundles.splice(0, count)
    for (const { rows } of taken) this.rows -= rows
    return taken
  }

  putBack(bundle: Bundle): void {
    this.#bundles.unshift(bundle)
    this.rows += bundle.rows
  }
}

/** Lets the response run, once. What it throws reaches whoever waits for the set, and nobody else. */
export const actNow = (waiting: Waiting): void => {
  const { act } = waiting
  waiting.act = null
  try {
    act?.()
  } catch (error) {
    waiting.fail(error)
  }
}
