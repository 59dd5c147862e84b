import { z } from 'zod'
import {
  cameraPreset,
  cameraSnapshot,
  doorLockdown,
  doorRelease,
  doorSecure,
  doorState,
  relaySet,
} from '../../core/capability.ts'
import { defineConnector, duration, type Finding, SecretRef } from '../../core/connector.ts'

const Url = z
  .string()
  .max(300)
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'write the whole address, such as http://10.0.9.3/onvif/device_service',
  )
  .refine(
    (text) => !URL.canParse(text) || (!new URL(text).username && !new URL(text).password),
    'user and password do not belong into the address: use `username` and `password`',
  )

const Token = z.string().min(1).max(64)

const Config = z.strictObject({
  url: Url.optional().describe(
    'Address of the device service, such as http://10.0.9.3/onvif/device_service. Devices may name their own.',
  ),
  username: z
    .string()
    .min(1)
    .max(64)
    .describe('User on the device; it needs the right to act, not to administrate.'),
  password: SecretRef,
  timeout: duration('How long one exchange with the device may take.', { min: '200ms', max: '30s' }).default(
    3_000,
  ),
  poll: duration('How often the device is asked whether it is there, and its doors how they are.', {
    min: '200ms',
    max: '1m',
  }).default(5_000),
  tls: z
    .strictObject({
      ca: z
        .string()
        .min(1)
        .max(1_000)
        .optional()
        .describe('Path of the certificate of the authority that signed those of the devices, PEM.'),
      'server-name': z
        .string()
        .min(1)
        .max(253)
        .optional()
        .describe('Name in the certificate, if not the host.'),
    })
    .default({})
    .describe('For https: own authority. Certificates are always verified.'),
  'other-hosts': z
    .boolean()
    .default(false)
    .describe('Follow the service addresses of a device even to another host than that of `url`.'),
})
export type Config = z.infer<typeof Config>

const Output = z
  .strictObject({
    url: Url.optional().describe('Address of the device service, where it is not that of the connector.'),
    token: Token.optional().describe('For a door: its token in the door controller.'),
    relay: Token.optional().describe('For a relay: its token.'),
    confirm: z
      .literal('answer')
      .optional()
      .describe('For a relay of a device without events: its answer is all that there is.'),
    profile: Token.optional().describe(
      'For a camera: token of the media profile; default the first that can be turned, else the first.',
    ),
    keep: z.boolean().optional().describe('For a camera: keep its pictures as evidence; default false.'),
  })
  .superRefine((output, ctx) => {
    const refuse = (field: string, message: string) =>
      ctx.addIssue({ code: 'custom', path: [field], message, input: output })
    const is = kindOf(output)
    if (output.token !== undefined && output.relay !== undefined)
      refuse('relay', 'a device is a door (`token`) or a relay (`relay`), not both')
    if (is !== 'relay' && output.confirm !== undefined) refuse('confirm', 'only a relay has `confirm`')
    for (const field of ['profile', 'keep'] as const)
      if (is !== 'camera' && output[field] !== undefined) refuse(field, `only a camera has \`${field}\``)
  })
export type Output = z.infer<typeof Output>

/** What an address is: a door has a token, a relay its own, all else is a camera. */
export const kindOf = ({ token, relay }: { token?: string | undefined; relay?: string | undefined }) =>
  token !== undefined ? 'door' : relay !== undefined ? 'relay' : 'camera'

const Input = z
  .strictObject({
    url: Url.optional().describe('Address of the device service, where it is not that of the connector.'),
    digital: Token.optional().describe('For a button or contact at the device: token of the digital input.'),
    active: z
      .boolean()
      .optional()
      .describe(
        'For a digital input: the state that means pressed; default true. `false` for a contact that opens when pressed.',
      ),
    repeats: z
      .boolean()
      .optional()
      .describe(
        'For a digital input: the device says its state again and again, so that only changes count; default false.',
      ),
    'access-point': Token.optional().describe(
      'For a reader or keypad with duress codes: token of the access point.',
    ),
    holders: z
      .literal('name')
      .optional()
      .describe(
        'For an access point: record the name of the card that was used; without it nothing personal is kept.',
      ),
    door: Token.optional().describe(
      'For troubles of a door (forced, held open, tamper, fault): its token in the door controller.',
    ),
  })
  .superRefine((input, ctx) => {
    const refuse = (path: string[], message: string) => ctx.addIssue({ code: 'custom', path, message, input })
    const given = inputKinds.filter((kind) => input[kind] !== undefined)
    if (given.length !== 1)
      refuse(given.slice(1, 2), 'name exactly one of `digital`, `access-point` and `door`')
    for (const field of ['active', 'repeats'] as const)
      if (input.digital === undefined && input[field] !== undefined)
        refuse([field], `only a digital input has \`${field}\``)
    if (input['access-point'] === undefined && input.holders !== undefined)
      refuse(['holders'], 'only an access point has `holders`')
  })
