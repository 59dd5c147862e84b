import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening } from '../../core/connector.ts'
import { checkListening, Listening } from '../../core/intake/listening.ts'
import { checkText, placesOfText, TextInput, TextReading } from '../../core/intake/text.ts'

const Config = z
  .strictObject({
    line: z
      .strictObject({
        path: z
          .string()
          .min(1)
          .max(300)
          .describe(
            'Serial port that the sender is wired to: /dev/ttyUSB0, or better a name under /dev/serial/by-id.',
          ),
        baud: z.number().int().min(300).max(115_200).default(9_600).describe('Baud rate.'),
        data: z.literal([7, 8]).default(7).describe('Data bits.'),
        parity: z.enum(['even', 'odd', 'none']).default('even').describe('Parity.'),
        stop: z.literal([1, 2]).default(1).describe('Stop bits.'),
      })
      .optional()
      .describe('The serial line that the sender is wired to.'),
    ...Listening.shape,
    ...TextReading.shape,
    quiet: duration(
      'How long it may be silent before that is a fault; leave it out where days pass without a page.',
      {
        min: '10s',
      },
    ).optional(),
  })
  .superRefine(({ line, listen }, ctx) => {
    if ((line === undefined) === (listen === undefined))
      ctx.addIssue({ code: 'custom', message: 'name exactly one of `line` and `listen`' })
  })
export type Config = z.infer<typeof Config>

const check = ({ config, inputs }: Omit<Opening<Config, TextInput, never>, 'cursors'>): Finding[] => [
  ...checkListening(config),
  ...checkText({ config, inputs }),
]

export default defineConnector({
  type: 'tap',
  summary: 'Takes pages over TAP, as the paging terminal of a nurse-call or location system.',
  module: import.meta.url,
  contract: 1,
  config: Config,
  input: TextInput,
  staleAfterMs: ({ quiet }) => quiet ?? null,
  places: (config) => placesOfText(config),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
