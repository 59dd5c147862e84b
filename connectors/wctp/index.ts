import { z } from 'zod'
import { defineConnector, type Finding, type Opening, SecretRef } from '../../core/connector.ts'
import { checkText, placesOfText, TextInput, TextReading } from '../../core/intake/text.ts'
import { Listen, ListenTls, listenFindings, PlainBeyond } from '../../core/listen.ts'

const config = z.strictObject({
  listen: Listen.default('127.0.0.1:8083'),
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'starts with a slash')
    .max(200)
    .default('/wctp')
    .describe('Path that the sender posts to; others are not found.'),
  senders: z
    .record(
      z.string().min(1).max(255),
      z.strictObject({
        code: SecretRef.optional().describe('Its securityCode; without one, its senderID alone is enough.'),
      }),
    )
    .refine((senders) => Object.keys(senders).length > 0, 'name at least one sender')
    .describe('Who may send, by senderID.'),
  tls: ListenTls.optional().describe('Own certificate and key, for HTTPS.'),
  'plain-beyond-this-machine': PlainBeyond.default(false),
  'max-body': z
    .number()
    .int()
    .min(1_024)
    .max(1_048_576)
    .default(65_536)
    .describe('Largest request that is read, bytes.'),
  ...TextReading.shape,
})
export type Config = z.infer<typeof config>

const check = (opening: Omit<Opening<Config, TextInput, never>, 'cursors'>): Finding[] => {
  const { tls, senders } = opening.config
  const open = Object.entries(senders).filter(([, { code }]) => !code)
  const lacks = [...(tls ? [] : ['tls']), ...(open.length > 0 ? ['a code for each sender'] : [])]
  return [
    ...listenFindings(opening.config, lacks),
    ...open.map(([id]) => ({
      path: ['config', 'senders', id],
      message: 'has no `code`: whoever knows the senderID can open incidents',
      fatal: false,
    })),
    ...checkText(opening),
  ]
}

/** Messages by the Wireless Communications Transfer Protocol 1.3; we are the gateway. */
export default defineConnector({
  type: 'wctp',
  summary: 'Takes presses from systems that send messages by WCTP 1.3, as their paging carrier.',
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
