import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening } from '../../core/connector.ts'
import { Kind } from '../../core/fact.ts'
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
            'Serial port that the control station is wired to: /dev/ttyUSB0, or better a name under /dev/serial/by-id.',
          ),
        baud: z.number().int().min(300).max(115_200).default(9_600).describe('Baud rate.'),
        parity: z.enum(['even', 'odd', 'none']).default('even').describe('Parity.'),
        stop: z.literal([1, 2]).default(2).describe('Stop bits.'),
      })
      .optional()
      .describe('The serial line that the control station is wired to.'),
    ...Listening.shape,
    bits: z
      .literal([7, 8])
      .default(7)
      .describe(
        'Bits of a character: 7 as in the standard, or 8 where texts have umlauts and accents (ISO 8859-1).',
      ),
    address: z
      .string()
      .regex(/^[!-~]{1,8}$/, 'one character, such as "2"')
      .default('2')
      .describe('Our own address on the line; 2 is the usual one of the paging side.'),
    selects: z
      .enum(['after-poll', 'direct'])
      .default('after-poll')
      .describe(
        'How the control station selects us: after it has polled itself, as in the standard, or by our address alone.',
      ),
    polls: z
      .boolean()
      .default(true)
      .describe('The control station polls all the time. `false`: it is heard only when it has a call.'),
    quiet: duration('How long no poll may come before the line counts as dead.', { min: '1s' }).default(
      120_000,
    ),
    status: z
      .array(z.string().min(1).max(4))
      .max(20)
      .default(['2', '3'])
      .describe(
        'Header types that are no calls: 2 status information and 3 status request; 5 where it only tells the time.',
      ),
    priorities: z
      .record(z.string(), Kind)
      .default({})
      .describe(
        'Kinds by the priority of a call, where its text does not tell: `"1": duress` (1 alarm, 2 high, 3 normal).',
      ),
    ...TextReading.shape,
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
  type: 'espa444',
  summary: 'Takes calls over ESPA 4.4.4, as the paging side of a nurse-call or alarm system.',
  module: import.meta.url,
  contract: 1,
  config: Config,
  input: TextInput,
  staleAfterMs: ({ polls, quiet }) => (polls ? quiet : null),
  places: (config) => placesOfText(config),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
