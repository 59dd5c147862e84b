import { z } from 'zod'
import { pageSend } from '../../core/capability.ts'
import { defineConnector, duration, type Finding, SecretRef } from '../../core/connector.ts'

/** A token of the protocol: its lines are words of printable ASCII. */
const word = (what: string, max: number) =>
  z
    .string()
    .regex(/^[!-~]+$/, 'printable ASCII without spaces')
    .max(max)
    .describe(what)

const config = z.strictObject({
  host: z.string().min(1).max(253).describe('Name or address of the paging server.'),
  port: z.int().min(1).max(65_535).default(444).describe('TCP port of the paging server (RFC 1861: 444).'),
  characters: z
    .int()
    .min(20)
    .max(240)
    .default(80)
    .describe(
      'Longest message that the pagers show. 80 is what a display of four lines of 20 shows at once; up to 240 where they scroll.',
    ),
  login: z
    .strictObject({
      id: word('Account that the server knows us by.', 64),
      password: SecretRef.optional(),
    })
    .optional()
    .describe('Sent as LOGIn where the server wants it. SNPP has no encryption: use it on a closed network.'),
  level: z
    .int()
    .min(0)
    .max(11)
    .optional()
    .describe('Service level (RFC 1861, 4.5.3): 0 priority, 1 normal, 8 to 11 as the carrier defines them.'),
  alert: z
    .boolean()
    .optional()
    .describe(
      'Override how the pager alerts (RFC 1861, 4.5.4). Never sent for silent incidents, where the pager keeps its own setting.',
    ),
  caller: word('Sent as CALLerid where the server knows it.', 64).optional(),
  timeout: duration('How long one page may take, from connecting to the answer to SEND.', {
    min: '500ms',
    max: '30s',
  }).default(5_000),
})
export type SnppConfig = z.infer<typeof config>

const output = z.strictObject({ id: word('Pager id as the server knows it.', 64) })
export type Pager = z.infer<typeof output>

/** Paging by SNPP, RFC 1861 level 2. */
export default defineConnector({
  type: 'snpp',
  summary: 'Pages by the Simple Network Paging Protocol (RFC 1861).',
  module: import.meta.url,
  contract: 1,
  config,
  output,
  can: [pageSend],
  // Gateways commonly have few ways into the paging terminal, and refuse or queue what comes beside them.
  lane: ({ host, port }) => ({ key: `${host}:${port}`, atOnce: 2 }),
  // The attempt's own time is up a little later than ours, so that the outcome can say at which command it was.
  attemptMs: ({ timeout }) => timeout + 250,
  check: ({ config }): Finding[] =>
    config.login?.password && config.host !== '127.0.0.1' && config.host !== 'localhost'
      ? [
          {
            path: ['config', 'login', 'password'],
            message: 'travels in clear, as SNPP knows no encryption; keep the way to the server closed',
            fatal: false,
          },
        ]
      : [],
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
