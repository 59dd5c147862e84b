import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const zeroIv = Buffer.alloc(16)

/** How a key is written in the config: as hex digits, or as the very characters. */
export type KeyFormat = 'hex' | 'text'

/** The AES key of an account, 16, 24 or 32 bytes; null when what is written is none. */
export const keyOf = (written: string, format: KeyFormat): Buffer | null => {
  if (format === 'hex' && !/^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})$/.test(written)) return null
  const key = Buffer.from(written, format === 'hex' ? 'hex' : 'latin1')
  return [16, 24, 32].includes(key.length) ? key : null
}

/** A deciphered content, and the pad that stood before it. */
export interface Opened {
  readonly pad: string
  readonly content: string
}

/**
 * Opens the hex digits behind the `[` of an encrypted message: AES-CBC, IV zero, pad in front (SIA DC-09, clause 5.4.5).
 * The pad ends at the first `|` if that comes before the first `]`, else at the `]`: in an ACK and in most NULL nothing
 * stands between. Null when it can't be opened with this key.
 */
export const open = (cipher: string, key: Buffer): Opened | null => {
  const hex = /^((?:[0-9A-Fa-f]{32})+)\]?$/.exec(cipher)?.[1]
  if (hex === undefined) return null
  const decipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, zeroIv).setAutoPadding(false)
  const plain = Buffer.concat([decipher.update(hex, 'hex'), decipher.final()]).toString('latin1')
  const end = plain.indexOf(']')
  if (end < 0) return null
  const bar = plain.indexOf('|')
  return bar >= 0 && bar < end
    ? { pad: plain.slice(0, bar), content: plain.slice(bar + 1) }
    : { pad: plain.slice(0, end), content: plain.slice(end) }
}

/** The hex digits of a content, with a random pad before it: always one, and never `|`, `[` or `]`. */
export const seal = (content: string, key: Buffer): string => {
  const bytes = Buffer.from(content, 'latin1')
  const pad = randomBytes(16 - (bytes.length % 16)).map((byte) => (byte % 64) + 0x30)
  // 0x30 to 0x6F holds `[` and `]`: they become digits.
  const safe = pad.map((byte) => (byte === 0x5b || byte === 0x5d ? 0x30 : byte))
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, zeroIv).setAutoPadding(false)
  return Buffer.concat([cipher.update(Buffer.concat([safe, bytes])), cipher.final()])
    .toString('hex')
    .toUpperCase()
}
