/** The characters of TAP 1.8 that mean something. */
export const chars = {
  STX: 0x02,
  ETX: 0x03,
  EOT: 0x04,
  ACK: 0x06,
  LF: 0x0a,
  CR: 0x0d,
  NAK: 0x15,
  ETB: 0x17,
  SUB: 0x1a,
  ESC: 0x1b,
  RS: 0x1e,
  US: 0x1f,
} as const

/** A block may have 256 characters (TAP 1.8, 3.0 step 8); senders that send more are heard out up to here. */
const blockMax = 1_024
/** A line longer than this is noise. */
const lineMax = 80

/** What the sender says. */
export type Said =
  /** A bare carriage return: is anybody there? */
  | { readonly is: 'knock' }
  | { readonly is: 'line'; readonly text: string }
  /** `intact`: the checksum is right. `more`: the message goes on in the next block. */
  | { readonly is: 'block'; readonly body: string; readonly intact: boolean; readonly more: boolean }
  | { readonly is: 'bye' }

/** The three characters after a block: the sum of its 7-bit values, 12 bits of it, a nibble each (TAP 1.8, 5.0). */
export const checksumOf = (block: Uint8Array): string => {
  const sum = block.reduce((total, byte) => total + (byte & 0x7f), 0)
  return String.fromCharCode(...[8, 4, 0].map((shift) => 0x30 + ((sum >> shift) & 0x0f)))
}

export interface Page {
  /** Its number. */
  readonly pager: string
  readonly text: string
}

/** The page that the fields of its blocks make: the pager first, the text after it. */
export const pageOf = (body: string): Page => {
  const [pager = '', ...text] = body.split('\r').map(unescaped)
  return { pager: pager.trim(), text: text.join(' ').trim() }
}

/** SUB and a character stand for the control character of the same low bits (TAP 1.8, 4.0). */
const unescaped = (field: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
  field.replace(/\x1a([@-_])/g, (_, char: string) => String.fromCharCode(char.charCodeAt(0) & 0x1f))

/** Makes what the sender says of its bytes, whatever they are, in bounded memory. A new block can start at any time. */
export class Decoder {
  #line: number[] = []
  /** The block from STX on, and once it has ended its checksum; null between blocks. */
  #block: number[] | null = null
  #checksum: string | null = null
  /** The rest of a line that is too long, or of a block that went wrong, is skipped. */
  #skips = false

  /** In the middle of something. */
  get busy(): boolean {
    return this.#block !== null || this.#line.length > 0 || this.#skips
  }

  reset(): void {
    this.#line = []
    this.#block = null
    this.#checksum = null
    this.#skips = false
  }

  /** Takes one byte; its top bit may be parity. */
  take(byte: number): Said | null {
    const char = byte & 0x7f
    if (char === chars.STX) {
      this.reset()
      this.#block = [char]
      return null
    }
    return this.#block === null ? this.#takeOutside(char) : this.#takeInside(this.#block, char)
  }

  #takeOutside(char: number): Said | null {
    if (char === chars.EOT) {
      this.reset()
      // Its carriage return is no knock.
      this.#skips = true
      return { is: 'bye' }
    }
    if (char === chars.CR) {
      const text = String.fromCharCode(...this.#line)
      const skipped = this.#skips
      this.reset()
      if (skipped) return null
      return text === '' ? { is: 'knock' } : { is: 'line', text }
    }
    // NUL, LF, XON, XOFF and DEL only fill or steer the line.
    if ([0x00, chars.LF, 0x11, 0x13, 0x7f].includes(char)) return null
    if (this.#line.length < lineMax) this.#line.push(char)
    else this.#skips = true
    return null
  }

  #takeInside(block: number[], char: number): Said | null {
    if (this.#checksum === null) {
      block.push(char)
      if (char === chars.ETX || char === chars.ETB || char === chars.US) this.#checksum = ''
      return block.length > blockMax ? this.#endBlock(block, false) : null
    }
    this.#checksum += String.fromCharCode(char)
    return this.#checksum.length < 3
      ? null
      : this.#endBlock(block, this.#checksum === checksumOf(Uint8Array.from(block)))
  }

  #endBlock(block: readonly number[], intact: boolean): Said {
    this.reset()
    // The carriage return after the checksum, or the rest of an endless block, is no knock.
    this.#skips = true
    const end = block.at(-1)
    const body = String.fromCharCode(...block.slice(1, -1))
    // ETB ends a field, US stands in the middle of one.
    const whole = end === chars.ETB && !body.endsWith('\r') ? `${body}\r` : body
    return { is: 'block', body: whole, intact, more: end !== chars.ETX }
  }
}
