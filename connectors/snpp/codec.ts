/** One whole answer of the server; `text` has the lines of a multi-line answer joined. */
export interface Reply {
  readonly code: number
  readonly text: string
}

/** Bytes of one line, CR LF included, that are taken; RFC 1861 sets none, so the 512 of SMTP's replies (RFC 5321, 4.5.3.1.5). */
export const lineMax = 512

/** Lines of one answer that are taken. */
const linesMax = 64

/** What came is no reply of the protocol. */
export class NoReply extends Error {}

/** Puts replies together from bytes as they come. */
export class ReplyReader {
  #rest = ''
  #lines: string[] = []

  /** The replies that are whole now; throws NoReply for bytes that can't become one. */
  feed(bytes: Uint8Array): Reply[] {
    // Each byte one character: what isn't ASCII must not be able to change the count of bytes.
    this.#rest += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
    const replies: Reply[] = []
    for (;;) {
      const end = this.#rest.indexOf('\n')
      if (end >= lineMax || (end < 0 && this.#rest.length >= lineMax))
        throw new NoReply(`a line of more than ${lineMax} bytes`)
      if (end < 0) {
        // Noise may never hold a line's end: what can't begin a reply is told at once, not after the timeout.
        if (!/^(\d{0,3}$|\d{3}[ \r-])/.test(this.#rest)) throw new NoReply(quoted(this.#rest))
        return replies
      }
      const line = this.#rest.slice(0, end).replace(/\r$/, '')
      this.#rest = this.#rest.slice(end + 1)
      const reply = this.#line(line)
      if (reply) replies.push(reply)
    }
  }

  /** `250 text` ends an answer, `250-text` goes on with the same code. */
  #line(line: string): Reply | null {
    const match = /^(\d{3})(?:([ -])(.*))?$/.exec(line)
    if (!match) throw new NoReply(quoted(line))
    const [, code = '', more, text = ''] = match
    const first = this.#lines[0]
    if (first !== undefined && first !== code) throw new NoReply(`an answer ${first} that goes on as ${code}`)
    if (first === undefined) this.#lines.push(code)
    this.#lines.push(printable(text))
    if (this.#lines.length > linesMax) throw new NoReply(`an answer of more than ${linesMax} lines`)
    if (more === '-') return null
    const reply = { code: Number(code), text: this.#lines.slice(1).filter(Boolean).join(' ') }
    this.#lines = []
    return reply
  }
}

const quoted = (line: string): string => `"${printable(line).slice(0, 60)}"`

const printable = (text: string): string => text.replace(/[^ -~]/g, '?')

/** The commands of levels 1 and 2, by their four significant letters (RFC 1861, 4.5). */
const verbs = [
  'PAGE',
  'MESS',
  'RESE',
  'SEND',
  'QUIT',
  'HELP',
  'DATA',
  'LOGI',
  'LEVE',
  'ALER',
  'COVE',
  'HOLD',
  'CALL',
  'SUBJ',
] as const
export type Verb = (typeof verbs)[number]

/** One line for the wire. Whatever a word holds, it stays one line of ASCII. */
export const command = (verb: Verb, ...words: readonly string[]): string =>
  [verb, ...words.map(printable)].join(' ').slice(0, lineMax - 2) + '\r\n'

/** Whether SEND worked: 2xx, or the two-way states "delivered" and "queued" (RFC 1861, 4.6: 86x to 88x, 96x). */
export const isSent = (code: number): boolean =>
  (code >= 200 && code < 300) || (code >= 860 && code < 890) || (code >= 960 && code < 970)

/** The server's own number of the message, where one of its answers names it. */
export const jobOf = (text: string): string | undefined =>
  /\b(?:job|message|msg)[\s_-]*(?:id|tag|no|number)?\s*[:=#]\s*([A-Za-z0-9][\w.-]{0,39})/i.exec(text)?.[1]

/** Characters of a client's line that are kept: twice what is read of a text. */
const lineKept = 2_048

/** Characters of one line after which a client is mad. */
const lineLongest = 65_536

/** What comes is not the lines of a protocol. */
export class NoLine extends Error {}

/** Puts a client's lines together from bytes as they come; the end of an overlong one is dropped, not the line. */
export class LineReader {
  #rest = ''
  #length = 0

  /** The lines that are whole now, each byte one character; throws NoLine for one without end. */
  feed(bytes: Uint8Array): string[] {
    const [first = '', ...more] = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      .toString('latin1')
      .split('\n')
    const lines: string[] = []
    this.#add(first)
    for (const part of more) {
      lines.push(this.#rest.replace(/\r$/, ''))
      this.#rest = ''
      this.#length = 0
      this.#add(part)
    }
    return lines
  }

  #add(part: string): void {
    this.#length += part.length
    if (this.#length > lineLongest) throw new NoLine(`a line of more than ${lineLongest} bytes`)
    this.#rest += part.slice(0, lineKept - this.#rest.length)
  }
}

/** A client's command and the rest of its line; `verb` is null for what levels 1 and 2 do not know. */
export const verbOf = (line: string): { verb: Verb | null; rest: string } => {
  const [, word = '', rest = ''] = /^\s*(\S*)\s*(.*)$/s.exec(line) ?? []
  return { verb: verbs.find((verb) => verb === word.slice(0, 4).toUpperCase()) ?? null, rest: rest.trim() }
}

/** Bytes as text: UTF-8 where they are, else Latin-1, as pages of older systems are. */
export const textOf = (bytes: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return bytes
  }
}

/** One answer for the wire. */
export const reply = (code: number, text: string): string => `${code} ${printable(text)}\r\n`
