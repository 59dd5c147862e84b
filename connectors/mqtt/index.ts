import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening, SecretRef } from '../../core/connector.ts'
import { Level } from '../../core/fact.ts'
import { canonical } from './names.ts'

/** The topics that each profile's systems publish to unless told otherwise. */
const usualTopics = {
  kontakt: ['telemetry/+', '/stream/+/all'],
  quuppa: ['quuppa/#'],
  minew: ['/gw/+/status'],
  openmqttgateway: ['+/+/BTtoMQTT/#'],
  chirpstack: ['application/+/device/+/event/up', 'application/+/device/+/event/status'],
  tts: ['v3/+/devices/+/up'],
  button: ['zigbee2mqtt/+', 'shellies/+/input_event/+', '+/events/rpc'],
} as const
const profiles = Object.keys(usualTopics) as [Profile, ...Profile[]]
export type Profile = keyof typeof usualTopics

const file = (what: string) => z.string().min(1).max(1_000).optional().describe(`Path of ${what}, PEM.`)

/** MQTT 5, 4.7: `+` and `#` stand for whole levels, `#` only at the end. */
const topicFilter = z
  .string()
  .min(1)
  .max(1_000)
  .regex(/^(?!.*\0)(?:[^+#/]*|\+)(?:\/(?:[^+#/]*|\+))*(?:\/#)?$|^#$/, 'not a topic filter')

const Config = z
  .strictObject({
    url: z
      .string()
      .regex(
        /^mqtts?:\/\/(\[[0-9a-f:]+\]|[^:/@\s]+)(:\d{1,5})?\/?$/i,
        'write mqtt://host or mqtts://host:port',
      )
      .max(300)
      .describe('The broker: mqtts://host for TLS, mqtt://host without; default ports 8883 and 1883.'),
    version: z
      .literal([4, 5])
      .default(4)
      .describe('Protocol level: 4 is MQTT 3.1.1, which every broker speaks, 5 is MQTT 5.'),
    'client-id': z
      .string()
      .regex(/^[!-~]{1,64}$/, 'up to 64 printable characters without spaces')
      .optional()
      .describe(
        'The name by which the broker keeps our session: always the same, and nobody else’s. Default `duress-bridge-` and the name of the connector.',
      ),
    username: z.string().min(1).max(200).optional().describe('User at the broker.'),
    password: SecretRef.optional(),
    tls: z
      .strictObject({
        ca: file('the certificates of the authority that the broker is trusted by'),
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
    keepalive: duration('How often the broker is pinged; it is lost when 1.5 times as long nothing comes.', {
      min: '1s',
      max: '60s',
    }).default(10_000),
    'session-expiry': duration('MQTT 5: how long the broker keeps messages for us while we are away.', {
      min: '1m',
      max: '30d',
    }).default(86_400_000),
    timeout: duration('How long connecting, logging in and subscribing may take.', {
      min: '100ms',
      max: '9s',
    }).default(5_000),
    profile: z
      .enum(profiles)
      .optional()
      .describe('What the messages look like: one of the ready-made profiles.'),
    mapping: z
      .string()
      .min(1)
      .max(10_000)
      .optional()
      .describe('JSONata that makes what we need of any other message; see below.'),
    topics: z
      .array(topicFilter)
      .min(1)
      .max(50)
      .optional()
      .describe('What is subscribed to; default the usual topics of the profile.'),
    heartbeat: z
      .string()
      .regex(/^[^+#\0]{1,200}$/, 'a topic without + and #')
      .optional()
      .describe(
        'Topic of the heartbeat press, which we publish and subscribe to. Default `duress-bridge/` and the client id and `/heartbeat`.',
      ),
    areas: z
      .record(
        z.string().min(1).max(200),
        z.strictObject({
          place: z.string().min(1).max(300).describe('Path of the place.'),
          precision: Level.describe('How exactly being heard or seen there tells the place, at best.'),
        }),
      )
      .default({})
      .describe('Places by the names that the vendor has for its gateways, zones or areas.'),
    alarm: z
      .strictObject({
        uuid: z
          .string()
          .regex(/^[0-9a-fA-F-]{32,36}$/, 'write the 32 hex digits of the UUID')
          .optional()
          .describe('iBeacon UUID that says "pressed".'),
        major: z.int().min(0).max(65_535).optional().describe('iBeacon major that says "pressed".'),
        minor: z.int().min(0).max(65_535).optional().describe('iBeacon minor that says "pressed".'),
      })
      .optional()
      .describe('For `minew` and `openmqttgateway`: what a badge advertises while it is pressed.'),
    quiet: duration(
      'For `minew` and `openmqttgateway`: silence after which an advertised press is a new one.',
      {
        min: '1s',
        max: '10m',
      },
    ).default(10_000),
    pressed: z
      .array(z.string().min(1).max(60))
      .min(1)
      .max(20)
      .default([
        'press',
        'pressed',
        'button',
        'button_event',
        'click',
        'action',
        'alarm',
        'sos',
        'panic',
        'detected',
      ])
      .describe(
        'For `chirpstack` and `tts`: fields of the decoded payload that say "pressed", and how, if they are there and not idle.',
      ),
    'max-payload': z
      .int()
      .min(256)
      .max(16_777_216)
      .default(262_144)
      .describe('Largest message that is read, bytes; larger ones are counted and thrown away.'),
  })
  .superRefine((config, ctx) => {
    const issue = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
    if ((config.profile === undefined) === (config.mapping === undefined))
      issue('profile', 'name exactly one of `profile` and `mapping`')
    if (config.mapping !== undefined && !config.topics)
      issue('topics', 'say what to subscribe to: a mapping has no usual topics')
    const advertises = config.profile === 'minew' || config.profile === 'openmqttgateway'
    const { uuid, major, minor } = config.alarm ?? {}
    if (advertises && uuid === undefined && major === undefined && minor === undefined)
      issue('alarm', 'say by which UUID, major or minor a press is known: { uuid: … }')
    if (!advertises && config.alarm) issue('alarm', 'is for `minew` and `openmqttgateway`')
    if (config.password && config.username === undefined) issue('username', 'a password needs a user')
    if (config.tls && !isTls(config.url)) issue('tls', 'is for mqtts://')
    if ((config.tls?.cert === undefined) !== (config.tls?.key === undefined))
      issue('tls', '`cert` and `key` go together')
  })
export type Config = z.infer<typeof Config>

const Input = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(200)
    .describe(
      'What the vendor calls it: number of the badge, MAC address, EUI, `uuid/major/minor`. Case, colons and dashes do not matter.',
    ),
})
export type Input = z.infer<typeof Input>

export const isTls = (url: string): boolean => /^mqtts:/i.test(url)

export const topicsOf = ({ topics, profile }: Config): readonly string[] =>
  topics ?? (profile ? usualTopics[profile] : [])

const loopback = /^mqtt:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])[:/]?/i

const check = ({ config, inputs }: Omit<Opening<Config, Input, never>, 'cursors'>): Finding[] => {
  const findings: Finding[] = []
  if (Number(/:(\d+)\/?$/.exec(config.url)?.[1] ?? 1) > 65_535)
    findings.push({ path: ['config', 'url'], message: 'there is no such port: at most 65535', fatal: true })
  if (!isTls(config.url) && !loopback.test(config.url))
    findings.push({
      path: ['config', 'url'],
      message:
        'presses and where people are travel in clear, and anybody on the way can make some: use mqtts://',
      fatal: false,
    })
  const wrong = config.mapping === undefined ? null : syntaxError(config.mapping)
  if (wrong) findings.push({ path: ['config', 'mapping'], message: wrong, fatal: true })
  const areas = Object.keys(config.areas)
  for (const [at, other] of clashes(areas.map((area) => [area, canonical(area)])))
    findings.push({ path: ['config', 'areas', at], message: `is the same area as "${other}"`, fatal: true })
  const ids = [...inputs].map(([device, { id }]) => [device, canonical(id)] as const)
  for (const [device, other] of clashes(ids))
    findings.push({
      path: ['inputs', device, 'id'],
      message: `is already the id of ${other}: a press would be taken for ${other}'s`,
      fatal: true,
    })
  return findings
}

/** Those whose name another one before has as well. */
const clashes = (named: readonly (readonly [string, string])[]): [string, string][] => {
  const first = new Map<string, string>()
  return named.flatMap(([own, name]): [string, string][] => {
    const other = first.get(name)
    if (other === undefined) first.set(name, own)
    return other === undefined ? [] : [[own, other]]
  })
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
  type: 'mqtt',
  summary: 'Takes presses, sightings and batteries of badges and buttons from an MQTT broker.',
  module: import.meta.url,
  contract: 1,
  source: 'badge',
  config: Config,
  input: Input,
  // Found out after 1.5 keepalives; each ping that is answered counts as heard.
  staleAfterMs: (config) => config.keepalive * 2,
  // Badges lie in lockers at night: only a device that says `reports` is missed.
  silentAfterMs: () => null,
  places: ({ areas }) =>
    Object.entries(areas).map(([area, { place, precision }]) => ({
      path: ['areas', area],
      place,
      precision,
    })),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
