import type { Position } from '../../core/fact.ts'
import { textOf, timeOf } from './codec.ts'

/** What extension blocks add to an event: SIA DC-09, table of extended data. Unknown ones stay in the raw message. */
export interface Extensions {
  /** `H`: when it happened, where that is not when it was sent, ms since the epoch. */
  readonly happenedAt: number | null
  /** `I`, `L` and `O`: what it is about, where, in which building. */
  readonly words: string | null
  /** `X` and `Y`. */
  readonly position: { readonly latitude: number; readonly longitude: number } | null
}

/** `006E07.7777777`: degrees, the half of the globe, minutes; null when it is none. */
const degreesOf = (text: string | undefined, halves: 'EW' | 'NS', max: number): number | null => {
  const match = /^(\d{1,3})([NSEW])(\d{1,2}(?:\.\d{1,10})?)$/.exec(text ?? '')
  if (!match) return null
  const [, whole, half, minutes] = match as unknown as [string, string, string, string]
  const degrees = Number(whole) + Number(minutes) / 60
  if (!halves.includes(half) || Number(minutes) >= 60 || degrees > max) return null
  return half === halves[1] ? -degrees : degrees
}

export const readExtensions = (ext: readonly string[]): Extensions => {
  const block = (letter: string): string | undefined => ext.find((each) => each.startsWith(letter))?.slice(1)
  const longitude = degreesOf(block('X'), 'EW', 180)
  const latitude = degreesOf(block('Y'), 'NS', 90)
  const happened = block('H')
  const words = ['I', 'L', 'O'].flatMap((letter) => textOf(block(letter) ?? '') || [])
  return {
    happenedAt: happened === undefined ? null : timeOf(happened.replace(/^_/, '')),
    words: words.length > 0 ? words.join(', ').slice(0, 200) : null,
    position: latitude === null || longitude === null ? null : { latitude, longitude },
  }
}

/** A position as a fact carries it. */
export const positionAt = ({ position }: Extensions, at: number): { position?: Position } =>
  position ? { position: { ...position, at } } : {}
