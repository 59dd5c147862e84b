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

const urlOf = (config: Config, output: Output): string => {
  const url = output.url ?? config.url
  return url === undefined ? '' : new URL(url).href
}

/** How long a state may take to show after a command, ms (safety.md: read back within 3 s). */
export const readBackMs = 3_000

export default defineConnector<Config, never, Output, OnvifCan>({
  type: 'onvif',
  summary: 'Cameras, relays and doors that speak ONVIF (profiles S, T and C).',
  module: import.meta.url,
  contract: 1,
  config: Config,
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
  // A release may read, withdraw, read back, unlock and read back; the others are one command and its reading back.
  attemptMs: ({ timeout }, capability) =>
    capability === 'door.release'
      ? 3 * timeout + 2 * readBackMs
      : capability.startsWith('door.') || capability === 'relay.set'
        ? 2 * timeout + readBackMs
        : 2 * timeout,
  check: ({ config, outputs }) => {
    const findings: Finding[] = []
    const owners = new Map<string, string>()
    for (const [name, output] of outputs) {
      const refuse = (field: string[], message: string) =>
        findings.push({ path: ['outputs', name, ...field], message, fatal: true })
      const url = urlOf(config, output)
      if (url === '') refuse([], 'no address: write `url` here or at the connector')
      const kind = kindOf(output)
      if (kind === 'camera') continue
      const field = kind === 'door' ? 'token' : 'relay'
      const key = `${url} ${kind} ${output[field]}`
      const owner = owners.get(key)
      // Two names for one door would be held, and released, one against the other.
      if (owner !== undefined) refuse([field], `${owner} is this ${kind} already: one device each`)
      owners.set(key, owner ?? name)
    }
    return findings
  },
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
