import { z } from 'zod'
import { doorRelease, doorSecure, doorState, relaySet } from '../../core/capability.ts'
import { defineConnector, duration, type Finding, type Opening } from '../../core/connector.ts'

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

const Config = z.strictObject({
  host: z.string().min(1).max(253).describe('Host name or IP address of the module or gateway.'),
  port: z.number().int().min(1).max(65_535).default(502).describe('TCP port.'),
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
})
export type Config = z.infer<typeof Config>

const Input = z
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
    latch: z
      .strictObject({ reset: address('Coil that clears the latch when it is set.') })
      .optional()
      .describe('For inputs that the module latches: cleared once the press is recorded.'),
    unit,
  })
  .superRefine((input, ctx) => {
    oneOf(ctx, input, ['discrete', 'coil', 'register'])
    bitWithRegister(ctx, input)
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

const Output = z
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
    bitWithRegister(ctx, output)
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

const bitWithRegister = (ctx: Issues, value: { register?: number | undefined; bit?: number | undefined }) => {
  if ((value.register === undefined) !== (value.bit === undefined))
    ctx.addIssue({ code: 'custom', path: ['bit'], message: '`register` and `bit` go together' })
}

/** A run of addresses of one table; the table is named by the function that reads it: 1 coils, 2 discrete inputs, 3 holding registers, 4 input registers. */
export interface Run {
  readonly read: 1 | 2 | 3 | 4
  readonly address: number
  readonly length: number
}

/** Where a level is: a bit table's address, or one bit of a register. */
export interface Point extends Run {
  readonly bit: number | null
}

/** Everything that is read for one input. */
export interface Reads {
  readonly level: Point
  readonly antivalent: Point | null
  readonly counter: Run | null
}

export const readsOf = (input: Input): Reads => {
  const level: Point =
    input.register === undefined
      ? {
          read: input.coil === undefined ? 2 : 1,
          address: (input.coil ?? input.discrete) as number,
          length: 1,
          bit: null,
        }
      : {
          read: input['register-in'] === 'input' ? 4 : 3,
          address: input.register,
          length: 1,
          bit: input.bit as number,
        }
  return {
    level,
    antivalent: input.antivalent === undefined ? null : { ...level, address: input.antivalent },
    counter:
      input.counter === undefined
        ? null
        : { read: input['counter-in'] === 'input' ? 4 : 3, address: input.counter, length: 2 },
  }
}

/** The most that one request may ask for: Modbus Application Protocol 1.1b3, 6.1 to 6.4. */
const most = (read: Run['read']) => (read <= 2 ? 2000 : 125)

/** The fewest requests that read all `runs`; levels come before counters, since a counter read after its level already holds the press that the level shows. */
export const requestsFor = (runs: readonly Run[], maxGap: number): Run[] => {
  const order = (run: Run) => (run.length === 1 ? 0 : 1)
  const sorted = runs.toSorted((a, b) => order(a) - order(b) || a.read - b.read || a.address - b.address)
  const requests: Run[] = []
  for (const run of sorted) {
    const last = requests.at(-1)
    const end = run.address + run.length
    if (
      last?.read === run.read &&
      run.address >= last.address &&
      run.address - (last.address + last.length) <= maxGap &&
      end - last.address <= most(run.read)
    )
      requests[requests.length - 1] = { ...last, length: Math.max(last.length, end - last.address) }
    else requests.push(run)
  }
  return requests
}

const tables = { 1: 'coil', 2: 'discrete input', 3: 'holding register', 4: 'input register' } as const

/** In words: "discrete input 4", "input register 48 bit 3", "input registers 16-17". */
export const inWords = (at: Run | Point): string =>
  at.length === 1
    ? `${tables[at.read]} ${at.address}${'bit' in at && at.bit !== null ? ` bit ${at.bit}` : ''}`
    : `${tables[at.read]}s ${at.address}-${at.address + at.length - 1}`

type Checked = Omit<Opening<Config, Input, Output>, 'cursors'>

/** Typical time of one request on an Ethernet I/O module, ms; serial gateways need more. */
const requestMs = 3

const check = ({ config, inputs, outputs }: Checked): Finding[] => {
  const findings: Finding[] = []
  const users = new Map<string, string>()
  const claim = (
    device: string,
    side: 'inputs' | 'outputs',
    field: string,
    at: Run | Point,
    ofUnit?: number,
  ) => {
    const where = `${inWords(at)} of unit ${ofUnit ?? config.unit}`
    const other = users.get(where)
    if (other === undefined) users.set(where, device)
    else
      findings.push({
        path: [side, device, field],
        message: `${where} is already used by ${other === device ? 'the same device' : other}: give ${device} its own`,
        fatal: true,
      })
  }
  const runs: Run[] = []
  for (const [device, input] of inputs) {
    const { level, antivalent, counter } = readsOf(input)
    const field = input.register !== undefined ? 'register' : input.coil !== undefined ? 'coil' : 'discrete'
    claim(device, 'inputs', field, level, input.unit)
    if (antivalent) claim(device, 'inputs', 'antivalent', antivalent, input.unit)
    for (const at of counter ? [counter.address, counter.address + 1] : [])
      claim(device, 'inputs', 'counter', { ...counter, address: at, length: 1 } as Run, input.unit)
    for (const run of [level, antivalent, counter]) if (run) runs.push(run)
  }
  for (const [device, output] of outputs) {
    const relay = relayOf(output)
    claim(device, 'outputs', relay.bit === null ? 'coil' : 'register', relay, output.unit)
  }
  for (const [device, input] of inputs)
    if (input.latch)
      claim(device, 'inputs', 'latch', { read: 1, address: input.latch.reset, length: 1 }, input.unit)

  const requests = requestsFor(runs, config['max-gap']).length
  const cycle = Math.max(config.poll, requests * requestMs)
  for (const [device, input] of inputs)
    findings.push({ path: ['inputs', device], message: surePress(input, cycle, requests), fatal: false })
  if (requests * requestMs > config.poll)
    findings.push({
      path: ['config', 'poll'],
      message: `${requests} requests a cycle take about ${requests * requestMs} ms: set poll to ${requests * requestMs}ms or more, or move the inputs closer together`,
      fatal: false,
    })
  return findings
}

const surePress = (input: Input, cycleMs: number, requests: number): string =>
  input.counter !== undefined
    ? 'sure to see every press that the module itself counts, however short'
    : input.latch
      ? 'sure to see every press that the module itself latches, however short'
      : `sure to see presses of ${Math.ceil(cycleMs * 1.5)} ms and longer (a cycle of ${cycleMs} ms, ${requests} request${requests === 1 ? '' : 's'}, and half as much again); for shorter ones use the module's counter or latch`

/** Where an output's relay is read back. */
export const relayOf = (output: Output): Point =>
  output.register === undefined
    ? { read: 1, address: output.coil as number, length: 1, bit: null }
    : { read: 3, address: output.register, length: 1, bit: output.bit as number }

export default defineConnector({
  type: 'modbus',
  summary: 'Reads buttons and contacts from Modbus TCP modules, and sets their relays.',
  module: import.meta.url,
  contract: 1,
  source: 'panic-panel',
  config: Config,
  input: Input,
  output: Output,
  can: [relaySet, doorState, doorSecure, doorRelease],
  // A unit that does not answer costs its socket; others behind the same gateway keep theirs.
  link: (config, at) => `unit-${at.unit ?? config.unit}`,
  lane: (config, at) => ({ key: `${config.host}:${config.port}/${at.unit ?? config.unit}`, atOnce: 1 }),
  offers: (_config, at) => (at.door ? ['door.state', 'door.secure', 'door.release'] : ['relay.set']),
  staleAfterMs: (config) => Math.max(3_000, config.poll * 5, config.timeout * 3),
  // Waiting for the turn, writing, reading back; a door has 3 s more to report.
  attemptMs: (config, capability) => config.timeout * 4 + (capability === 'door.secure' ? 3_500 : 1_000),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
