import { z } from 'zod'
import {
  DoorMode,
  doorLockdown,
  doorRelease,
  doorSecure,
  doorState,
  relaySet,
} from '../../core/capability.ts'
import { defineConnector, duration, SecretRef } from '../../core/connector.ts'
import { check } from './check.ts'
import { fingerprintOf, nodeIdPattern } from './codec.ts'

const can = [relaySet, doorState, doorSecure, doorLockdown, doorRelease] as const
export type Can = (typeof can)[number]

const node = (what: string) =>
  z
    .string()
    .regex(
      nodeIdPattern,
      'not a NodeId: write ns=2;s=Panel.Button1, i=2253, or nsu=URI;s=… with the URI of the namespace',
    )
    .describe(what)
const value = z.union([z.boolean(), z.number(), z.string().max(1_000)])
/** Built-in types that a relay, a door or a method takes (Part 6, 5.1.2). */
const types = [
  'Boolean',
  'SByte',
  'Byte',
  'Int16',
  'UInt16',
  'Int32',
  'UInt32',
  'Int64',
  'UInt64',
  'Float',
  'Double',
  'String',
] as const
const type = z.enum(types)
const typeOf = type
  .optional()
  .describe('Data type of the value; without it the one that the node itself has.')
const path = (what: string) => z.string().min(1).max(1_000).optional().describe(what)

const User = z.union([
  z.strictObject({
    name: z.string().min(1).max(200).describe('User.'),
    password: SecretRef,
  }),
  z.strictObject({
    certificate: z.string().min(1).max(1_000).describe('Path of the certificate of the user, PEM.'),
    key: z.string().min(1).max(1_000).describe('Path of its key, PEM.'),
  }),
])

