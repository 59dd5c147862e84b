import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening, SecretRef } from '../../../core/connector.ts'
import { checkListening, Listening } from '../../../core/intake/listening.ts'
import { checkText, placesOfText, TextInput, TextReading } from '../../../core/intake/text.ts'

const config = z.strictObject({
  ...Listening.shape,
  listen: Listening.shape.listen
    .unwrap()
    .default('127.0.0.1:444')
    .describe('Where it listens, as host:port (RFC 1861: 444).'),
  logins: z
    .record(
      z.string().regex(/^[!-~]{1,64}$/, 'printable ASCII without spaces'),
      z.strictObject({ password: SecretRef.optional() }),
    )
    .default({})
    .describe('Accounts by their id; with any, nobody pages without LOGIn.'),
  idle: duration('How long a caller may say nothing.', { min: '1s', max: '1h' }).default(120_000),
  ...TextReading.shape,
})
export type Config = z.infer<typeof config>

const check = (opening: Omit<Opening<Config, TextInput, never>, 'cursors'>): Finding[] => [
  ...checkListening(opening.config),
  ...checkText(opening),
]

/** Paging by SNPP, RFC 1861 level 2, the other way round: we are the gateway. */
export default defineConnector({
  type: 'snpp-receiver',
  summary: 'Takes presses from systems that send pages by SNPP (RFC 1861), as their paging gateway.',
  module: import.meta.url,
  contract: 1,
  config,
  input: TextInput,
  staleAfterMs: () => null,
  silentAfterMs: () => null,
  places: (config) => placesOfText(config),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
