/** A Modbus TCP request or answer, cut out of the stream (Modbus Messaging on TCP/IP 1.0b, 3.1.3). */
export interface Frame {
  readonly transaction: number
  readonly unit: number
  readonly pdu: Buffer
}

/** The unit byte and a PDU of at most 253 bytes (Modbus Application Protocol 1.1b3, 4.1). */
const MAX_LENGTH = 254
const HEADER = 6

/** Frames that are complete in `bytes`, what is left of it, and whether the stream is Modbus at all. */
export const split = (bytes: Buffer): { frames: Frame[]; rest: Buffer; broken: boolean } => {
  const frames: Frame[] = []
  let rest = bytes
  while (rest.length >= HEADER) {
    const length = rest.readUInt16BE(4)
    const broken = rest.readUInt16BE(2) !== 0 || length < 2 || length > MAX_LENGTH
    if (broken) return { frames, rest, broken }
    if (rest.length < HEADER + length) break
    frames.push({
      transaction: rest.readUInt16BE(0),
      unit: rest.readUInt8(6),
      pdu: rest.subarray(7, HEADER + length),
    })
    rest = rest.subarray(HEADER + length)
  }
  return { frames, rest, broken: false }
}

export const join = ({ transaction, unit, pdu }: Frame): Buffer => {
  const header = Buffer.alloc(7)
  header.writeUInt16BE(transaction, 0)
  header.writeUInt16BE(pdu.length + 1, 4)
  header.writeUInt8(unit, 6)
  return Buffer.concat([header, pdu])
}

/** The answer that says "no": function code with the top bit, and why (1.1b3, 7). */
export const exception = (functionCode: number, code: number): Buffer =>
  Buffer.from([functionCode | 0x80, code])

/** How an answer can be well-formed and still not the one that was asked for; late: the answer to the request before. */
export type WrongAnswer = 'late' | 'transaction-id' | 'function-code' | 'byte-count' | 'unit' | 'check-sum'

/** Turns a right answer into a wrong one; nothing when there was no request before. */
export const spoil = (right: Frame, how: WrongAnswer, before: Frame | undefined): Frame | undefined => {
  const { pdu } = right
  const functionCode = pdu[0] ?? 0
  switch (how) {
    case 'late':
      return before
    case 'check-sum':
      return right
    case 'transaction-id':
      return { ...right, transaction: (right.transaction + 0x1000) & 0xffff }
    case 'unit':
      return { ...right, unit: (right.unit + 1) & 0xff }
    case 'function-code':
      return { ...right, pdu: Buffer.concat([Buffer.from([functionCode ^ 0x07]), pdu.subarray(1)]) }
    case 'byte-count':
      if (functionCode > 4) return { ...right, pdu: pdu.subarray(0, -1) }
      return {
        ...right,
        pdu: Buffer.concat([
          Buffer.from([functionCode, (pdu[1] ?? 0) + 2]),
          pdu.subarray(2),
          Buffer.alloc(2),
        ]),
      }
  }
}
