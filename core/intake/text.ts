import { z } from 'zod'
import { duration, type Finding, type NamedPlace } from '../connector.ts'
import { type Json, Kind, Level, type Sighting } from '../fact.ts'
import { regex } from './regex.ts'

/** More of a text than this is not read, characters. */
const textMax = 1_000
/** More of a named group than this is not taken over, characters. */
const groupMax = 200

/** What a text means that contains `match`. */
const Pattern = z
  .strictObject({
    match: z
      .string()
      .min(1)
      .max(500)
      .describe(
        'Regular expression (RE2) that is looked for anywhere in the text, in upper or lower case. Named groups `(?<place>…)`: `place`, `device`, `id`, `person`, `kind`, `battery` (per cent), `time` (ISO 8601 with offset); others are kept with the event.',
      ),
    to: z
      .array(z.string().min(1).max(100))
      .optional()
      .describe('Only texts to these pagers, numbers or addresses; default all.'),
    kind: Kind.optional().describe(
      'What it calls for; default what `kinds` makes of the group `kind`, else the kind of the device.',
    ),
    phase: z
      .enum(['active', 'restored'])
      .optional()
      .describe('`restored` for a text that ends a call (CLEAR, CANCEL); default `active`.'),
    trouble: z
      .enum(['tamper', 'low-battery', 'power-loss', 'comm-loss', 'fault'])
      .optional()
      .describe('The text is no call for people, but what a device says of itself.'),
    ignore: z
      .literal(true)
      .optional()
      .describe('The text is taken from the sender and means nothing here: routine calls.'),
    drill: z.literal(true).optional().describe('The text is part of a drill.'),
  })
  .superRefine(({ ignore, trouble, kind, drill }, ctx) => {
    if (ignore && (kind || trouble || drill))
      ctx.addIssue({
        code: 'custom',
        path: ['ignore'],
        message: 'what is ignored has no kind: take one away',
      })
    if (trouble && (kind || drill))
      ctx.addIssue({ code: 'custom', path: ['trouble'], message: 'a trouble has no kind: take one away' })
  })

/** How a connector reads the texts of a system that only sends pages; spread `TextReading.shape` into its config. */
export const TextReading = z.strictObject({
  patterns: z
    .array(Pattern)
    .max(200)
    .default([])
    .describe(
      'What texts mean; the first that fits counts. A text that fits none calls for help as `unknown`.',
    ),
  places: z
    .record(
      z.string(),
      z.strictObject({
        place: z.string().min(1).max(300).describe('Path of the place.'),
        precision: Level.describe('How exactly the sender can tell this place.'),
      }),
    )
    .default({})
    .describe("Places by the sender's words for them, as they stand in the group `place`."),
  kinds: z
    .record(z.string(), Kind)
    .default({})
    .describe(
      "Kinds by the sender's words for them, as they stand in the group `kind`: `CODE GRAY: duress`.",
    ),
  repeat: duration('The same text within this time is the same press; later it is a new one.', {
    min: '1s',
    max: '10m',
  }).default(30_000),
})
export type TextReading = z.infer<typeof TextReading>

/** The address of a device that is known by what stands in a text. */
export const TextInput = z.strictObject({
  id: z.string().min(1).max(200).describe('As the sender writes it: the room, the badge, the call address.'),
})
export type TextInput = z.infer<typeof TextInput>

/** What the wire says beside the text. */
export interface About {
  /** Who sent it, where the wire tells: an address, an account. */
  readonly sender?: string | undefined
  /** The pager, number or call address that it was sent to. */
  readonly to?: string | undefined
  /** What the sender calls this message, where it numbers them: told again under it, however much later, it is the same press. */
  readonly id?: string | undefined
  /** What else the wire says, kept with the event. */
  readonly raw?: Json | undefined
  /** What the wire itself says of phase and kind; a pattern goes before it. */
  readonly phase?: 'active' | 'restored' | undefined
  readonly kind?: Kind | undefined
}

/** What a text says. */
export interface Reading {
  /** The text on one line, at most 1,000 characters. */
  readonly text: string
  /** Which of `patterns` fits; null for none. */
  readonly matched: number | null
  readonly ignored: boolean
  readonly phase: 'active' | 'restored'
  readonly kind?: Kind
  readonly trouble?: NonNullable<TextReading['patterns'][number]['trouble']>
  readonly drill: boolean
  /** The named groups that have a value. */
  readonly groups: Readonly<Record<string, string>>
  readonly seen?: Pick<Sighting, 'place' | 'precision' | 'from'>
  readonly batteryPercent?: number
  /** ms since the epoch */
  readonly occurredAt?: number
}

