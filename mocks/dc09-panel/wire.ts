import { createCipheriv, createDecipheriv, randomInt } from 'node:crypto'

/** The wire of a SIA DC-09 communicator, as the premises equipment writes and reads it. */

/** CRC-16/ARC bit by bit, as the standard's annex writes it down. */
export const crcOf = (bytes: Buffer): number => {
  let crc = 0
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes.readUInt8(at)
    for (let bit = 0; bit < 8; bit++) {
      const mixes = ((byte ^ crc) & 1) === 1
      crc >>= 1
      if (mixes) crc ^= 0xa001
      byte >>= 1
    }
  }
  return crc
}

const digits = (value: number, count: number): string => value.toString(16).padStart(count, '0').toUpperCase()

/** LF, CRC, length, body, CR. */
export const wrap = (body: string, { binaryCrc = false } = {}): Buffer => {
  const bytes = Buffer.from(body, 'utf8')
  const crc = crcOf(bytes)
  return Buffer.concat([
    Buffer.from('\n'),
    binaryCrc ? Buffer.from([crc >> 8, crc % 256]) : Buffer.from(digits(crc, 4)),
    Buffer.from(digits(bytes.length, 4)),
    bytes,
    Buffer.from('\r'),
  ])
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `_HH:MM:SS,MM-DD-YYYY`, GMT. */
export const timeText = (ms: number): string => {
  const at = new Date(ms)
  const clock = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(':')
  return `_${clock},${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}-${at.getUTCFullYear()}`
}

/** Pads, enciphers, and writes in hex: what follows the `[` up to the end of the body. `bar` closes the pad. */
export const enciphered = (content: string, key: Buffer, bar: boolean): string => {
  const bytes = Buffer.from(`${bar ? '|' : ''}${content}`, 'utf8')
  const short = 16 - (bytes.length % 16)
  const pad = Buffer.alloc(short)
  for (let at = 0; at < short; at++) {
    // Any byte but the three that end a pad.
    do pad[at] = randomInt(256)
    while ('|[]'.includes(String.fromCharCode(pad.readUInt8(at))))
  }
  const aes = createCipheriv(`aes-${8 * key.length}-cbc`, key, Buffer.alloc(16))
  aes.setAutoPadding(false)
  return (
    aes.update(Buffer.concat([pad, bytes]), undefined, 'hex').toUpperCase() + aes.final('hex').toUpperCase()
  )
}

/** What a receiver answered. */
export interface Answer {
  readonly is: 'ACK' | 'NAK' | 'DUH' | 'other'
  readonly encrypted: boolean
  readonly seq: string
  readonly receiver: string | null
  readonly line: string | null
  readonly account: string | null
  /** `HH:MM:SS,MM-DD-YYYY` where one is carried. */
  readonly time: string | null
  readonly binaryCrc: boolean
  /** Without LF, CRC, length and CR. */
  readonly body: string
}

const form =
  /^"(\*?)([A-Z-]+)"(\d{4})(?:R([0-9A-F]{1,6}))?(?:L([0-9A-F]{1,6}?))?(?:#([0-9A-F]{3,16})|(A0))?\[(.*)$/is

/** Reads one body; throws what is wrong with it, as a strict panel would drop it. */
export const readAnswer = (body: Buffer, binaryCrc: boolean, key: Buffer | null): Answer => {
  const text = body.toString('latin1')
  const parts = form.exec(text)
  if (!parts) throw new Error(`not an answer: ${JSON.stringify(text)}`)
  const [, star, id, seq, receiver, line, account, , rest] = parts as unknown as string[]
  const encrypted = star === '*'
  if (encrypted && !key) throw new Error('an encrypted answer, and no key')
  const content = encrypted ? deciphered(rest as string, key as Buffer) : (rest as string)
  const end = /^(?:[^\]]*)\](?:_(\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}))?$/s.exec(content)
  if (!end) throw new Error(`an answer without an end: ${JSON.stringify(content)}`)
  if (encrypted && end[1] === undefined) throw new Error('an encrypted answer without a time')
  const known = id === 'ACK' || id === 'NAK' || id === 'DUH'
  return {
    is: known ? id : 'other',
    encrypted,
    seq: seq as string,
    receiver: receiver ?? null,
    line: line ?? null,
    account: account ?? null,
    time: end[1] ?? null,
    binaryCrc,
    body: text,
  }
}

const deciphered = (hex: string, key: Buffer): string => {
  if (hex.length === 0 || hex.length % 32 !== 0 || /[^0-9a-f]/i.test(hex))
    throw new Error('no blocks of cipher')
  const aes = createDecipheriv(`aes-${8 * key.length}-cbc`, key, Buffer.alloc(16))
  aes.setAutoPadding(false)
  const plain = Buffer.concat([aes.update(hex, 'hex'), aes.final()]).toString('latin1')
  if (plain.indexOf(']') < 1) throw new Error('an encrypted answer without a pad')
  return plain
}

/** Takes answers off a stream; throws at the first that is not exactly right. */
export class AnswerReader {
  #bytes = Buffer.alloc(0)
  readonly #key: Buffer | null

  constructor(key: Buffer | null) {
    this.#key = key
  }

  read(chunk: Buffer): Answer[] {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    const answers: Answer[] = []
    for (let whole = this.#next(); whole; whole = this.#next()) answers.push(whole)
    return answers
  }

  #next(): Answer | null {
    const bytes = this.#bytes
    if (bytes.length < 10) return null
    if (bytes[0] !== 10) throw new Error(`an answer starts with LF, not with ${bytes[0]}`)
    const binaryCrc = bytes[7] === 34
    const at = binaryCrc ? 3 : 5
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16)
    const end = at + 4 + length
    if (bytes.length <= end) return null
    const body = bytes.subarray(at + 4, end)
    const crc = binaryCrc ? bytes.readUInt16BE(1) : Number.parseInt(bytes.toString('latin1', 1, 5), 16)
    if (bytes[end] !== 13) throw new Error('an answer ends with CR')
    if (crc !== crcOf(body)) throw new Error('an answer with a wrong CRC')
    this.#bytes = bytes.subarray(end + 1)
    return readAnswer(body, binaryCrc, this.#key)
  }
}
