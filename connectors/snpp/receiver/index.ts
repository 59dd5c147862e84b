import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening, SecretRef } from '../../../core/connector.ts'
import { checkText, placesOfText, TextInput, TextReading } from '../../../core/intake/text.ts'
import { Listen, ListenTls, listenFindings, Network, PlainBeyond } from '../../../core/listen.ts'
import { regex } from './regex.ts'

const config = z.strictObject({
  listen: Listen.default('127.0.0.1:444'),
  networks: z
    .array(Network)
    .max(100)
    .optional()
    .describe('Who may connect: addresses and networks; default everybody who can. This machine always may.'),
  logins: z
    .record(
      z.string().regex(/^[!-~]{1,64}$/, 'printable ASCII without spaces'),
      z.strictObject({ password: SecretRef.optional() }),
    )
    .default({})
    .describe('Accounts by their id; with any, nobody pages without LOGIn.'),
  tls: ListenTls.optional().describe('Speak TLS from the first byte, for senders that can.'),
  'plain-beyond-this-machine': PlainBeyond.default(false),
  idle: duration('How long a caller may say nothing.', { min: '1s', max: '1h' }).default(120_000),
  ...TextReading.shape,
})
export type Config = z.infer<typeof config>

const check = (opening: Omit<Opening<Config, TextInput, never>, 'cursors'>): Finding[] => {
  const { config } = opening
  const lacks = [config.tls ? '' : 'tls', Object.keys(config.logins).length > 0 ? '' : 'logins']
  return [...listenFindings(config, lacks.filter(Boolean)), ...checkText(opening, regex)]
}

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
