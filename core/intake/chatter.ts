import type { Clock } from '../clock.ts'
import type { Committed } from '../store/port.ts'

/** What a chattering source says is counted for this long, then written as one row, ms. */
const everyMs = 1_000

/** One second of one source. */
export interface Count {
  readonly words: string
  readonly incident: string | null
  count: number
}

/** Counts what a chattering source says beyond its rows, and writes one summary a second for each. */
export class Chatter {
  readonly #clock: Clock
  readonly #write: (count: Count) => Promise<Committed>
  readonly #sources = new Map<string, { count: Count; written: Promise<Committed> }>()

  constructor(clock: Clock, write: (count: Count) => Promise<Committed>) {
    this.#clock = clock
    this.#write = write
  }

  /** Resolves when the summary that counts this one is written. */
  add(source: string, words: string, incident: string | null): Promise<Committed> {
    const known = this.#sources.get(source)
    if (known) {
      known.count.count++
      return known.written
    }
    const count = { words, incident, count: 1 }
    const written = new Promise<Committed>((resolve, reject) => {
      this.#clock.after(everyMs, () => {
        this.#sources.delete(source)
        this.#write(count).then(resolve, reject)
      })
    })
    this.#sources.set(source, { count, written })
    return written
  }
}
