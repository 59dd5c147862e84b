import type { Window } from './faults.ts'
import type { Sample } from './starved.ts'

/** So much the measuring itself may be off: two processes, one socket, a busy machine, ms. */
export const slackMs = 500

/** One life of the bridge, and how far its own clock was ahead of ours, ms; null: nothing was heard of it that tells. */
export interface Epoch {
  readonly from: number
  readonly to: number
  offset: number | null
}

/** The faults of a run, and what the bridge's clock said when: its trail and our records are compared through this. */
export class Times {
  readonly windows: readonly Window[]
  readonly epochs: readonly Epoch[]

  readonly #samples: readonly Sample[]

  constructor(windows: readonly Window[], epochs: readonly Epoch[], samples: readonly Sample[] = []) {
    this.windows = windows
    this.epochs = epochs
    this.#samples = samples
  }

  /** How long the machine had no time for us between two moments, ms; what it took of the samples around them counts whole. */
  starvedMs(from: number, to: number): number {
    const [first, last] = [this.#before(from), this.#before(to) + 1]
    const end = this.#samples[Math.min(last, this.#samples.length - 1)]
    return (end?.waitedMs ?? 0) - (this.#samples[first]?.waitedMs ?? 0)
  }

  /** The last sample before a moment. */
  #before(at: number): number {
    let [low, high] = [0, Math.max(0, this.#samples.length - 1)]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#samples[middle] as Sample).at < at) low = middle
      else high = middle - 1
    }
    return low
  }

  /** A fact that was recorded at `bridgeAt` had been sent at `sentAt`: the smallest difference of a life is its offset. */
  learn(sentAt: number, bridgeAt: number): void {
    const epoch = this.#at(sentAt)
    if (epoch) epoch.offset = Math.min(epoch.offset ?? Number.POSITIVE_INFINITY, bridgeAt - sentAt)
  }

  /** What the bridge's clock said at a moment of ours; null where that is not known. */
  bridgeAt(at: number): number | null {
    const offset = this.#at(at)?.offset ?? null
    return offset === null ? null : at + offset
  }

  /** The moment of ours at which the bridge's clock, which never goes back, said this. */
  ours(bridgeAt: number): number | null {
    let found: number | null = null
    for (const { from, to, offset } of this.epochs) {
      if (offset === null) continue
      if (bridgeAt < from + offset) break
      found = Math.min(bridgeAt - offset, to)
    }
    return found
  }

  /** Whether a fault of these kinds touched the time between two moments; `group`: only those on this group. */
  hasFault(kinds: RegExp, group: string | null, from: number, to: number): boolean {
    return this.windows.some(
      (window) =>
        kinds.test(window.kind) &&
        (group === null || window.on === group) &&
        window.from <= to &&
        window.to >= from,
    )
  }

  /** How long a slow wire to a group may have kept what came out of it between two moments, ms. */
  slowMs(group: string, from: number, to: number): number {
    const slow = this.windows.filter(
      (window) =>
        window.kind === 'wire-slow' && window.on === group && window.from <= to && window.to >= from,
    )
    return Math.max(0, ...slow.map(({ by }) => by))
  }

  #at(at: number): Epoch | undefined {
    return this.epochs.find(({ from, to }) => at >= from && at <= to + slackMs)
  }
}
