import type { Failure } from '../../core/command.ts'
import type { ErrorCode } from '../../core/error.ts'
import type { Config } from './config.ts'
import type { Point, Run } from './points.ts'

/** What one request returned: one number an address, bits as 0 and 1. */
export type Values = readonly number[]

/** Whether `inner` lies within `outer`. */
export const covers = (outer: Run, inner: Run): boolean =>
  outer.read === inner.read &&
  inner.address >= outer.address &&
  inner.address + inner.length <= outer.address + outer.length

/** The bit of a point in what `run` returned. */
export const bitAt = (run: Run, values: Values, point: Point): boolean => {
  const value = values[point.address - run.address] ?? 0
  return (point.bit === null ? value : (value >> point.bit) & 1) === 1
}

/** A counter of two words in what `run` returned. */
export const counterAt = (run: Run, values: Values, counter: Run, order: Config['word-order']): number => {
  const first = values[counter.address - run.address] ?? 0
  const second = values[counter.address - run.address + 1] ?? 0
  return order === 'hi-lo' ? first * 65_536 + second : second * 65_536 + first
}

const counterRange = 2 ** 32
/** A counter that drops from within this of its top to within this of zero has wrapped; any other drop is a restart. */
const nearTheTop = 1_000

/** What happened between two values of a counter. A device that restarts counts from zero again: those are not presses. */
export const counted = (before: number, now: number): { presses: number; restarted: boolean } => {
  if (now >= before) return { presses: now - before, restarted: false }
  const wrapped = before >= counterRange - nearTheTop && now < nearTheTop
  return wrapped
    ? { presses: now + counterRange - before, restarted: false }
    : { presses: 0, restarted: true }
}

/** Modbus Messaging on TCP/IP 1.0b, 3.1.3: transaction, protocol (0), length of what follows. */
const headerBytes = 6
/** Unit and function at least; at most unit and a PDU of 253 bytes (MODBUS Application Protocol 1.1b3, 4.1). */
const bodyBytes = { min: 3, max: 254 }
export const frameBytesMax = headerBytes + bodyBytes.max

/** One frame: `body` is unit, function and data. */
export const frame = (id: number, body: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(headerBytes + body.length)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt16BE(0, 2)
  bytes.writeUInt16BE(body.length, 4)
  bytes.set(body, headerBytes)
  return bytes
}

/** The frame that `bytes` are: `more` when it isn't whole yet, or what is wrong with it. There is never more than one answer on the way, so a byte too many is wrong as well. */
export const unframe = (bytes: Buffer): { id: number; body: Buffer } | 'more' | { wrong: string } => {
  if (bytes.length >= 4 && bytes.readUInt16BE(2) !== 0) return { wrong: 'not Modbus TCP' }
  if (bytes.length < headerBytes) return 'more'
  const length = bytes.readUInt16BE(4)
  if (length < bodyBytes.min || length > bodyBytes.max) return { wrong: `a frame of ${length} bytes` }
  if (bytes.length < headerBytes + length) return 'more'
  if (bytes.length > headerBytes + length) return { wrong: 'more than the answer to one request' }
  return { id: bytes.readUInt16BE(0), body: bytes.subarray(headerBytes) }
}

/** CRC-16 of serial Modbus (Modbus over Serial Line 1.02, 6.2.2), in which modbus-serial wants its frames wrapped. */
export const crc16 = (bytes: Uint8Array): number => {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1
  }
  return crc
}

export const crcBytes = 2

/** Unit and PDU with their CRC, low byte first, as on a serial line. */
export const sealed = (body: Uint8Array): Buffer => {
  const bytes = Buffer.allocUnsafe(body.length + crcBytes)
  bytes.set(body, 0)
  bytes.writeUInt16LE(crc16(body), body.length)
  return bytes
}

/** How long the answer to a serial request is, without exceptions (MODBUS Application Protocol 1.1b3, 6). */
export const answerBytes = (request: Buffer): number => {
  const code = request[1] ?? 0
  if (code > 4) return 8
  const count = request.readUInt16BE(4)
  return 3 + (code <= 2 ? Math.ceil(count / 8) : 2 * count) + crcBytes
}

/** An answer on a serial line; `end` is where it ends in the bytes that it was found in. */
export interface Answer {
  readonly unit: number
  readonly code: number
  readonly bytes: Buffer
  readonly end: number
}

/** The first answer in `bytes` whose CRC is right, with whatever noise before it; null when there is none yet. */
export const nextAnswer = (bytes: Buffer): Answer | null => {
  for (let at = 0; at + exceptionBytes <= bytes.length; at++) {
    const code = bytes[at + 1] ?? 0
    const length = lengthOf(code, bytes[at + 2] ?? 0)
    const end = at + length
    if (length === 0 || end > bytes.length) continue
    const frame = bytes.subarray(at, end)
    if (crc16(frame.subarray(0, -crcBytes)) !== frame.readUInt16LE(length - crcBytes)) continue
    return { unit: frame[0] ?? 0, code, bytes: frame, end }
  }
  return null
}

/** Set in the function code of an exception (MODBUS Application Protocol 1.1b3, 7). */
export const exceptionBit = 0x80
const exceptionBytes = 5

/**
 * How long an answer of this function is whose third byte is `count`; 0: not one of ours. What refuses a function that
 * we never ask for is none either: FF FF 00 00 00, as a line idles or breaks, has a CRC that is right.
 */
const lengthOf = (code: number, count: number): number => {
  const asked = code & ~exceptionBit
  const isRead = asked >= 1 && asked <= 4
  if (!isRead && asked !== 5 && asked !== 6 && asked !== 8) return 0
  if (code !== asked) return exceptionBytes
  return isRead ? 3 + count + crcBytes : 8
}

interface Exception {
  readonly means: string
  readonly code: ErrorCode
  readonly retry: Failure['retry']
  /** Whether a write that ended in it may have moved something: the unit had it, and failed or went silent. */
  readonly effect: 'none' | 'possible'
  /** The addresses themselves are wrong: asking again soon is of no use. */
  readonly ofConfig: boolean
}

const exceptions: Readonly<Record<number, Exception>> = {
  1: { means: 'illegal function', code: 'UNSUPPORTED', retry: 'never', effect: 'none', ofConfig: true },
  2: { means: 'illegal data address', code: 'NOT_FOUND', retry: 'never', effect: 'none', ofConfig: true },
  3: { means: 'illegal data value', code: 'REFUSED', retry: 'never', effect: 'none', ofConfig: true },
  4: { means: 'device failure', code: 'REFUSED', retry: 'backoff', effect: 'possible', ofConfig: false },
  5: { means: 'accepted, not done yet', code: 'BUSY', retry: 'backoff', effect: 'possible', ofConfig: false },
  6: { means: 'device busy', code: 'BUSY', retry: 'backoff', effect: 'none', ofConfig: false },
  10: {
    means: 'gateway has no path',
    code: 'UNREACHABLE',
    retry: 'backoff',
    effect: 'none',
    ofConfig: false,
  },
  11: {
    means: 'unit behind the gateway did not answer',
    code: 'UNREACHABLE',
    retry: 'backoff',
    effect: 'possible',
    ofConfig: false,
  },
}

/** What a Modbus exception means to us (MODBUS Application Protocol 1.1b3, 7). */
export const exceptionOf = (code: number): Exception =>
  exceptions[code] ?? {
    means: 'unknown exception',
    code: 'REFUSED',
    retry: 'backoff',
    effect: 'possible',
    ofConfig: false,
  }

/** Whether an exception comes from a gateway whose unit did not answer it. */
export const unreached = (code: number): boolean => code === 10 || code === 11
