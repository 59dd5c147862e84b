import { z } from 'zod'
import { duration } from '../../core/connector.ts'
import { Bands } from './bands.ts'

const address = (what: string) => z.number().int().min(0).max(65_535).describe(what)
const bit = z.number().int().min(0).max(15).optional().describe('Bit of the register, 0 is the lowest.')
const registers = (what: string) => z.enum(['input', 'holding']).default('input').describe(what)
const unit = z
  .number()
  .int()
  .min(0)
  .max(255)
  .optional()
  .describe('Unit behind the gateway, where it is not the one of the connector.')
const normally = z
  .enum(['open', 'closed'])
  .default('open')
  .describe('Contact at rest: `closed` is active when the bit is 0, and shows a cut wire.')

const Line = z.strictObject({
  path: z
    .string()
    .min(1)
    .max(300)
    .describe('Serial port: `/dev/ttyUSB0`, better a name under `/dev/serial/by-id/`.'),
  baud: z.number().int().min(300).max(1_000_000).default(19_200).describe('Baud rate.'),
  parity: z.enum(['even', 'odd', 'none']).default('even').describe('Parity; RTU has 8 data bits.'),
  'stop-bits': z
    .union([z.literal(1), z.literal(2)])
    .default(1)
    .describe('Stop bits: 1 or 2.'),
  echo: z
    .boolean()
    .default(false)
    .describe('For two-wire adapters that hear themselves: what is sent comes back before the answer.'),
})
export type Line = z.infer<typeof Line>

const Heartbeat = z.strictObject({
  coil: address('Spare relay (coil) that is set for a moment.'),
  input: z
    .strictObject({ discrete: address('Spare input that the relay is wired back to.') })
    .describe('Where the relay is seen again.'),
  unit,
})
export type Heartbeat = z.infer<typeof Heartbeat>

export const Config = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('Host name or IP address of the module or gateway; or give `line`.'),
    port: z.number().int().min(1).max(65_535).default(502).describe('TCP port.'),
    framing: z
      .enum(['tcp', 'rtu'])
      .default('tcp')
      .describe('`tcp`: Modbus TCP; `rtu`: the gateway passes the bytes of its serial line on as they are.'),
    line: Line.optional().describe('A serial line (RTU) on this machine, in place of `host`.'),
    unit: z.number().int().min(0).max(255).default(1).describe('Unit (slave address) of the module.'),
    poll: duration('How often all inputs are read.', { min: '5ms', max: '10s' }).default(20),
    timeout: duration('How long one answer may take; then the connection is given up.', {
      min: '50ms',
      max: '10s',
    }).default(500),
    'word-order': z
      .enum(['hi-lo', 'lo-hi'])
      .default('hi-lo')
      .describe('Which word of a counter comes first: `hi-lo` as Moxa, or `lo-hi`.'),
    'max-gap': z
      .number()
      .int()
      .min(0)
      .max(256)
      .default(16)
      .describe('Unused addresses that may lie between two inputs which are read in one request.'),
    settle: duration('How long the two contacts of an antivalent pair may take to change over.', {
      min: '0ms',
      max: '5s',
    }).default(100),
    heartbeat: Heartbeat.optional().describe(
      'Relay and input wired together, through which the bridge presses for itself to prove the whole way in.',
    ),
  })
  .superRefine((config, ctx) => {
    oneOf(ctx, config, ['host', 'line'])
  })
export type Config = z.infer<typeof Config>

export const Input = z
  .strictObject({
    discrete: address('Discrete input (function 2), counted from 0.').optional(),
    coil: address('Coil (function 1), for modules that show inputs there; counted from 0.').optional(),
    register: address('Register that holds the input as one bit; counted from 0.').optional(),
    bit,
    'register-in': registers('Where the register is: `input` (function 4) or `holding` (function 3).'),
    counter: address('First of the two registers in which the module counts this input.').optional(),
    'counter-in': registers('Where the counter is: `input` (function 4) or `holding` (function 3).'),
    normally,
    antivalent: address(
      'Complementary contact, in the same table: always the opposite unless something broke.',
    ).optional(),
    bands: Bands.optional().describe('For a supervised loop on an analogue input: what its values mean.'),
    latch: z
      .strictObject({ reset: address('Coil that clears the latch when it is set.') })
      .optional()
      .describe('For inputs that the module latches: cleared once the press is recorded.'),
    unit,
  })
  .superRefine((input, ctx) => {
    oneOf(ctx, input, ['discrete', 'coil', 'register'])
    if (input.bands) bandsAlone(ctx, input)
    else bitWithRegister(ctx, input, 'give `bit`, or `bands` for an analogue one')
    if (input.antivalent === undefined) return
    if (input.register !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: ['antivalent'],
        message: 'needs `discrete` or `coil`, not `register`',
      })
    if (input.antivalent === (input.discrete ?? input.coil))
      ctx.addIssue({
        code: 'custom',
        path: ['antivalent'],
        message: 'is the contact itself: name the other one',
      })
  })
export type Input = z.infer<typeof Input>

export const Output = z
  .strictObject({
    coil: address('Coil of the relay (function 5), counted from 0.').optional(),
    register: address('Holding register that holds the relay as one bit (functions 3 and 6).').optional(),
    bit,
    door: z
      .boolean()
      .default(false)
      .describe('The relay feeds an access-control input that secures a door while the relay is set.'),
    state: z
      .strictObject({
        discrete: address('Discrete input that is active while the door is locked.'),
        normally,
      })
      .optional()
      .describe('For a door: the contact by which its own system says that it is locked.'),
    unit,
  })
  .superRefine((output, ctx) => {
    oneOf(ctx, output, ['coil', 'register'])
    bitWithRegister(ctx, output, 'name both')
    if (output.state && !output.door)
      ctx.addIssue({
        code: 'custom',
        path: ['state'],
        message: 'is for doors: add `door: true`, or leave it out',
      })
  })
export type Output = z.infer<typeof Output>

type Issues = z.core.$RefinementCtx

const oneOf = (ctx: Issues, value: Record<string, unknown>, names: readonly string[]) => {
  const given = names.filter((name) => value[name] !== undefined)
  if (given.length !== 1)
    ctx.addIssue({
      code: 'custom',
      message: `name exactly one of ${names.map((n) => `\`${n}\``).join(', ')}`,
    })
}

const bitWithRegister = (
  ctx: Issues,
  value: { register?: number | undefined; bit?: number | undefined },
  message: string,
) => {
  if ((value.register === undefined) !== (value.bit === undefined))
    ctx.addIssue({
      code: 'custom',
      path: ['bit'],
      message: `\`register\` and \`bit\` go together: ${message}`,
    })
}

/** An analogue input has nothing of a contact. */
const bandsAlone = (ctx: Issues, input: Record<string, unknown>) => {
  if (input['register'] === undefined)
    ctx.addIssue({ code: 'custom', path: ['bands'], message: 'needs `register`: the value of the loop' })
  for (const name of ['bit', 'antivalent', 'counter', 'latch'])
    if (input[name] !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: [name],
        message: 'is for contacts: an input with `bands` has none',
      })
  if (input['normally'] === 'closed')
    ctx.addIssue({
      code: 'custom',
      path: ['normally'],
      message: 'is for contacts: `bands` say what is normal',
    })
}
