/** No piece of a message is longer, in code units; what is longer is noise. */
const pieceMax = 500

/** A longer word than this may be cut inside, code points: a cut before it would lose it whole. */
const wordMax = 24

/** One line of text: control, direction and half characters are gone, runs of space are one. */
export const clean = (text: string): string =>
  text
    .slice(0, pieceMax)
    .replace(/[\p{C}\p{Z}\s]+/gu, ' ')
    .trim()

/** Letters that don't fall apart into a base letter and its accents. */
const plain: Readonly<Record<string, string>> = {
  ß: 'ss',
  ẞ: 'SS',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  å: 'a',
  ł: 'l',
  Ł: 'L',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'TH',
  ı: 'i',
  '€': 'EUR',
  '°': ' deg',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '«': '"',
  '»': '"',
  '–': '-',
  '—': '-',
  '‐': '-',
  '‑': '-',
  '…': '...',
  '·': '-',
  '•': '-',
}

/** Printable ASCII: accents go (é → e), some letters are spelled (ß → ss), all else is "?". */
export const toAscii = (text: string): string => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what this is about
  if (!/[^\x00-\x7f]/.test(text)) return text
  const spelled = text.replace(/[^ -~]/gu, (letter) => plain[letter] ?? letter)
  return spelled
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^ -~]/gu, (letter) => plain[letter] ?? '?')
}

/**
 * At most `characters` code points of `text`. The places where it may be cut depend on the text alone,
 * so that a longer limit never shows less; `mark` is added where it fits.
 */
export const cut = (text: string, characters: number, mark: string): string => {
  const limit = Math.max(0, Math.floor(characters))
  if (text.length <= limit) return text
  const points = Array.from(text)
  if (points.length <= limit) return text
  const kept = points
    .slice(0, cutBefore(points, limit))
    .join('')
    .replace(/[ ,:]+$/, '')
  return kept && Array.from(kept).length + mark.length <= limit ? kept + mark : kept
}

/** The last place at or before `limit` where a cut may be: a word's end, or inside what is too long for a word. */
const cutBefore = (points: readonly string[], limit: number): number => {
  let best = 0
  let start = 0
  for (let at = 0; at <= limit; at++) {
    const space = at === points.length || points[at] === ' '
    const comma = points[at] === ',' && points[at + 1] === ' '
    if (space || comma || at - start > wordMax) best = at
    if (space) start = at + 1
  }
  return best
}
