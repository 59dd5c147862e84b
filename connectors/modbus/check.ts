import type { Finding, Opening } from '../../core/connector.ts'
import type { Config, Input, Output } from './config.ts'
import { inWords, type Point, type Run, readsOf, relayOf, requestsFor } from './points.ts'
import { requestMs, sharesOneLine } from './timing.ts'

type Checked = Omit<Opening<Config, Input, Output>, 'cursors'>
type Inputs = Checked['inputs']

/** A panic loop is answered within 40 ms; 750 ms is never acceptable (Zwirn, on supervised panic loops). */
const loopMs = { wanted: 40, most: 750 }
/** A polled device that is dead is known within this, ms. */
const deadKnownMs = 10_000

export const check = ({ config, inputs, outputs }: Checked): Finding[] => {
  const findings: Finding[] = []
  const users = new Map<string, string>()
  const claim = (
    device: string,
    side: 'inputs' | 'outputs',
    field: string,
    at: Run | Point,
    ofUnit?: number,
  ) => {
    const where = whereOf(config, at, ofUnit)
    const other = users.get(where)
    if (other === undefined) users.set(where, device)
    else
      findings.push({
        path: [side, device, field],
        message: `${where} is already used by ${other === device ? 'the same device' : other}: give ${device} its own`,
        fatal: true,
      })
  }
  for (const [device, input] of inputs) {
    const { level, antivalent, counter } = readsOf(input)
    const field = input.register !== undefined ? 'register' : input.coil !== undefined ? 'coil' : 'discrete'
    claim(device, 'inputs', field, level, input.unit)
    if (antivalent) claim(device, 'inputs', 'antivalent', antivalent, input.unit)
    for (const at of counter ? [counter.address, counter.address + 1] : [])
      claim(device, 'inputs', 'counter', { ...counter, address: at, length: 1 } as Run, input.unit)
  }
  for (const [device, output] of outputs) {
    const relay = relayOf(output)
    claim(device, 'outputs', relay.bit === null ? 'coil' : 'register', relay, output.unit)
  }
  for (const [device, input] of inputs)
    if (input.latch)
      claim(device, 'inputs', 'latch', { read: 1, address: input.latch.reset, length: 1 }, input.unit)

  if (config.heartbeat) {
    const { coil, input, unit } = config.heartbeat
    for (const [field, at] of [
      ['coil', { read: 1, address: coil, length: 1 }],
      ['input', { read: 2, address: input.discrete, length: 1 }],
    ] as const) {
      const other = users.get(whereOf(config, at, unit))
      if (other !== undefined)
        findings.push({
          path: ['config', 'heartbeat', field],
          message: `${inWords(at)} is already used by ${other}: the heartbeat needs one of its own`,
          fatal: true,
        })
    }
  }
  return [...findings, ...timing(config, inputs)]
}

const whereOf = (config: Config, at: Run | Point, unit = config.unit) => `${inWords(at)} of unit ${unit}`

/** What a cycle costs, and what follows from it. */
const timing = (config: Config, inputs: Inputs): Finding[] => {
  const requests = requestsOf(config, inputs)
  const needed = requests.reduce((sum, run) => sum + requestMs(config, run), 0)
  const cycle = Math.max(config.poll, needed)
  const findings: Finding[] = []
  for (const [device, input] of inputs)
    findings.push({
      path: ['inputs', device],
      message: surePress(input, cycle, requests.length),
      fatal: false,
    })
  for (const [device, { bands }] of inputs) if (bands) findings.push(...loop(device, bands, cycle))
  if (needed > config.poll)
    findings.push({
      path: ['config', 'poll'],
      message: `${requests.length} requests a cycle take about ${needed} ms: set poll to ${needed}ms or more, or move the inputs closer together`,
      fatal: false,
    })
  const slowest = Math.max(0, ...requests.map((run) => requestMs(config, run)))
  if (sharesOneLine(config) && slowest > config.timeout)
    findings.push({
      path: ['config', 'timeout'],
      message: `one answer takes about ${slowest} ms on this line: set timeout to more than that`,
      fatal: true,
    })
  if (inputs.size > 0 && cycle + 2 * config.timeout > deadKnownMs)
    findings.push({
      path: ['config', 'timeout'],
      message: `a device that is dead is known only after ${cycle + 2 * config.timeout} ms: make poll or timeout shorter`,
      fatal: false,
    })
  return findings
}

/** The requests of one cycle: those of all units on a line, else those of the slowest link. */
const requestsOf = (config: Config, inputs: Inputs): Run[] => {
  const units = new Map<number, Run[]>()
  for (const input of inputs.values()) {
    const unit = input.unit ?? config.unit
    const runs = Object.values(readsOf(input)).filter((run) => run !== null)
    units.set(unit, [...(units.get(unit) ?? []), ...runs])
  }
  const requests = [...units.values()].map((runs) => requestsFor(runs, config['max-gap']))
  return sharesOneLine(config)
    ? requests.flat()
    : requests.reduce((longest, each) => (each.length > longest.length ? each : longest), [])
}

const loop = (device: string, bands: NonNullable<Input['bands']>, cycleMs: number): Finding[] => {
  const answeredMs = bands.settle * cycleMs
  const findings: Finding[] = []
  if (answeredMs > loopMs.wanted)
    findings.push({
      path: ['inputs', device, 'bands', 'settle'],
      message: `a press on this loop counts after ${bands.settle} readings, ${answeredMs} ms: ${
        answeredMs > loopMs.most
          ? `over ${loopMs.most} ms is never acceptable`
          : `${loopMs.wanted} ms is asked for`
      }; poll faster, or let fewer readings agree`,
      fatal: answeredMs > loopMs.most,
    })
  if (bands.hysteresis === 0)
    findings.push({
      path: ['inputs', device, 'bands', 'hysteresis'],
      message: 'is 0: a value at the edge of a band will flap; take more than the noise of the loop',
      fatal: false,
    })
  return findings
}

const surePress = (input: Input, cycleMs: number, requests: number): string => {
  if (input.counter !== undefined)
    return 'sure to see every press that the module itself counts, however short'
  if (input.latch) return 'sure to see every press that the module itself latches, however short'
  const cycle = `a cycle of ${cycleMs} ms, ${requests} request${requests === 1 ? '' : 's'}`
  if (input.bands)
    return `sure to see presses of ${Math.ceil(cycleMs * (input.bands.settle + 0.5))} ms and longer (${input.bands.settle} readings that agree, ${cycle}, and half a cycle)`
  return `sure to see presses of ${Math.ceil(cycleMs * 1.5)} ms and longer (${cycle}, and half as much again); for shorter ones use the module's counter or latch`
}
