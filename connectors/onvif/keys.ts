import { z } from 'zod'
import { BoundedMap } from '../../core/bounded.ts'

/** Times of which is remembered that they had a fact already. */
const rememberedMax = 200

/** The newest time of a fact, and how many it had before. */
export const Last = z.object({ at: z.number(), nth: z.number() }).nullable().catch(null)
type Last = z.infer<typeof Last>

/**
 * What makes a fact the same when it is heard twice: the subscription it came by, and the device's own time. A device
 * tells nothing twice within one life of ours; but many tell whole seconds only, and clocks are set back: then the
 * second fact of a time is another one.
 */
export class Keys {
  readonly #session: () => number
  readonly #seen = new BoundedMap<number, number>(rememberedMax)
  #last: Last

  /** `session`: unique to one life of a subscription; clocks of cameras start at the same time after each power cut. */
  constructor(session: () => number, last: Last) {
    this.#session = session
    this.#last = last
    // Of two presses within a second none may be lost; a time with milliseconds is one and the same press.
    if (last !== null && last.at % 1_000 === 0) this.#seen.set(last.at, last.nth + 1)
  }

  /** To be kept over a restart. */
  get last(): Last {
    return this.#last
  }

  next(at: number): string {
    const nth = this.#seen.get(at) ?? 0
    this.#last = { at, nth }
    this.#seen.delete(at)
    this.#seen.set(at, nth + 1)
    return `${this.#session()}/${at}${nth === 0 ? '' : `+${nth}`}`
  }
}