/** One line without control, invisible or direction-changing characters. */
export const plain = (text: string): string =>
  text
    .slice(0, textMax * 4)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, textMax)
    .toWellFormed()

/** How words are compared: case and spacing do not matter. */
export const alike = (words: string): string => plain(words).toLowerCase()

/** Makes of a config what reads texts. Throws when a pattern is no regular expression: `checkText` has told before. */
export const compileText = (
  config: Omit<TextReading, 'repeat'>,
): ((text: string, about?: About) => Reading) => {
  const patterns = config.patterns.map((pattern) => ({
    ...pattern,
    find: regex(`(?i)${pattern.match}`),
    to: pattern.to && new Set(pattern.to.map(alike)),
  }))
  const places = new Map(Object.entries(config.places).map(([words, seen]) => [alike(words), seen]))
  const kinds = new Map(Object.entries(config.kinds).map(([words, kind]) => [alike(words), kind]))

  return (said, about = {}) => {
    const text = plain(said)
    const to = alike(about.to ?? '')
    for (const [matched, pattern] of patterns.entries()) {
      const found = pattern.to && !pattern.to.has(to) ? null : pattern.find(text)
      if (!found) continue
      const groups = valuesOf(found)
      const place = groups['place'] === undefined ? undefined : places.get(alike(groups['place']))
      const named = groups['kind']
      // A kind that `kinds` does not know is not weakened to a guess.
      const kind =
        (named === undefined ? undefined : kinds.get(alike(named))) ??
        pattern.kind ??
        about.kind ??
        (named === undefined ? undefined : 'unknown')
      return {
        text,
        matched,
        ignored: pattern.ignore ?? false,
        phase: pattern.phase ?? about.phase ?? 'active',
        drill: pattern.drill ?? false,
        groups,
        ...(kind && { kind }),
        ...(pattern.trouble && { trouble: pattern.trouble }),
        ...(place && { seen: { ...place, from: groups['person'] || groups['id'] ? 'badge' : 'fixed' } }),
        ...batteryOf(groups['battery']),
        ...timeOf(groups['time']),
      }
    }
    const { phase = 'active', kind } = about
    return { text, matched: null, ignored: false, phase, drill: false, groups: {}, ...(kind && { kind }) }
  }
}

const valuesOf = (found: Readonly<Record<string, string | null>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(found).flatMap(([name, value]) => {
      const kept = value?.trim().slice(0, groupMax)
      return kept ? [[name, kept]] : []
    }),
  )

const batteryOf = (words = ''): { batteryPercent?: number } => {
  const percent = Number(/^\d{1,3}/.exec(words)?.[0] ?? Number.NaN)
  return percent <= 100 ? { batteryPercent: percent } : {}
}

/** Only a time with an offset is a time: a bare "14:02" may be of any zone and day. */
const timeOf = (words = ''): { occurredAt?: number } => {
  const at = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)$/i.test(words)
    ? Date.parse(words)
    : Number.NaN
  return Number.isNaN(at) ? {} : { occurredAt: at }
}

/** The pure checks that all connectors of texts share. */
export const checkText = ({
  config,
  inputs,
}: {
  config: TextReading
  inputs: ReadonlyMap<string, TextInput>
}): Finding[] => {
  const findings: Finding[] = []
  config.patterns.forEach(({ match }, nth) => {
    try {
      regex(`(?i)${match}`)
    } catch (error) {
      const message = `no regular expression that can be used here: ${(error as Error).message}`
      findings.push({ path: ['config', 'patterns', nth, 'match'], message, fatal: true })
    }
  })
  for (const field of ['places', 'kinds'] as const)
    for (const [words, other] of twins(Object.keys(config[field]).map((words) => [words, words])))
      findings.push({
        path: ['config', field, words],
        message: `is the same as "${other}": case and spacing do not count`,
        fatal: true,
      })
  for (const [device, other] of twins([...inputs].map(([device, { id }]) => [device, id])))
    findings.push({
      path: ['inputs', device, 'id'],
      message: `is already the id of ${other}: a press would be taken for ${other}'s`,
      fatal: true,
    })
  return findings
}

/** Names whose words are those of an earlier one, with that one. */
const twins = (named: readonly (readonly [name: string, words: string])[]): [string, string][] => {
  const first = new Map<string, string>()
  return named.flatMap(([name, words]): [string, string][] => {
    const other = first.get(alike(words))
    if (other === undefined) first.set(alike(words), name)
    return other === undefined ? [] : [[name, other]]
  })
}

/** For `Connector.places`. */
export const placesOfText = (config: Pick<TextReading, 'places'>): NamedPlace[] =>
  Object.entries(config.places).map(([words, seen]) => ({ path: ['places', words], ...seen }))
