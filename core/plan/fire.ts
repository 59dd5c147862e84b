import type { Door } from '../site/site.ts'

/** What is known of a door's fire inputs. Unknown fire is fire (safety.md, "Doors"). */
export type Fire = 'clear' | 'active' | 'unknown'

/** One fire input as it was read last. */
export interface FireReading {
  readonly active: boolean
  readonly good: boolean
  /** ms since the epoch */
  readonly at: number
  /** How old it may get before it is unknown, ms. */
  readonly staleMs: number
}

/** The worst that the inputs covering a door say; a door without fire inputs is one that the config says has none. */
export const fireAt = (
  door: Door,
  reading: (input: string) => FireReading | undefined,
  now: number,
): Fire => {
  let worst: Fire = 'clear'
  for (const input of door.fireInputs) {
    const read = reading(input)
    if (read?.active) return 'active'
    if (!read?.good || now - read.at > read.staleMs) worst = 'unknown'
  }
  return worst
}

/** The words of a receipt for a lock that fire forbids. */
export const fireReason = (fire: Fire): string | null =>
  fire === 'clear' ? null : fire === 'active' ? 'fire' : 'fire state unknown'
