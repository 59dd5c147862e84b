import type { Frame } from './frame.ts'

/** The unit, a PDU of at most 253 bytes and the check sum (Modbus over Serial Line 1.02, 2.4). */
const MAX_FRAME = 256
const CRC = 2

/** What each byte value does to the check sum: the polynomial 0xA001 over its eight bits (1.02, 6.2.2). */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let sum = byte
  for (let i = 0; i < 8; i++) sum = sum % 2 === 1 ? (sum >>> 1) ^ 0xa001 : sum >>> 1
  return sum
})

/** The check sum as it stands on the line, low byte first. */
export const checkSum = (bytes: Uint8Array): Buffer => {
  let sum = 0xffff
  for (const byte of bytes) sum = (sum >>> 8) ^ (table[(sum ^ byte) & 0xff] ?? 0)
  return Buffer.from([sum & 0xff, sum >>> 8])
}

/** How long the request that starts here is; 0: not known yet, -1: no request of ours starts here. */
const requestBytes = (bytes: Buffer): number => {
  if (bytes.length < 2) return 0
  const code = bytes[1] ?? 0
  if ((code >= 1 && code <= 6) || code === 8) return 8
  if (code !== 15 && code !== 16) return -1
  return bytes.length < 7 ? 0 : 9 + (bytes[6] ?? 0)
}

/** Requests that are whole in `bytes`, and what is left. A byte that starts none is skipped, as after noise. */
export const splitRtu = (bytes: Buffer): { frames: Frame[]; rest: Buffer } => {
  const frames: Frame[] = []
  let rest = bytes
  while (rest.length > 0) {
    const length = requestBytes(rest)
    if (length === 0 || (length > 0 && length <= MAX_FRAME && rest.length < length)) break
    const body = rest.subarray(0, Math.max(0, length - CRC))
    const sound = length > 0 && checkSum(body).equals(rest.subarray(length - CRC, length))
    if (sound) frames.push({ transaction: 0, unit: body[0] ?? 0, pdu: body.subarray(1) })
    rest = rest.subarray(sound ? length : 1)
  }
  return { frames, rest }
}

export const joinRtu = ({ unit, pdu }: Frame): Buffer => {
  const body = Buffer.concat([Buffer.from([unit]), pdu])
  return Buffer.concat([body, checkSum(body)])
}
