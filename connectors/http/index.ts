import { z } from 'zod'
import {
  cameraPreset,
  doorHighlight,
  doorLockdown,
  doorRelease,
  doorSecure,
  doorState,
  eventSend,
  pageSend,
  relaySet,
} from '../../core/capability.ts'
import { defineConnector, duration, SecretRef } from '../../core/connector.ts'
import { check } from './check.ts'

export const can = [
  pageSend,
  eventSend,
  cameraPreset,
  relaySet,
  doorState,
  doorSecure,
  doorLockdown,
  doorRelease,
  doorHighlight,
] as const
export type Can = (typeof can)[number]

/** What the profile `axis-door` offers by itself. */
const axisCan = ['door.state', 'door.secure', 'door.lockdown', 'door.release'] as const

const Url = z
  .url({ protocol: /^https?$/, error: 'not a URL: write http://host/path or https://host/path' })
  .refine((url) => !/[?#]/.test(url) && !/^https?:\/\/[^/]*@/i.test(url), {
    message:
      'without user, query and fragment: credentials belong into `auth`, a query into the path of a request',
  })

const method = (fallback: string) =>
  z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).optional().describe(`Method; default ${fallback}.`)
const path = z
  .string()
  .max(2_000)
  .regex(/^([/?][!-~]*)?$/, 'start with / or ?, printable ASCII without spaces')
  .default('')
  .describe('Path and query, added to the URL; may hold `{{name}}`.')
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~\w-]{1,64}$/, 'not the name of a header')
/** Ours or undici's to set; credentials are never written into the config. */
const reserved =
  /^(authorization|connection|content-length|expect|idempotency-key|keep-alive|transfer-encoding|upgrade)$/i
const headers = z
  .record(
    headerName.refine(
      (name) => !reserved.test(name),
      'set by the bridge itself; credentials belong into `auth`',
    ),
    z.string().max(1_000),
  )
  .optional()
  .describe('Further headers; values may hold `{{name}}`.')
const body = z
  .union([z.string().max(20_000), z.record(z.string(), z.json()), z.array(z.json())])
  .optional()
  .describe('Body: a mapping or list is sent as JSON, a text as it is; strings may hold `{{name}}`.')
const expression = (what: string) => z.string().min(1).max(4_000).optional().describe(what)

const Confirm = z.strictObject({
  method: method('GET'),
  path,
  headers,
  body,
  test: z.string().min(1).max(4_000).describe('JSONata on the body: true when the wanted state is reported.'),
  result: expression('JSONata on the body that makes the result.'),
  within: duration('How long it may take until the state is reported.', { min: '100ms', max: '30s' }).default(
    3_000,
  ),
  every: duration('How often it is asked for.', { min: '50ms', max: '5s' }).default(200),
})

const Request = z.strictObject({
  method: method('POST, or GET for door.state'),
  path,
  headers,
  body,
  success: z
    .strictObject({
      status: z
        .array(z.int().min(200).max(299))
        .min(1)
        .optional()
        .describe('Statuses that mean success; default every 2xx.'),
      test: expression('JSONata on the body: true for success. Many systems answer 200 to what they refuse.'),
    })
    .optional()
    .describe('What success looks like.'),
  result: expression('JSONata on the body that makes the result, such as `{ "reference": id }`.'),
  confirm: Confirm.optional().describe(
    'Request that reads the state back; what locks or switches needs one.',
  ),
})
export type RequestConfig = z.infer<typeof Request>
export type ConfirmConfig = z.infer<typeof Confirm>

const login = z.strictObject({
  username: z.string().min(1).max(200).describe('User.'),
  password: SecretRef,
})

const Auth = z.union([
  z.strictObject({ basic: login.describe('HTTP basic (RFC 7617).') }),
  z.strictObject({ digest: login.describe('HTTP digest (RFC 7616).') }),
  z.strictObject({ bearer: SecretRef }),
  z.strictObject({
    header: z
      .strictObject({
        name: headerName.describe('Name of the header.'),
        value: SecretRef,
      })
      .describe('A header of its own, such as an API key.'),
  }),
])

const file = (what: string) => z.string().min(1).max(1_000).optional().describe(`Path of ${what}, PEM.`)

const Config = z.strictObject({
  url: Url.optional().describe('Base URL, unless each target has its own.'),
  auth: Auth.optional().describe('How we show who we are: basic, digest, bearer or header.'),
  tls: z
    .strictObject({
      ca: file('the certificates of the authority that the server is trusted by'),
      cert: file('our client certificate'),
      key: file('the key of our client certificate'),
      'server-name': z
        .string()
        .min(1)
        .max(253)
        .optional()
        .describe('Name in the certificate, if not the host.'),
    })
    .optional()
    .describe('Own authority, client certificate. Certificates are always verified.'),
  timeout: duration('How long one answer may take.', { min: '100ms', max: '30s' }).default(5_000),
  connections: z.int().min(1).max(64).default(4).describe('Connections to one server at a time.'),
  characters: z.int().min(20).max(2_000).default(240).describe('Longest `{{message.text}}`.'),
  profile: z
    .enum(['axis-door'])
    .optional()
    .describe('Ready-made requests: `axis-door`, for door controllers with Axis VAPIX.'),
  requests: z
    .partialRecord(z.enum(can.map(({ name }) => name) as [Can['name'], ...Can['name'][]]), Request)
    .default({})
    .describe('One request for each capability.'),
})
export type Config = z.infer<typeof Config>

const Target = z.strictObject({
  url: Url.optional().describe('Base URL of this target, if not the one of the connector.'),
  values: z
    .record(
      z.string().regex(/^[A-Za-z][\w-]{0,40}$/, 'a letter, then letters, digits, dashes'),
      z.union([z.string().max(500), z.number()]),
    )
    .default({})
    .describe(
      'Values of this target for templates: `{{values.token}}`. The profile axis-door takes `token`.',
    ),
})
export type Target = z.infer<typeof Target>

/** The server that a target is on; a target without any is found by the check. */
const originOf = (config: Config, target: Target): string => {
  const url = target.url ?? config.url
  return url === undefined ? 'nowhere' : new URL(url).origin
}

/** Acts by HTTP requests that are written in the config. */
export default defineConnector<Config, never, Target, Can>({
  type: 'http',
  summary: 'Sends pages, events and commands to anything that takes HTTP requests.',
  module: import.meta.url,
  contract: 1,
  config: Config,
  output: Target,
  can,
  link: originOf,
  lane: (config, target) => ({ key: originOf(config, target), atOnce: config.connections }),
  offers: (config) => [...new Set([...(config.profile ? axisCan : []), ...Object.keys(config.requests)])],
  // Time for a request, its reading back and the last answer of that; our own limits are tighter and say more.
  attemptMs: ({ timeout, requests, profile }, capability) => {
    const within = requests[capability as Can['name']]?.confirm?.within
    const steps = profile && !within && capability.startsWith('door.') && capability !== 'door.state' ? 4 : 1
    return timeout * (within === undefined ? steps : 2) + (within ?? (steps > 1 ? 6_000 : 0)) + 500
  },
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
