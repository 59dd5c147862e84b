/** A vendor's name for a badge, a gateway or a zone, written one way: AC:23:3F, ac-23-3f and AC233F are the same. */
export const canonical = (name: string): string => name.toLowerCase().replace(/[:\-\s]/g, '')

/** Text off the wire for people and for keys: no control characters, no half characters, bounded. */
export const plain = (text: string, max = 100): string =>
  text
    .slice(0, max * 2)
    .replace(/\p{Cc}+/gu, ' ')
    .toWellFormed()
    .trim()
    .slice(0, max)
