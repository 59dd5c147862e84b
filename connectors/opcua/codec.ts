import type { DoorMode } from '../../core/capability.ts'
import type { Json } from '../../core/fact.ts'

/** How good a value is: Good, Uncertain and Bad are never mixed (Part 4, 7.39.1). */
export type Quality = 'good' | 'uncertain' | 'bad'

/** The severity of a StatusCode is its top two bits: 00 Good, 01 Uncertain, the others Bad. */
export const qualityOf = (status: number): Quality => {
  const severity = status >>> 30
  return severity === 0 ? 'good' : severity === 1 ? 'uncertain' : 'bad'
}

/** InfoType DataValue (bits 10 and 11 are 01) with the bit Overflow (bit 7): the queue was too short, changes are lost. */
export const overflowed = (status: number): boolean => (status & 0x0c00) === 0x0400 && (status & 0x80) !== 0

/** Part 4 writes them so. */
export const statusInWords = (status: number): string => `0x${status.toString(16).padStart(8, '0')}`

/** What a Variant holds, as plain as possible: 64-bit numbers come as [high, low], texts as objects; null is anything else. */
export const plain = (value: unknown): boolean | number | string | null => {
  if (typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (typeof value === 'bigint') return Number(value)
  if (isPair(value)) return value[0] * 2 ** 32 + value[1]
  const text = (value as { readonly text?: unknown } | null)?.text
  return typeof text === 'string' ? text : null
}

const isPair = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) && value.length === 2 && value.every((half) => typeof half === 'number')

/** Whether a value is the one that is meant; null when they can't be compared. */
export const means = (value: unknown, wanted: boolean | number | string): boolean | null => {
  const is = plain(value)
  if (is === null) return null
  if (typeof is === typeof wanted) return is === wanted
  // A PLC may well keep a contact in a word: 0 is false, anything else true.
  if (typeof is === 'number' && typeof wanted === 'boolean') return (is !== 0) === wanted
  if (typeof is === 'boolean' && typeof wanted === 'number') return is === (wanted !== 0)
  return null
}

/** A counter that drops from within this of its top to within this of zero has wrapped; any other drop is a restart. */
const nearTheTop = 1_000

/** What happened between two values of a counter of so many bits. A device that restarts counts from zero again: those are not presses. */
export const counted = (
  before: number,
  now: number,
  bits: number,
): { presses: number; restarted: boolean } => {
  if (now >= before) return { presses: now - before, restarted: false }
  const range = 2 ** bits
  const wrapped = before >= range - nearTheTop && before < range && now < nearTheTop
  return wrapped ? { presses: now + range - before, restarted: false } : { presses: 0, restarted: true }
}

/** Bits of a counter by its DataType (Part 6, 5.1.2); null: no counter can be of this type. */
export const counterBits = (dataType: number): number | null =>
  ({ 2: 7, 3: 8, 4: 15, 5: 16, 6: 31, 7: 32, 8: 53, 9: 53 })[dataType] ?? null

/** Which mode the value of a door's state node means: the first that names it. */
export const doorModeOf = (
  value: unknown,
  is: Partial<Record<DoorMode, readonly (boolean | number | string)[]>>,
): DoorMode => {
  for (const [mode, values] of Object.entries(is) as [DoorMode, readonly (boolean | number | string)[]][])
    if (values.some((each) => means(value, each) === true)) return mode
  return 'unknown'
}

/** Part 6, 7.1.2.2: message type (3 bytes), chunk type (1), size of the whole chunk (4). */
const headerBytes = 8
const types = new Set(['ACK', 'ERR', 'OPN', 'MSG', 'CLO'])
const chunkTypes = new Set(['F', 'C', 'A'])
/** What we ask for as the largest chunk; nobody may send more. */
export const chunkBytesMax = 65_536

/** Watches the chunks of a connection go by, so that nothing that isn't one is ever gathered. */
export class Chunks {
  #header = Buffer.alloc(0)
  #left = 0

  /** What is wrong with these bytes as the next ones; null when nothing is. */
  problem(bytes: Buffer): string | null {
    for (let at = 0; at < bytes.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at)
        this.#left -= taken
        at += taken
        continue
      }
      const part = bytes.subarray(at, at + headerBytes - this.#header.length)
      this.#header = Buffer.concat([this.#header, part])
      at += part.length
      if (this.#header.length < headerBytes) return null
      const wrong = headerProblem(this.#header)
      if (wrong) return wrong
      this.#left = this.#header.readUInt32LE(4) - headerBytes
      this.#header = Buffer.alloc(0)
    }
    return null
  }
}

const headerProblem = (header: Buffer): string | null => {
  const type = header.toString('latin1', 0, 3)
  const size = header.readUInt32LE(4)
  if (!types.has(type) || !chunkTypes.has(header.toString('latin1', 3, 4))) return 'bytes that are not OPC UA'
  if (size < headerBytes || size > chunkBytesMax) return `a chunk of ${size} bytes`
  return null
}

/** `sha256` of a certificate in the usual writing, or of any other: lower case hex without colons. */
export const fingerprintOf = (written: string): string => written.replaceAll(':', '').toLowerCase()

/** A NodeId as it is written in a config: `ns=2;s=Panel.Button1`, `i=85`, or with `nsu=URI;` instead of the index. */
export const nodeIdPattern =
  /^(?:ns=\d{1,5};|nsu=[^;]{1,400};)?(?:i=\d{1,10}|s=.{1,1000}|g=[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|b=[A-Za-z0-9+/]{1,1400}={0,2})$/

/** Puts the index of the server in the place of a namespace's URI; null when the server doesn't have it. */
export const resolved = (node: string, namespaces: readonly string[]): string | null => {
  const match = /^nsu=([^;]+);(.*)$/s.exec(node)
  if (!match) return node
  const index = namespaces.indexOf(match[1] as string)
  return index < 0 ? null : `ns=${index};${match[2]}`
}

/** A value for `raw`: as it is where it is plain, else what it looks like. */
export const told = (value: unknown): Json =>
  plain(value) ?? (value === null ? null : String(value).slice(0, 200))
