/** Bytes that frames are cut out of, and put into: SIA DC-09, clause 5.4: `<LF><crc><0LLL><body><CR>`. */

const lineFeed = 0x0a
const carriageReturn = 0x0d
const quote = 0x22
const zero = 0x30
/** A frame is at most a header, 0xFFF bytes of body and the CR. */
const frameMax = 9 + 0xfff + 1
/** A Sur-Gard style link heartbeat, as some communicators send it between frames. */
const heartbeat = /^SR([0-9A-F]{4})L([0-9A-F]{4}) {1,8}([0-9A-FX]{3,16}) {1,8}\[ID([0-9A-F]{8})\]\r/i
const heartbeatMax = 64
/** Frames looked for behind one that is not whole yet: bounds what a chunk may cost. */
const nestedMax = 8

/** CRC-16/ARC: polynomial 0x8005 reflected, start 0; "123456789" gives 0xBB3D. */
const crcTable = Uint16Array.from({ length: 256 }, (_, index) => {
  let crc = index
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1
  return crc
})

export const crc16 = (bytes: Uint8Array): number => {
  let crc = 0
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number)
  return crc
}

/** What was cut out: the body of a frame that is right, or a heartbeat line of the older style. */
export type Cut =
  | { readonly is: 'frame'; readonly body: Buffer; readonly binaryCrc: boolean }
  | { readonly is: 'heartbeat'; readonly account: string; readonly id: string }

/** Puts a body between its LF and CR; `binaryCrc` writes the CRC as two raw bytes, as Lupusec and OPAX panels do. */
export const frameOf = (body: Buffer | string, binaryCrc = false): Buffer => {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const length = `0${bytes.length.toString(16).toUpperCase().padStart(3, '0')}`
  const crc = crc16(bytes)
  const head = binaryCrc
    ? Buffer.from([crc >>> 8, crc & 0xff])
    : Buffer.from(crc.toString(16).toUpperCase().padStart(4, '0'))
  return Buffer.concat([Buffer.of(lineFeed), head, Buffer.from(length), bytes, Buffer.of(carriageReturn)])
}

const isHex = (byte: number | undefined): boolean =>
  byte !== undefined &&
  ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66))

/** Whether the bytes from `at` on can be a header with a CRC of `crcLength` bytes, as far as they are there. */
const headed = (bytes: Buffer, at: number, crcLength: 2 | 4): boolean => {
  const fits = (offset: number, is: (byte: number) => boolean) =>
    at + offset >= bytes.length || is(bytes[at + offset] as number)
  for (let offset = 1; crcLength === 4 && offset <= 4; offset++) if (!fits(offset, isHex)) return false
  const length = crcLength + 1
  return (
    fits(length, (byte) => byte === zero) &&
    fits(length + 1, isHex) &&
    fits(length + 2, isHex) &&
    fits(length + 3, isHex) &&
    fits(length + 4, (byte) => byte === quote)
  )
}

type Found = { readonly cut: Cut; readonly end: number } | 'more' | 'damaged' | 'none'

/** The frame that starts at the LF at `at`. Its end is known from its length alone: a raw CRC may hold LF and CR. */
const frameAt = (bytes: Buffer, at: number): Found => {
  // With four hex digits the quote stands at offset 9, where the length of the other variant never has one.
  for (const crcLength of [4, 2] as const) {
    if (!headed(bytes, at, crcLength)) continue
    const start = at + 1 + crcLength + 4
    if (bytes.length <= start) return 'more'
    const end = start + Number.parseInt(bytes.toString('latin1', start - 3, start), 16)
    if (bytes.length <= end) return 'more'
    const body = bytes.subarray(start, end)
    const crc =
      crcLength === 2
        ? bytes.readUInt16BE(at + 1)
        : Number.parseInt(bytes.toString('latin1', at + 1, at + 5), 16)
    if (bytes[end] !== carriageReturn || crc !== crc16(body)) return 'damaged'
    return { cut: { is: 'frame', body: Buffer.from(body), binaryCrc: crcLength === 2 }, end: end + 1 }
  }
  return 'none'
}

const heartbeatAt = (bytes: Buffer, at: number): Found => {
  const text = bytes.toString('latin1', at, at + heartbeatMax)
  const match = heartbeat.exec(text)
  if (match) {
    const [whole, , , account, id] = match
    return { cut: { is: 'heartbeat', account: account as string, id: id as string }, end: at + whole.length }
  }
  return text.length < heartbeatMax && !text.includes('\r') ? 'more' : 'none'
}

const foundAt = (bytes: Buffer, at: number): Found =>
  bytes[at] === lineFeed ? frameAt(bytes, at) : heartbeatAt(bytes, at)

/** Where something could begin: at an LF, or at the `SR` of a heartbeat. */
const startFrom = (bytes: Buffer, from: number): number => {
  const frame = bytes.indexOf(lineFeed, from)
  const line = bytes.indexOf('SR', from, 'latin1')
  if (frame < 0 || line < 0) return Math.max(frame, line)
  return Math.min(frame, line)
}

/** A right frame behind one that is not whole: then the length of the first is a lie. */
const nestedIn = (bytes: Buffer, from: number): number => {
  let at = bytes.indexOf(lineFeed, from)
  for (let tries = 0; at >= 0 && tries < nestedMax; at = bytes.indexOf(lineFeed, at + 1)) {
    const found = frameAt(bytes, at)
    if (typeof found === 'object') return at
    if (found === 'damaged') tries++
  }
  return -1
}

/** Cuts a stream into frames. What is no frame, or a damaged one, is left out and counted: nothing is said to it. */
export class Splitter {
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes left out since the last frame that was right. */
  junk = 0
  /** Frames with a wrong CRC, length or end. */
  damaged = 0

  /** Whether the start of something waits for its end. */
  get waits(): boolean {
    return this.#rest.length > 0
  }

  push(chunk: Buffer): Cut[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    return this.#cut(bytes, 0)
  }

  /** The end of the first one never comes: gives up on it, and looks at what came behind it. */
  giveUp(): Cut[] {
    const bytes = this.#rest
    this.#rest = Buffer.alloc(0)
    if (bytes.length === 0) return []
    this.damaged++
    this.junk++
    return this.#cut(bytes, 1)
  }

  #cut(bytes: Buffer, from: number): Cut[] {
    const cuts: Cut[] = []
    let at = from
    let rest = bytes.length
    while (at < bytes.length) {
      const start = startFrom(bytes, at)
      if (start < 0) {
        // An `S` at the very end may be the first half of `SR`.
        rest = bytes.at(-1) === 0x53 ? bytes.length - 1 : bytes.length
        this.junk += rest - at
        break
      }
      this.junk += start - at
      const found = foundAt(bytes, start)
      if (typeof found === 'object') {
        cuts.push(found.cut)
        this.junk = 0
        at = found.end
      } else if (found === 'more') {
        const nested = nestedIn(bytes, start + 1)
        if (nested < 0) {
          rest = start
          break
        }
        this.damaged++
        this.junk += nested - start
        at = nested
      } else {
        if (found === 'damaged') this.damaged++
        this.junk++
        at = start + 1
      }
    }
    // A copy, so that a few bytes don't keep a whole chunk in memory.
    this.#rest = Buffer.from(bytes.subarray(Math.max(rest, bytes.length - frameMax)))
    return cuts
  }
}
