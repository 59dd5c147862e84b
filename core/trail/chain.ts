import { createHmac, hash, type KeyObject } from 'node:crypto'

/** What the first row of a trail follows. */
export const genesis: Uint8Array = new Uint8Array(32)

/** The digest that stands for a payload in the chain, so that retention can erase the payload and the chain still holds. */
export const digestOf = (payload: string): Uint8Array => hash('sha256', payload, 'buffer')

const frame = Buffer.alloc(32 + 8 + 8 + 32)

/** The chain value of a row: HMAC-SHA256(key, chain before ‖ seq ‖ at ‖ digest), both numbers as 64 bits, big-endian. */
export const chainOf = (
  key: KeyObject,
  before: Uint8Array,
  seq: number,
  at: number,
  digest: Uint8Array,
): Uint8Array => {
  frame.set(before, 0)
  frame.writeBigUInt64BE(BigInt(seq), 32)
  frame.writeBigInt64BE(BigInt(at), 40)
  frame.set(digest, 48)
  return createHmac('sha256', key).update(frame).digest()
}
