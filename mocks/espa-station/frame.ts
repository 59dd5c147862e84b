/** One call, as a nurse-call system has it. */
export interface Call {
  /** Header type; default 1, a call to a pager. */
  readonly header?: string
  readonly to?: string
  readonly text?: string
  /** 1 reset, 2 speech, 3 standard. */
  readonly callType?: string
  /** 1 alarm, 2 high, 3 normal. */
  readonly priority?: string
  /** Some systems write a separator after the last record as well. */
  readonly trailingSeparator?: boolean
}

const soh = '\u0001'
const stx = '\u0002'
const etx = '\u0003'
const rs = '\u001e'
const us = '\u001f'

/** The records in the order of the standard: address, text, beep coding, call type, number of transmissions, priority. */
export const block = (call: Call): Buffer => {
  const written: (readonly [string, string | undefined])[] = [
    ['1', call.to],
    ['2', call.text],
    ['3', '5'],
    ['4', call.callType ?? '3'],
    ['5', '1'],
    ['6', call.priority],
  ]
  const records = written.filter(([, data]) => data !== undefined).map(([id, data]) => `${id}${us}${data}`)
  const body = `${call.header ?? '1'}${stx}${records.join(rs)}${call.trailingSeparator ? rs : ''}${etx}`
  const bytes = Buffer.from(`${soh}${body} `, 'latin1')
  bytes[bytes.length - 1] = checkOf(body)
  return bytes
}

/** Longitudinal parity: bit by bit, whether the number of ones is odd. */
const checkOf = (body: string): number => {
  let check = 0
  for (let bit = 0; bit < 8; bit++) {
    const ones = Array.from(body).filter((char) => (char.charCodeAt(0) >> bit) & 1).length
    if (ones % 2 === 1) check |= 1 << bit
  }
  return check
}
