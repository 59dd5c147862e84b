import PostalMime, { type Email } from 'postal-mime'
import type { Json } from '../../core/fact.ts'

/** Parts within parts, and bytes of headers, beyond which a mail is not taken apart but read as it stands. */
const bounds = { maxNestingDepth: 20, maxHeadersSize: 65_536, maxRfc822NestingDepth: 1 }

/** Lines that could begin a part, beyond which the same: taking thousands of parts apart would hold up everybody else. */
const partsMax = 500

/** What a mail says to a person. */
export interface Mail {
  /** Subject and text, in one. */
  readonly text: string
  /** Message-ID with the date, where it has one: the same for each time that the mail is delivered. */
  readonly id: string | undefined
  /** What else is worth keeping: who it says it is from, and what marks mail that no person or system meant as a message. */
  readonly raw: Json
}

/** Reads a mail, whole or cut; whatever cannot be read as one is read as the text that it is. */
export const readMail = async (bytes: Buffer): Promise<Mail> => {
  const asItStands = { text: bytes.toString('latin1'), id: undefined, raw: { unreadable: true } }
  if (asItStands.text.split('\n--', partsMax + 2).length > partsMax) return asItStands
  let email: Email
  try {
    email = await PostalMime.parse(bytes, bounds)
  } catch {
    return asItStands
  }
  const { subject = '', messageId, date } = email
  const body = email.text?.trim() || wordsOf(email.html ?? '')
  return {
    text: `${subject} ${body}`,
    // A number that starts anew with its device is told apart by the date.
    id: messageId && `${messageId} ${date ?? ''}`.slice(0, 400),
    raw: { subject: subject.slice(0, 300), mailFrom: addressOf(email), automatic: automaticOf(email) },
  }
}

const addressOf = ({ from }: Email): string | undefined =>
  (from?.address ?? from?.name)?.slice(0, 200).toWellFormed()

/** Auto-replies and bounces say so (RFC 3834, 5; RFC 3464): a text like any other, but whoever reads it should know. */
const automaticOf = ({ headers }: Email): string | undefined => {
  const headerOf = (name: string) => headers.find(({ key }) => key === name)?.value.toLowerCase() ?? ''
  const submitted = headerOf('auto-submitted')
  if (submitted !== '' && !submitted.startsWith('no')) return submitted.slice(0, 60)
  if (headerOf('content-type').startsWith('multipart/report')) return 'report'
  const precedence = headerOf('precedence')
  return /^(bulk|list|junk|auto_reply)/.test(precedence) ? precedence.slice(0, 60) : undefined
}

const entities: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  nbsp: ' ',
}

/** What nobody sees of HTML. */
const unseen = /^(script|style|head|title)$/

/** The words of HTML: what a reader would see of it, on one line. In time proportional to its length. */
export const wordsOf = (html: string): string => seenOf(html, unseen) ?? seenOf(html, null) ?? ''

/** null when something that is not seen never ends: then it is all that there is. */
const seenOf = (html: string, hidden: RegExp | null): string | null => {
  const [first = '', ...rest] = html.split('<')
  const seen = [first]
  let within: string | null = null
  for (const piece of rest) {
    const [, slash = '', name = ''] = /^(\/?)([a-z0-9]*)/i.exec(piece) ?? []
    const tag = name.toLowerCase()
    if (within === null && slash === '' && hidden?.test(tag)) within = tag
    else if (within !== null && slash !== '' && tag === within) within = null
    if (within !== null) continue
    const end = piece.indexOf('>')
    seen.push(end < 0 ? `<${piece}` : piece.slice(end + 1))
  }
  return within === null ? decoded(seen.join(' ')).replace(/\s+/g, ' ').trim() : null
}

const decoded = (text: string): string =>
  text.replace(/&(?:(\w{2,6})|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi, (whole, name, decimal, hex) => {
    if (name) return entities[String(name).toLowerCase()] ?? whole
    const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
