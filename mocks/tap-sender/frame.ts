/** How a message goes on in the next block: at the end of a field (ETB), or within one (US). */
export type Continued = 'ETB' | 'US'

const ends = { ETX: '\u0003', ETB: '\u0017', US: '\u001f' } as const

/** Twelve bits of the sum of all characters from STX to the end, written in three characters from "0" to "?". */
export const checksum = (block: string): string => {
  let sum = 0
  for (const char of block) sum += char.charCodeAt(0)
  let written = ''
  for (let shift = 8; shift >= 0; shift -= 4) written += '0123456789:;<=>?'[(sum >>> shift) % 16]
  return written
}

const block = (body: string, end: keyof typeof ends): string => {
  const framed = `\u0002${body}${ends[end]}`
  return `${framed}${checksum(framed)}\r`
}

/** The blocks of one page; `continued` spreads it over two. */
export const blocks = (pager: string, text: string, continued?: Continued): string[] => {
  if (continued === undefined) return [block(`${pager}\r${text}\r`, 'ETX')]
  if (continued === 'ETB') return [block(`${pager}\r`, 'ETB'), block(`${text}\r`, 'ETX')]
  const half = text.length >> 1
  return [block(`${pager}\r${text.slice(0, half)}`, 'US'), block(`${text.slice(half)}\r`, 'ETX')]
}

/** The block with a checksum that is not its own. */
export const spoilt = (framed: string): string =>
  `${framed.slice(0, -2)}${framed.at(-2) === '0' ? '1' : '0'}\r`

/** Sets the top bit of each character so that the number of ones is even, as a line of 7E1 does. */
export const withParity = (text: string): Buffer =>
  Buffer.from(
    Array.from(Buffer.from(text, 'latin1'), (char) => {
      let ones = 0
      for (let bits = char; bits > 0; bits >>= 1) ones += bits & 1
      return ones % 2 === 0 ? char : char | 0x80
    }),
  )
