import type { Fact, Json } from '../../core/fact.ts'
import { type Account, deviceOf, personOf, wholeOf, wordsOf } from './accounts.ts'
import { type Content, type Header, textOf, timeOf } from './codec.ts'
import { type Codes, type Meaning, meaningOf } from './codes.ts'
import { positionAt, readExtensions } from './extensions.ts'
import { type Event, readContactId, readSia } from './payload.ts'

/** A message that has been read, of an account that may be known. */
export interface Message {
  readonly header: Header
  readonly content: Content
  readonly account: Account | null
  /** The account as it is written in the message. */
  readonly name: string
}

/** The events of a message with what they mean; `readable` says whether that is all of it. */
export interface Told {
  readonly events: readonly { readonly event: Event; readonly meaning: Meaning }[]
  readonly readable: boolean
}

export const toldIn = ({ header, content }: Message, codes: Codes): Told => {
  const contactId = () => [readContactId(content.payload)].filter((event) => event !== null)
  const sia = (): readonly Event[] => readSia(content.payload).events
  // Some panels send the one format under the name of the other.
  const [first, second] = header.id === 'ADM-CID' ? [contactId, sia] : [sia, contactId]
  const named = first()
  const events = named.length > 0 ? named : second()
  return {
    events: events.map((event) => ({ event, meaning: meaningOf(event, codes) })),
    readable: events.length > 0,
  }
}

/** What makes one message the same as another: all but time, pad and sequence. */
export const bodyOf = ({ header, content }: Message): string =>
  [header.id, content.data, ...content.ext].join('\n')

/** What the wire said, for the record. */
const rawOf = ({ header, content }: Message): Json => ({
  id: header.encrypted ? `*${header.id}` : header.id,
  seq: header.seq,
  receiver: header.receiver,
  line: header.line,
  account: header.account,
  data: textOf(content.data),
  ext: content.ext.map(textOf),
  time: content.timestamp,
})

/** A clock that is further off than this is worth a word, ms: the widest that an encrypted message may be. */
const clockMs = 40_000

/** What all facts of a message share; `clock` says in words that the panel's is wrong. */
const saidOf = (message: Message, key: string, now: number) => {
  const extensions = readExtensions(message.content.ext)
  const { timestamp } = message.content
  const sentAt = timestamp === null ? null : timeOf(timestamp)
  const occurredAt = extensions.happenedAt ?? sentAt
  const offMs = sentAt === null ? 0 : sentAt - now
  const clock =
    Math.abs(offMs) > clockMs
      ? `panel clock ${Math.round(Math.abs(offMs) / 1_000)} s ${offMs < 0 ? 'behind' : 'ahead'}`
      : null
  return { extensions, clock, said: { key, raw: rawOf(message), ...(occurredAt !== null && { occurredAt }) } }
}

/** The fact that an event is; null for what is only worth knowing. */
export const factOf = (
  message: Message,
  { event, meaning }: Told['events'][number],
  key: string,
  now: number,
): Fact | null => {
  if (meaning.is === 'context') return null
  const { account, name } = message
  const { extensions, clock, said } = saidOf(message, key, now)
  const device = account === null ? null : deviceOf(account, event, meaning)
  const words = [`${meaning.words} (${event.code})`, event.text, extensions.words, clock]
    .filter(Boolean)
    .join(', ')
  const from = `${account === null ? 'unknown ' : ''}${wordsOf(name, event, meaning)}: ${meaning.words} (${event.code})`
  if (meaning.is === 'trouble')
    return { is: 'trouble', phase: meaning.phase, trouble: meaning.trouble, words, device, from, ...said }
  const person = personOf(account, event, meaning, device)
  return {
    is: 'press',
    phase: meaning.phase,
    kind: meaning.kind,
    pattern: event.code,
    words,
    device,
    from,
    ...said,
    ...(person !== null && { person }),
    ...positionAt(extensions, now),
  }
}

/** A message that nobody can read is a call for help all the same. */
export const unreadableOf = (message: Message, key: string, now: number): Fact => {
  const { extensions, said } = saidOf(message, key, now)
  const { account, name, content } = message
  const words = `cannot be read: "${textOf(content.payload).slice(0, 80)}"`
  return {
    is: 'press',
    phase: 'active',
    kind: 'unknown',
    device: wholeOf(account),
    words,
    from: `${account === null ? 'unknown ' : ''}account ${name}: ${words}`,
    ...said,
    ...positionAt(extensions, now),
  }
}

/** An opening, a closing or a test, in words. */
export const contextOf = ({ account, name }: Message, { event, meaning }: Told['events'][number]): string => {
  const person = personOf(account, event, meaning, null)
  return `${meaning.words} (${event.code}), ${wordsOf(name, event, meaning)}${person === null ? '' : `, ${person}`}`
}
