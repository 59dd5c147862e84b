import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening, SecretRef } from '../../core/connector.ts'
import { Level } from '../../core/fact.ts'

const Hmac = z
  .strictObject({
    secret: SecretRef,
    style: z
      .enum(['hex', 'base64', 'github', 'stripe', 'slack', 'standard'])
      .default('github')
      .describe(
        'How the signature is written: bare `hex` or `base64`, `github` (sha256=<hex>), `stripe` (t=<time>,v1=<hex>), `slack` (v0=<hex>) or `standard` (standardwebhooks.com).',
      ),
    header: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'write it in lower case')
      .optional()
      .describe('Header of the signature, in lower case; default the usual one of the style.'),
    'timestamp-header': z
      .string()
      .regex(/^[a-z0-9-]+$/, 'write it in lower case')
      .optional()
      .describe(
        'For hex, base64 and github: header with the time in Unix seconds; then `<time>.<body>` is signed.',
      ),
    window: duration('How far a signed time may be from ours.', { min: '10s', max: '1h' }).default(300_000),
  })
  .describe('Requests are signed with HMAC-SHA256.')
export type Hmac = z.infer<typeof Hmac>

const Config = z
  .strictObject({
    listen: z
      .string()
      .regex(/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/i, 'write host:port, such as 127.0.0.1:8081')
      .default('127.0.0.1:8081')
      .describe('Where it listens, as host:port; webhooks with the same address share it.'),
    path: z
      .string()
      .regex(/^\/[!-~]*$/, 'starts with a slash')
      .max(200)
      .default('/')
      .describe('Path of this webhook; other paths are not found.'),
    hmac: Hmac.optional(),
    bearer: SecretRef.optional().describe('Requests carry this token: `Authorization: Bearer …`.'),
    profile: z
      .enum(['press', 'cloudevents'])
      .optional()
      .describe('What the body is: `press`, our own JSON (default), or `cloudevents` that carry it.'),
    map: z
      .string()
      .max(10_000)
      .optional()
      .describe('JSONata that makes a press, a list of them or nothing of any other body.'),
    areas: z
      .record(
        z.string(),
        z.strictObject({
          place: z.string().min(1).max(300).describe('Path of the place.'),
          precision: Level.describe('How exactly being seen there tells the place.'),
        }),
      )
      .default({})
      .describe('Places by the names that the sender has for them, such as its gateways.'),
    precision: Level.default('zone').describe(
      'How exactly the sender knows a place that it names by our path.',
    ),
    'max-body': z
      .number()
      .int()
      .min(256)
      .max(1_048_576)
      .default(65_536)
      .describe('Largest body that is read, bytes.'),
    tls: z
      .strictObject({
        cert: z.string().min(1).describe('Path of the certificate chain, PEM.'),
        key: z.string().min(1).describe('Path of the private key, PEM.'),
      })
      .optional()
      .describe('Certificate and key; needed to listen beyond this machine.'),
    'plain-beyond-this-machine': z
      .boolean()
      .default(false)
      .describe('Listen beyond this machine without TLS all the same, for instance behind a proxy.'),
  })
  .superRefine((config, ctx) => {
    if ((config.hmac === undefined) === (config.bearer === undefined))
      ctx.addIssue({ code: 'custom', message: 'name exactly one of `hmac` and `bearer`' })
    if (config.map !== undefined && config.profile !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['map'],
        message: 'takes the place of `profile`: name one of the two',
      })
    const signsTime = ['stripe', 'slack', 'standard'].includes(config.hmac?.style ?? '')
    if (signsTime && config.hmac?.['timestamp-header'] !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['hmac', 'timestamp-header'],
        message: `is for hex, base64 and github: ${config.hmac.style} has a time of its own`,
      })
  })
export type Config = z.infer<typeof Config>

const Input = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(200)
    .describe('What the sender calls this device: number of the badge, MAC address.'),
})
export type Input = z.infer<typeof Input>

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

const check = ({ config, inputs }: Omit<Opening<Config, Input, never>, 'cursors'>): Finding[] => {
  const findings: Finding[] = []
  const host = config.listen.slice(0, config.listen.lastIndexOf(':'))
  if (!loopback.test(host) && !config.tls && !config['plain-beyond-this-machine'])
    findings.push({
      path: ['config', 'listen'],
      message: `${host} is reachable from outside: add \`tls\`, listen on 127.0.0.1, or write \`plain-beyond-this-machine: true\``,
      fatal: true,
    })
  if (Number(config.listen.slice(host.length + 1)) > 65_535)
    findings.push({
      path: ['config', 'listen'],
      message: 'there is no such port: at most 65535',
      fatal: true,
    })
  const wrong = config.map === undefined ? null : syntaxError(config.map)
  if (wrong) findings.push({ path: ['config', 'map'], message: wrong, fatal: true })
  const devices = new Map<string, string>()
  for (const [device, { id }] of inputs) {
    const other = devices.get(id)
    if (other === undefined) devices.set(id, device)
    else
      findings.push({
        path: ['inputs', device, 'id'],
        message: `"${id}" is already the id of ${other}: a press would be taken for ${other}'s`,
        fatal: true,
      })
  }
  return findings
}

/** What is wrong with a JSONata expression, and where. The library is loaded only when there is one: a declaration costs nothing. */
const syntaxError = (expression: string): string | null => {
  try {
    process.getBuiltinModule('node:module').createRequire(import.meta.url)('jsonata')(expression)
    return null
  } catch (error) {
    const { message, position } = error as { message?: string; position?: number }
    return `not JSONata${position === undefined ? '' : `, at character ${position}`}: ${message ?? 'syntax error'}`
  }
}

export default defineConnector({
  type: 'webhook',
  summary: 'Takes presses from systems that call a URL: badge clouds, apps, IoT platforms.',
  module: import.meta.url,
  contract: 1,
  config: Config,
  input: Input,
  staleAfterMs: () => null,
  places: ({ areas }) => Object.entries(areas).map(([name, area]) => ({ path: ['areas', name], ...area })),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
