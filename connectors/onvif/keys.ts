/** Times of which is remembered that they had a fact already. */
const rememberedMax = 200

/**
 * What makes a fact the same when it is heard twice: the subscription it came by, and the device's own time. A device
 * tells nothing twice within one life of ours, but many tell whole seconds only, and clocks are set back: the second
 * fact of a time is another one.
 */
export class Keys {
  readonly #session: () => number
  readonly #seen = new Map<number, number>()

  /** `session`: unique to one life of a subscription; clocks of cameras start at the same time after each power cut. */
  constructor(session: () => number) {
    this.#session = session
  }

  next(at: number): string {
    const nth = this.#seen.get(at) ?? 0
    this.#seen.delete(at)
    this.#seen.set(at, nth + 1)
    if (this.#seen.size > rememberedMax) this.#seen.delete(this.#seen.keys().next().value as number)
    return `${this.#session()}/${at}${nth === 0 ? '' : `+${nth}`}`
  }
}
