import type { Entry } from '../core/trail/entry.ts'

/**
 * An entry as the stream sends it: with the time of its change set. The same text for what was told as it happened and
 * for what is read back from the trail, so that the two can be matched.
 */
export const textOf = (entry: Entry, at: number): string => JSON.stringify({ ...entry, at })