const Config = z
  .strictObject({
    url: z
      .string()
      .max(1_000)
      .regex(/^opc\.tcp:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/, 'not a URL: write opc.tcp://host:4840/path')
      .describe('Where the server is: `opc.tcp://host:4840/path`.'),
    security: z
      .strictObject({
        policy: z
          .enum(['None', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'])
          .describe(
            'Security policy. `None` means that anybody on the network can read and forge everything.',
          ),
        mode: z
          .enum(['Sign', 'SignAndEncrypt'])
          .default('SignAndEncrypt')
          .describe('Whether messages are only signed or encrypted as well; not for `None`.'),
      })
      .describe('How the connection is secured.'),
    trust: path(
      'Folder of the server certificates that are trusted, PEM or DER; `duress-bridge trust` puts them there.',
    ),
    fingerprints: z
      .array(
        z
          .string()
          .transform(fingerprintOf)
          .refine((hex) => /^[0-9a-f]{64}$/.test(hex), 'not a SHA-256 fingerprint: 64 hex digits'),
      )
      .max(100)
      .default([])
      .describe('SHA-256 fingerprints of server certificates that are trusted as well.'),
    pki: path(
      'Folder of our own certificate and key; they are made there at first use. Needed unless the policy is None.',
    ),
    user: User.optional().describe('Who we are, by password or certificate; without it anonymous.'),
    sampling: duration('How often the server looks at each input.', { min: '0ms', max: '10s' }).default(50),
    queue: z
      .int()
      .min(20)
      .max(10_000)
      .default(50)
      .describe('Changes of one input that the server keeps between two messages.'),
    watch: duration('How often all inputs are read besides, to see that the subscription tells the truth.', {
      min: '100ms',
      max: '10s',
    }).default(1_000),
    timeout: duration('How long one answer may take; then the connection is given up.', {
      min: '100ms',
      max: '10s',
    }).default(2_000),
    heartbeat: node(
      'Variable of type String that we may write: heartbeat presses go round by it.',
    ).optional(),
  })
  .superRefine((config, ctx) => {
    if (config.security.policy === 'None') return
    if (config.pki === undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['pki'],
        message: 'missing: a folder for our certificate and key',
      })
    if (config.trust === undefined && config.fingerprints.length === 0)
      ctx.addIssue({
        code: 'custom',
        path: ['trust'],
        message: 'missing: a folder of trusted server certificates, or `fingerprints`',
      })
  })
export type Config = z.infer<typeof Config>

const Input = z
  .strictObject({
    node: node('Variable that is the level of the input.').optional(),
    when: value.default(true).describe('Value that means pressed.'),
    counter: node('Variable in which the device counts presses.').optional(),
    latch: z
      .strictObject({
        reset: node('Variable that clears the latch when it is written.'),
        value: value.default(true).describe('What is written there.'),
        type: typeOf,
      })
      .optional()
      .describe('For inputs that the device latches: cleared once the press is recorded.'),
    uncertain: z
      .enum(['unknown', 'good'])
      .default('unknown')
      .describe(
        'What a value of quality Uncertain is worth: nothing, or as much as a good one. Bad is always unknown.',
      ),
    event: z
      .strictObject({
        notifier: node('Object whose events are listened to.').default('i=2253'),
        source: z.string().min(1).max(1_000).optional().describe('SourceName or SourceNode of the event.'),
        condition: z
          .string()
          .min(1)
          .max(1_000)
          .optional()
          .describe('ConditionName or NodeId of the condition.'),
        type: node('EventType, exactly this one.').optional(),
        severity: z.int().min(1).max(1_000).default(1).describe('Least severity, 1 to 1000.'),
      })
      .optional()
      .describe('For alarms and events instead of a variable.'),
    acknowledge: z
      .enum(['never', 'recorded'])
      .default('never')
      .describe('Whether conditions are acknowledged at the server once their press is recorded.'),
  })
  .superRefine((input, ctx) => {
    const issue = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
    if ((input.node === undefined) === (input.event === undefined))
      ctx.addIssue({ code: 'custom', message: 'name exactly one of `node`, `event`' })
    if (input.event && input.counter !== undefined) issue('counter', 'goes with `node`, not with `event`')
    if (input.event && input.latch) issue('latch', 'goes with `node`, not with `event`')
    if (!input.event && input.acknowledge !== 'never') issue('acknowledge', 'is for `event`')
  })
export type Input = z.infer<typeof Input>

const Act = z.union([
  z.strictObject({
    write: node('Variable to write.'),
    value: value.describe('Value to write.'),
    type: typeOf,
  }),
  z.strictObject({
    call: node('Method to call.'),
    of: node('Object that the method belongs to.'),
    args: z
      .array(
        z.strictObject({
          type: type.describe('Data type of the argument.'),
          value: value.describe('Value of the argument.'),
        }),
      )
      .max(20)
      .default([])
      .describe('Input arguments, in order.'),
  }),
])
export type Act = z.infer<typeof Act>

const values = z
  .union([value, z.array(value).min(1).max(50)])
  .transform((is) => (Array.isArray(is) ? is : [is]))

const Output = z
  .strictObject({
    relay: z
      .strictObject({
        node: node('Variable that switches the relay.'),
        on: value.default(true).describe('Value for on.'),
        off: value.default(false).describe('Value for off.'),
        type: typeOf,
        state: node('Variable that says what the relay does, if not the same.').optional(),
      })
      .optional()
      .describe('A relay.'),
    door: z
      .strictObject({
        state: z
          .strictObject({
            node: node('Variable that says the mode of the door.'),
            is: z
              .partialRecord(DoorMode, values)
              .describe(
                'Values by mode: locked, unlocked, accessed, blocked, lockdown, held-open, double-locked.',
              ),
          })
          .describe('What the door reports.'),
        secure: Act.optional().describe('What door.secure does.'),
        lockdown: Act.optional().describe('What door.lockdown does.'),
        release: Act.optional().describe('What door.release does.'),
        'release-lockdown': Act.optional().describe(
          'What door.release does after a lockdown, if not the same.',
        ),
      })
      .optional()
      .describe('A door.'),
  })
  .superRefine(({ relay, door }, ctx) => {
    if ((relay === undefined) === (door === undefined))
      ctx.addIssue({ code: 'custom', message: 'name exactly one of `relay`, `door`' })
    if (door && (door.secure || door.lockdown) && !door.release)
      ctx.addIssue({
        code: 'custom',
        path: ['door', 'release'],
        message: 'missing: what is locked must be released',
      })
  })
export type Output = z.infer<typeof Output>

/** How long a door may take to report what was asked for, ms. */
export const reportsWithinMs = 3_000

const offers = ({ relay, door }: Output): string[] => [
  ...(relay ? ['relay.set'] : []),
  ...(door ? ['door.state'] : []),
  ...(door?.secure ? ['door.secure'] : []),
  ...(door?.lockdown ? ['door.lockdown'] : []),
  ...(door?.release ? ['door.release'] : []),
]

export default defineConnector<Config, Input, Output, Can>({
  type: 'opcua',
  summary: 'Listens to variables, alarms and events of OPC UA servers, sets relays and doors there.',
  module: import.meta.url,
  contract: 1,
  source: 'panic-panel',
  config: Config,
  input: Input,
  output: Output,
  can,
  offers: (_config, output) => offers(output),
  // A read that is due, its answer, and an opening in between.
  staleAfterMs: ({ watch, timeout }) => Math.max(3_000, watch * 3 + timeout * 2),
  // Looking up a type, the act itself, and the reading back with its last answer.
  attemptMs: ({ timeout }, capability) =>
    capability === 'door.state' ? timeout + 500 : timeout * 3 + reportsWithinMs + 500,
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
