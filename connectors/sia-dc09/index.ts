import { z } from 'zod'
import { defineConnector, duration, type Finding, type Opening, SecretRef } from '../../core/connector.ts'
import { Kind } from '../../core/fact.ts'

/** Nobody waits longer than this for a device that has stopped reporting, beyond its interval, ms. */
const graceMs = 90_000
/** Supervision messages that may be missed before that. */
const missed = 2.5

const account = z
  .string('write the account in quotes, so that zeros at its start stay')
  .regex(/^[0-9A-Fa-f]{3,16}$/, 'an account is 3 to 16 hex digits, such as "0809"')

const number = z
  .union([z.number().int().min(0).max(999_999), z.string().regex(/^[0-9A-Fa-f]{1,6}$/, 'a number')])
  .describe('Number as the panel sends it; zeros at its start say nothing.')

const code = z
  .string()
  .regex(
    /^([A-Za-z]{2}|[0-9A-Fa-f]{3})$/,
    'two letters of the SIA format such as "PA", or Contact ID such as "120"',
  )

const address = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/i, 'write host:port, such as 10.0.4.2:5093')

const Account = z
  .strictObject({
    key: SecretRef.optional().describe(
      'Key of the account: its messages must be encrypted with it, those in clear are refused.',
    ),
    format: z
      .enum(['hex', 'text'])
      .default('hex')
      .describe(
        'How the key is written: 32, 48 or 64 `hex` digits, or as `text` whose 16, 24 or 32 characters are the key.',
      ),
    interval: duration('How often the panel says that it is there, as set in it.', {
      min: '1s',
      max: '7d',
    }).optional(),
    users: z
      .record(z.string().regex(/^\d{1,6}$/, 'a user number'), z.string().min(1).max(100))
      .default({})
      .describe('People by the number of their code.'),
  })
  .describe('What is known of an account.')

const Config = z.strictObject({
  listen: address
    .default('127.0.0.1:5093')
    .describe('Where it listens for TCP, as host:port; as the panels are set.'),
  udp: address.optional().describe('Where it listens for UDP too, as host:port.'),
  accounts: z
    .record(account, Account)
    .default({})
    .describe('Accounts by number; those that a device names need no entry here.'),
  codes: z
    .record(code, z.union([Kind, z.literal('context')]))
    .default({})
    .describe(
      'What a code calls for, where it is not what the tables say: a kind, or `context` for what is only worth knowing.',
    ),
  window: z
    .strictObject({
      ahead: duration('How far the time may be ahead of ours.', { min: '1s', max: '1h' }).default(20_000),
      behind: duration('How far it may be behind ours.', { min: '1s', max: '1h' }).default(40_000),
    })
    .prefault({})
    .describe('Which times encrypted messages may carry; those in clear are taken with any.'),
  'unknown-accounts': z
    .enum(['duh', 'ack'])
    .default('duh')
    .describe(
      'How accounts that nobody configured are answered, once what they said is recorded: `duh`, not to be processed, or `ack`.',
    ),
  sessions: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(10_000)
    .describe('TCP connections at a time; a further one takes the place of one that never said anything.'),
  idle: duration('How long a TCP connection may say nothing before it is closed.', {
    min: '1s',
    max: '8d',
  }).default(86_400_000),
  rate: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe(
      'Messages a second that one connection or UDP address may send; what is more waits, or is sent again.',
    ),
  'plain-beyond-this-machine': z
    .boolean()
    .default(false)
    .describe('Listen beyond this machine for accounts without a key all the same.'),
})
export type Config = z.infer<typeof Config>

const Input = z.strictObject({
  account: account.describe('Account of the panel; alone, the device stands for all of it.'),
  zone: number.optional().describe('Zone: a button or a detector on the panel.'),
  user: number.optional().describe('User: whose code it is.'),
  partition: number.optional().describe('Partition or area of the panel.'),
  codes: z
    .array(code)
    .min(1)
    .max(100)
    .optional()
    .describe('Only these codes, with their number taken as it comes, whether they count zones or users.'),
})
export type Input = z.infer<typeof Input>

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

const listening = (config: Config, field: 'listen' | 'udp', inputs: Iterable<Input>): Finding[] => {
  const written = config[field]
  if (written === undefined) return []
  const host = written.slice(0, written.lastIndexOf(':'))
  if (Number(written.slice(host.length + 1)) > 65_535)
    return [{ path: ['config', field], message: 'there is no such port: at most 65535', fatal: true }]
  if (loopback.test(host) || config['plain-beyond-this-machine']) return []
  const keyed = new Set(
    Object.entries(config.accounts).flatMap(([name, { key }]) => (key ? name.toUpperCase() : [])),
  )
  const names = [...Object.keys(config.accounts), ...[...inputs].map((input) => input.account)]
  const plain = names.find((name) => !keyed.has(name.toUpperCase()))
  if (plain === undefined && names.length > 0) return []
  const who = plain === undefined ? 'there is no account with a `key`' : `account ${plain} has no \`key\``
  const message = `${host} is reachable from outside, and ${who}: give each account one, or write \`plain-beyond-this-machine: true\``
  return [{ path: ['config', field], message, fatal: true }]
}

const same = ({ account, zone, user, partition, codes }: Input): string => {
  const plain = (value: number | string | undefined) =>
    value === undefined
      ? ''
      : String(value)
          .replace(/^0+(?=.)/, '')
          .toUpperCase()
  return [account.toUpperCase(), plain(zone), plain(user), plain(partition), [...(codes ?? [])].sort()].join(
    ' ',
  )
}

const check = ({ config, inputs }: Omit<Opening<Config, Input, never>, 'cursors'>): Finding[] => {
  const findings = [
    ...listening(config, 'listen', inputs.values()),
    ...listening(config, 'udp', inputs.values()),
  ]
  const taken = new Map<string, string>()
  for (const [device, input] of inputs) {
    const other = taken.get(same(input))
    taken.set(same(input), other ?? device)
    if (other !== undefined)
      findings.push({
        path: ['inputs', device],
        message: `is where ${other} is already: a press would be taken for ${other}'s`,
        fatal: true,
      })
    if (input.zone !== undefined && input.user !== undefined)
      findings.push({
        path: ['inputs', device, 'user'],
        message: 'a device is on a zone or is a user: name one of the two',
        fatal: true,
      })
  }
  return findings
}

export default defineConnector({
  type: 'sia-dc09',
  summary: 'Receives presses, troubles and supervision from alarm panels and communicators (SIA DC-09).',
  module: import.meta.url,
  contract: 1,
  source: 'keypad',
  // A button on the wall only springs back: that takes no call back.
  sourceOf: ({ zone }) => (zone === undefined ? 'keypad' : 'panic-panel'),
  config: Config,
  input: Input,
  staleAfterMs: () => null,
  silentAfterMs: (config, input) => {
    const name = input.account.toUpperCase()
    const interval = Object.entries(config.accounts).find(([each]) => each.toUpperCase() === name)?.[1]
      .interval
    return interval === undefined ? null : Math.round(Math.min(interval * missed, interval + graceMs))
  },
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
