import { z } from 'zod'

const pair = z.tuple([z.number(), z.number()])
const band = (what: string) =>
  z.union([pair, z.array(pair).min(1).max(8)]).describe(`${what} \`[lowest, highest]\`, or a list of such.`)
type Band = z.infer<ReturnType<typeof band>>

/** What the values of a supervised loop mean, and how they are told apart. */
export const Bands = z
  .strictObject({
    wiring: z
      .enum(['single', 'double'])
      .default('double')
      .describe(
        '`single`: one resistor at the end of the line, so that open and short are presses; `double`: two, so that they are sabotage.',
      ),
    normal: band('Nobody presses.'),
    alarm: band('Pressed.').optional(),
    open: band('The loop is cut.').optional(),
    short: band('The loop is bridged.').optional(),
    hysteresis: z
      .number()
      .min(0)
      .default(0)
      .describe('So far beyond its band a value must go to leave it: more than the noise.'),
    settle: z
      .number()
      .int()
      .min(1)
      .max(20)
      .default(2)
      .describe('Readings in a row that must agree before a change counts.'),
    scale: z
      .strictObject({
        times: z.number().default(1).describe('The register is multiplied by this.'),
        plus: z.number().default(0).describe('And this is added.'),
        signed: z.boolean().default(false).describe("The register is signed (two's complement)."),
      })
      .optional()
      .describe(
        'From the register to the unit in which the bands are written, such as ohms or milliamperes.',
      ),
  })
  .superRefine((bands, ctx) => {
    const all = rangesOf(bands)
    const say = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
    for (const { name, lo, hi } of all) if (lo > hi) say(name, `${lo} to ${hi}: write the lower one first`)
    for (const [index, one] of all.entries())
      for (const other of all.slice(index + 1))
        if (one.lo <= other.hi && other.lo <= one.hi)
          say(other.name, `${other.lo} to ${other.hi} overlaps with ${one.name}, ${one.lo} to ${one.hi}`)
    const narrowest = Math.min(...all.map(({ lo, hi }) => hi - lo))
    // Else a band could lie wholly within what still counts as its neighbour, and never be seen.
    if (bands.hysteresis > narrowest / 2)
      say('hysteresis', `must be at most half of the narrowest band: ${narrowest / 2}`)
    if (bands.wiring === 'double' && bands.alarm === undefined)
      say('alarm', 'is missing: with two resistors a press has a value of its own')
    if (bands.wiring === 'single' && !(bands.alarm ?? bands.open ?? bands.short))
      say('open', 'is missing: name the bands that are a press (`open`, `short` or `alarm`)')
  })
export type Bands = z.infer<typeof Bands>

const names = ['normal', 'alarm', 'open', 'short'] as const
export type BandName = (typeof names)[number]

interface Range {
  readonly name: BandName
  readonly lo: number
  readonly hi: number
}

const listed = (band: Band): readonly (readonly [number, number])[] =>
  typeof band[0] === 'number' ? [band as [number, number]] : (band as [number, number][])

/** All bands as single ranges. */
export const rangesOf = (bands: { readonly [name in BandName]?: Band | undefined }): Range[] =>
  names.flatMap((name) => {
    const band = bands[name]
    return band === undefined ? [] : listed(band).map(([lo, hi]) => ({ name, lo, hi }))
  })
