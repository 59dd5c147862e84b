import type { Kind, Trouble } from '../../core/fact.ts'
import { contactIdMeaning } from './contact-id.ts'
import type { Event } from './payload.ts'
import { siaMeaning } from './sia.ts'

/** What the number of a code counts: zones, users, or either, as makers differ. */
export type Counts = 'zone' | 'user' | 'either'

/** What an event asks for. */
export type Meaning = { readonly words: string; readonly counts: Counts } & (
  | {
      readonly is: 'press'
      readonly kind: Kind
      readonly phase: 'active' | 'restored'
      /** A fire alarm: for a device that means fire it is the level of that input as well. */
      readonly fire?: true
    }
  | {
      readonly is: 'trouble'
      readonly trouble: Trouble['trouble']
      readonly phase: 'active' | 'restored'
    }
  /** Worth knowing beside a press: openings, closings, tests. */
  | { readonly is: 'context' }
)

/** What the config makes of a code, in place of the tables. */
export type Codes = Readonly<Record<string, Kind | 'context'>>

/** What an event asks for. A code that nobody knows is a call of kind `unknown`, never noise. */
export const meaningOf = (event: Event, codes: Codes): Meaning => {
  const meant =
    event.qualifier === null ? siaMeaning(event.code) : contactIdMeaning(event.code, event.qualifier)
  const chosen = codes[event.code]
  if (chosen === undefined) return meant
  const { words, counts } = meant
  if (chosen === 'context') return { is: 'context', words, counts }
  const phase = event.qualifier === 3 ? 'restored' : 'active'
  return { is: 'press', kind: chosen, phase, words, counts }
}