export type Input = z.infer<typeof Input>

const inputKinds = ['digital', 'access-point', 'door'] as const

/** What an input is, and its token. */
export const inputKindOf = (input: Input): { kind: (typeof inputKinds)[number]; token: string } => {
  const kind = inputKinds.find((name) => input[name] !== undefined) ?? 'digital'
  return { kind, token: input[kind] ?? '' }
}

const offered = {
  camera: ['camera.preset', 'camera.snapshot'],
  door: ['door.state', 'door.secure', 'door.lockdown', 'door.release'],
  relay: ['relay.set'],
} as const

const can = [
  cameraPreset,
  cameraSnapshot,
  relaySet,
  doorState,
  doorSecure,
  doorLockdown,
  doorRelease,
] as const
export type OnvifCan = (typeof can)[number]

const urlOf = (config: Config, at: Input | Output): string => {
  const url = at.url ?? config.url
  return url === undefined ? '' : new URL(url).href
}

/** Whose an address is: one part of one device belongs to one name. */
interface Owned {
  readonly url: string
  readonly field: string
  readonly is: string
  readonly token: string | undefined
}

const ownerOf = (config: Config, output: Output): Owned => {
  const kind = kindOf(output)
  const field = kind === 'door' ? 'token' : 'relay'
  // Several names for one camera do no harm.
  return {
    url: urlOf(config, output),
    field,
    is: `this ${kind}`,
    token: kind === 'camera' ? undefined : output[field],
  }
}

const findingsOf = <At>(
  side: 'inputs' | 'outputs',
  devices: ReadonlyMap<string, At>,
  owned: (at: At) => Owned,
): Finding[] => {
  const findings: Finding[] = []
  const owners = new Map<string, string>()
  for (const [name, at] of devices) {
    const refuse = (field: string[], message: string) =>
      findings.push({ path: [side, name, ...field], message, fatal: true })
    const { url, field, is, token } = owned(at)
    if (url === '') refuse([], 'no address: write `url` here or at the connector')
    if (token === undefined) continue
    const key = `${url} ${field} ${token}`
    const owner = owners.get(key)
    // Two names for one door would be held, and released, one against the other; two for one button press twice.
    if (owner !== undefined) refuse([field], `${owner} is ${is} already: one device each`)
    owners.set(key, owner ?? name)
  }
  return findings
}

/** How long a state may take to show after a command, ms (safety.md: read back within 3 s). */
export const readBackMs = 3_000

export default defineConnector<Config, Input, Output, OnvifCan>({
  type: 'onvif',
  summary: 'Cameras, relays, doors, buttons and duress codes that speak ONVIF (profiles S, T and C).',
  module: import.meta.url,
  contract: 1,
  source: 'camera-input',
  sourceOf: ({ digital }) => (digital === undefined ? 'door-reader' : 'camera-input'),
  config: Config,
  input: Input,
  output: Output,
  can,
  link: urlOf,
  // Doors, relays and lenses of one box hang together; core keeps each of them to one command at a time.
  lane: (config, output) => {
    const url = urlOf(config, output)
    return { key: url === '' ? '' : new URL(url).host, atOnce: 2 }
  },
  offers: (_config, output) => offered[kindOf(output)],
  staleAfterMs: ({ poll }) => 3 * poll,
  // Each answer to a pull is a sign of life of every input, and a pull takes no longer than this.
  silentAfterMs: ({ poll, timeout }) => 3 * poll + timeout,
  // A release may read, withdraw, read back, unlock and read back; the others are one command and its reading back.
  attemptMs: ({ timeout }, capability) =>
    capability === 'door.release'
      ? 3 * timeout + 2 * readBackMs
      : capability.startsWith('door.') || capability === 'relay.set'
        ? 2 * timeout + readBackMs
        : 2 * timeout,
  check: ({ config, inputs, outputs }) => [
    ...findingsOf('outputs', outputs, (output) => ownerOf(config, output)),
    ...findingsOf('inputs', inputs, (input) => {
      const { kind, token } = inputKindOf(input)
      return { url: urlOf(config, input), field: kind, is: 'this input', token }
    }),
  ],
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
