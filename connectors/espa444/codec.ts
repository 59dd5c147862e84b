/** The characters of ESPA 4.4.4 that mean something (2.3). */
export const chars = {
  SOH: 0x01,
  STX: 0x02,
  ETX: 0x03,
  EOT: 0x04,
  ENQ: 0x05,
  ACK: 0x06,
  NAK: 0x15,
  RS: 0x1e,
  US: 0x1f,
} as const

/** Ids of records (ESPA 4.4.4, 4.2). */
const records = { address: '1', text: '2', callType: '4', priority: '6' } as const

/** A block that is longer than this is noise, bytes: a display text has 128 characters. */
const blockMax = 2_048
/** The address of a station has one character; some systems use more. */
const addressMax = 16

/** What comes over the line. */
export type Said =
  /** An address and ENQ: a poll, or a selection. */
  | { readonly is: 'enquiry'; readonly address: string }
  /** From after SOH to before ETX. */
  | { readonly is: 'block'; readonly body: string; readonly intact: boolean }
  | { readonly is: 'end' }

/** A block, taken apart. */
export interface Call {
  /** 1 call to a pager, 2 status information, 3 status request, 4 call to a subscriber, 5 other. */
  readonly header: string
  /** The call address. */
  readonly to: string
  readonly text: string
  /** 1 ends the call. */
  readonly callType: string
  /** 1 alarm, 2 high, 3 normal. */
  readonly priority: string
  readonly records: { readonly [id: string]: string }
}

/** The block check character: all bytes after SOH up to ETX inclusive, exclusive-or. It may look like a control character. */
export const bccOf = (bytes: Uint8Array): number => bytes.reduce((check, byte) => check ^ byte, 0)

/** Takes a block apart. What is no record is text: no call is lost for its form. */
export const callOf = (body: string): Call => {
  const start = body.indexOf(String.fromCharCode(chars.STX))
  const header = start < 0 ? '' : body.slice(0, start)
  const found = new Map<string, string>()
  for (const record of body.slice(start + 1).split(String.fromCharCode(chars.RS))) {
    const cut = record.indexOf(String.fromCharCode(chars.US))
    // A block may end with RS before ETX.
    if (cut < 0 && record.trim() === '') continue
    const id = cut < 0 ? records.text : record.slice(0, cut).trim()
    const data = record.slice(cut + 1)
    found.set(id, found.has(id) ? `${found.get(id)} ${data}` : data)
  }
  const said = (id: string): string => found.get(id)?.trim() ?? ''
  return {
    header: header.trim(),
    to: said(records.address),
    text: said(records.text),
    callType: said(records.callType),
    priority: said(records.priority),
    records: Object.fromEntries(found),
  }
}

/** Makes what the stations say of their bytes, whatever they are, in bounded memory. */
export class Decoder {
  /** Bits of a character: with 7 the top bit may be parity, and is taken off. */
  readonly #mask: number
  #address = ''
  #block: number[] | null = null
  /** ETX has come: the next byte is the check, whatever it looks like. */
  #checks = false

  constructor(bits: 7 | 8) {
    this.#mask = bits === 7 ? 0x7f : 0xff
  }

  reset(): void {
    this.#address = ''
    this.#block = null
    this.#checks = false
  }

  take(raw: number): Said | null {
    const byte = raw & this.#mask
    const block = this.#block
    if (this.#checks && block) {
      this.reset()
      return { is: 'block', body: textOf(block.slice(0, -1)), intact: byte === bccOf(Uint8Array.from(block)) }
    }
    switch (byte) {
      case chars.SOH:
        this.reset()
        this.#block = []
        return null
      case chars.EOT:
        this.reset()
        return { is: 'end' }
      default:
        return block ? this.#takeInside(block, byte) : this.#takeOutside(byte)
    }
  }

  #takeInside(block: number[], byte: number): Said | null {
    block.push(byte)
    this.#checks = byte === chars.ETX
    if (block.length <= blockMax) return null
    this.reset()
    return { is: 'block', body: '', intact: false }
  }

  #takeOutside(byte: number): Said | null {
    const address = this.#address
    if (byte === chars.ENQ && address !== '') {
      this.reset()
      return { is: 'enquiry', address }
    }
    const isPart = byte > 0x20 && byte < 0x7f && address.length < addressMax
    this.#address = isPart ? address + String.fromCharCode(byte) : ''
    return null
  }
}

const textOf = (bytes: readonly number[]): string => Buffer.from(bytes).toString('latin1')
