import { z } from 'zod'
import { defineConnector, type Finding, type Opening, SecretRef } from '../../core/connector.ts'
import { checkText, placesOfText, TextInput, TextReading } from '../../core/intake/text.ts'
import { Listen, ListenTls, listenFindings, Network } from '../../core/listen.ts'

const config = z.strictObject({
  listen: Listen.default('127.0.0.1:2525'),
  from: z
    .array(Network)
    .min(1)
    .max(100)
    .describe(
      'Who may connect: addresses and networks. This machine always may. Within it every mail counts, so name only what sends alarms.',
    ),
  senders: z
    .array(
      z
        .string()
        .regex(/^(<>|[^\s@<>]*@[^\s@<>]+)$/, 'write an address, @ and a domain, or <> for mails without one'),
    )
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Envelope senders that are taken: `rtls@example.org`, `@example.org`, or `<>` for mails that have none; default all.',
    ),
  logins: z
    .record(z.string().min(1).max(200), z.strictObject({ password: SecretRef }))
    .default({})
    .describe('Accounts by their name; with any, nobody sends without AUTH.'),
  tls: ListenTls.extend({
    mode: z
      .enum(['starttls', 'implicit'])
      .default('starttls')
      .describe(
        '`starttls`: offered, and needed for AUTH. `implicit`: TLS from the first byte, as on port 465.',
      ),
  })
    .optional()
    .describe('Own certificate and key.'),
  'max-size': z
    .number()
    .int()
    .min(1_024)
    .max(4_194_304)
    .default(262_144)
    .describe('So much of a mail is read, bytes; the rest, such as pictures, is thrown away, not the mail.'),
  ...TextReading.shape,
})
export type Config = z.infer<typeof config>

const check = (opening: Omit<Opening<Config, TextInput, never>, 'cursors'>): Finding[] => {
  const { config } = opening
  // `from` is what says in so many words who may send.
  const findings = listenFindings({ ...config, 'plain-beyond-this-machine': true }, [])
  config.from.forEach((network, nth) => {
    if (Number(network.split('/')[1] ?? 32) < 8)
      findings.push({
        path: ['config', 'from', nth],
        message: 'is most of the world: every mail from there opens an incident; name what sends alarms',
        fatal: false,
      })
  })
  if (Object.keys(config.logins).length > 0 && !config.tls)
    findings.push({
      path: ['config', 'logins'],
      message: 'without `tls` the passwords travel in clear',
      fatal: false,
    })
  return [...findings, ...checkText(opening)]
}

/** Mail by SMTP (RFC 5321), for systems whose only way out is to mail. */
export default defineConnector({
  type: 'smtp',
  summary: 'Takes presses from systems that send mail, as their mail server.',
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
