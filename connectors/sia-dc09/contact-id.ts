import type { Kind, Trouble } from '../../core/fact.ts'
import type { Counts, Meaning } from './codes.ts'

/** Event codes of Contact ID (SIA DC-05). What a range means, and the codes in it that mean something of their own. */

type What =
  | { readonly press: Kind; readonly fire?: true }
  | { readonly trouble: Trouble['trouble'] }
  | { readonly context: true }

interface Row {
  readonly from: number
  readonly to: number
  readonly what: What
  readonly words: string
  readonly counts?: Counts
}

const press = (kind: Kind): What => ({ press: kind })
const trouble = (which: Trouble['trouble']): What => ({ trouble: which })
const context: What = { context: true }

/** The first row that fits wins: single codes stand before the ranges that they are in. */
const rows: readonly Row[] = [
  { from: 100, to: 100, what: press('medical'), words: 'medical' },
  { from: 101, to: 101, what: press('medical'), words: 'personal emergency' },
  { from: 102, to: 102, what: press('medical'), words: 'did not report in' },
  { from: 103, to: 109, what: press('medical'), words: 'medical' },
  { from: 110, to: 119, what: { press: 'hazard', fire: true }, words: 'fire' },
  { from: 120, to: 120, what: press('duress'), words: 'panic' },
  { from: 121, to: 121, what: press('duress'), words: 'duress code', counts: 'user' },
  { from: 122, to: 122, what: press('duress'), words: 'silent panic' },
  { from: 123, to: 123, what: press('duress'), words: 'audible panic' },
  { from: 124, to: 124, what: press('duress'), words: 'duress, access granted', counts: 'user' },
  { from: 125, to: 125, what: press('duress'), words: 'duress, egress granted', counts: 'user' },
  { from: 126, to: 126, what: press('hold-up'), words: 'hold-up' },
  { from: 127, to: 129, what: press('duress'), words: 'panic' },
  { from: 137, to: 137, what: trouble('tamper'), words: 'tamper' },
  { from: 130, to: 139, what: press('unknown'), words: 'burglary' },
  { from: 141, to: 142, what: trouble('fault'), words: 'polling loop' },
  { from: 143, to: 143, what: trouble('fault'), words: 'expansion module failed' },
  { from: 144, to: 145, what: trouble('tamper'), words: 'tamper' },
  { from: 147, to: 147, what: trouble('comm-loss'), words: 'sensor supervision lost' },
  { from: 140, to: 149, what: press('unknown'), words: 'general alarm' },
  { from: 151, to: 151, what: press('hazard'), words: 'gas' },
  { from: 152, to: 153, what: press('hazard'), words: 'temperature' },
  { from: 154, to: 154, what: press('hazard'), words: 'water leak' },
  { from: 155, to: 155, what: press('unknown'), words: 'foil break' },
  { from: 156, to: 156, what: trouble('fault'), words: 'day trouble' },
  { from: 157, to: 157, what: press('hazard'), words: 'gas bottle low' },
  { from: 158, to: 159, what: press('hazard'), words: 'temperature' },
  { from: 161, to: 161, what: press('hazard'), words: 'no air flow' },
  { from: 162, to: 162, what: press('hazard'), words: 'carbon monoxide' },
  { from: 163, to: 168, what: press('hazard'), words: 'tank level or humidity' },
  { from: 150, to: 199, what: press('unknown'), words: 'alarm' },
  { from: 200, to: 299, what: trouble('fault'), words: 'fire supervision' },
  { from: 301, to: 301, what: trouble('power-loss'), words: 'mains lost' },
  { from: 302, to: 302, what: trouble('low-battery'), words: 'system battery low' },
  { from: 305, to: 306, what: context, words: 'system reset or programmed' },
  { from: 308, to: 308, what: trouble('fault'), words: 'system shut down' },
  { from: 309, to: 309, what: trouble('low-battery'), words: 'battery test failed' },
  { from: 311, to: 311, what: trouble('low-battery'), words: 'battery missing' },
  { from: 312, to: 312, what: trouble('power-loss'), words: 'power supply overloaded' },
  { from: 313, to: 313, what: context, words: 'engineer reset' },
  { from: 337, to: 337, what: trouble('power-loss'), words: 'expansion module without power' },
  { from: 338, to: 338, what: trouble('low-battery'), words: 'expansion module battery low' },
  { from: 341, to: 341, what: trouble('tamper'), words: 'expansion module tamper' },
  { from: 342, to: 342, what: trouble('power-loss'), words: 'expansion module mains lost' },
  { from: 344, to: 344, what: trouble('comm-loss'), words: 'radio jammed' },
  { from: 350, to: 359, what: trouble('comm-loss'), words: 'communication failed' },
  { from: 381, to: 382, what: trouble('comm-loss'), words: 'radio supervision lost' },
  { from: 383, to: 383, what: trouble('tamper'), words: 'sensor tamper' },
  { from: 384, to: 384, what: trouble('low-battery'), words: 'radio battery low' },
  { from: 300, to: 399, what: trouble('fault'), words: 'system trouble' },
  { from: 423, to: 423, what: trouble('forced'), words: 'door forced' },
  { from: 426, to: 426, what: trouble('held-open'), words: 'door held open' },
  { from: 424, to: 425, what: context, words: 'access control', counts: 'zone' },
  { from: 427, to: 434, what: context, words: 'access control', counts: 'zone' },
  { from: 461, to: 461, what: trouble('tamper'), words: 'wrong code entered' },
  { from: 406, to: 406, what: context, words: 'alarm cancelled by a user', counts: 'user' },
  { from: 410, to: 439, what: context, words: 'remote or door access', counts: 'user' },
  { from: 451, to: 455, what: context, words: 'not opened or closed in time', counts: 'user' },
  { from: 462, to: 466, what: context, words: 'on the premises', counts: 'user' },
  { from: 400, to: 499, what: context, words: 'opened', counts: 'user' },
  { from: 574, to: 574, what: trouble('bypassed'), words: 'bypassed', counts: 'user' },
  { from: 500, to: 599, what: trouble('bypassed'), words: 'bypassed or disabled' },
  { from: 601, to: 601, what: context, words: 'manual test' },
  { from: 602, to: 602, what: context, words: 'periodic test' },
  { from: 607, to: 607, what: context, words: 'walk test', counts: 'user' },
  { from: 611, to: 616, what: context, words: 'walk test of a point' },
  { from: 627, to: 628, what: context, words: 'programming', counts: 'user' },
  { from: 641, to: 641, what: trouble('fault'), words: 'no movement seen' },
  { from: 600, to: 699, what: context, words: 'test or log' },
]

/** `421` and the like have no other side to be told of: what qualifier 3 says of them is the closing. */
const wordsOf = (row: Row, restored: boolean): string =>
  row.words === 'opened' && restored ? 'closed' : restored ? `${row.words}, over` : row.words

/** What a code means. Classes that Contact ID doesn't have, letters among them, are calls of kind `unknown`. */
export const contactIdMeaning = (code: string, qualifier: 1 | 3 | 6): Meaning => {
  const number = /^\d{3}$/.test(code) ? Number(code) : Number.NaN
  const row = rows.find(({ from, to }) => number >= from && number <= to)
  const phase = qualifier === 3 ? 'restored' : 'active'
  if (!row) return { is: 'press', kind: 'unknown', phase, words: 'unknown code', counts: 'zone' }
  const words = wordsOf(row, phase === 'restored')
  const counts = row.counts ?? 'zone'
  const { what } = row
  if ('press' in what)
    return { is: 'press', kind: what.press, phase, words, counts, ...(what.fire && { fire: true }) }
  if ('trouble' in what) return { is: 'trouble', trouble: what.trouble, phase, words, counts }
  return { is: 'context', words, counts }
}
