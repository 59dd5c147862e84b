import type { Finding, Opening } from '../../core/connector.ts'
import type { Config, Input, Output } from './config.ts'
import { inWords, type Point, type Run, readsOf, relayOf, requestsFor } from './points.ts'
import { requestMs, sharesOneLine } from './timing.ts'

type Checked = Omit<Opening<Config, Input, Output>, 'cursors'>
type Inputs = Checked['inputs']

/** A panic loop is answered within 40 ms; 750 ms is never acceptable (Zwirn, on supervised panic loops). */
const loopMs = { wanted: 40, most: 750 }
/** Addresses on a serial line; 0 is a call to all, which nobody answers (Modbus over Serial Line 1.02, 2.2). */
const unitsOnLine = { least: 1, most: 247 }
/** A polled device that is dead is known within this, ms. */
const deadKnownMs = 10_000

export const check = (opening: Checked): Finding[] => [
  ...claims(opening),
  ...unitsExist(opening),
  ...timing(opening.config, opening.inputs),
]

/** Every address is used once. */
const claims = ({ config, inputs, outputs }: Checked): Finding[] => {
  const findings: Finding[] = []
  const users = new Map<string, string>()
  const claim = (user: string, path: Finding['path'], at: Run | Point, unit = config.unit) => {
    const where = `${inWords(at)} of unit ${unit}`
    const other = users.get(where)
    if (other === undefined) users.set(where, user)
    else
      findings.push({
        path,
        message: `${where} is already used by ${other === user ? 'the same device' : other}: give ${user} its own`,
        fatal: true,
      })
  }
  for (const [device, input] of inputs) {
    const { level, antivalent, counter } = readsOf(input)
    const field = input.register !== undefined ? 'register' : input.coil !== undefined ? 'coil' : 'discrete'
    claim(device, ['inputs', device, field], level, input.unit)
    if (antivalent) claim(device, ['inputs', device, 'antivalent'], antivalent, input.unit)
    for (const at of counter ? [counter.address, counter.address + 1] : [])
      claim(device, ['inputs', device, 'counter'], { ...counter, address: at, length: 1 } as Run, input.unit)
  }
  for (const [device, output] of outputs) {
    const relay = relayOf(output)
    claim(device, ['outputs', device, relay.bit === null ? 'coil' : 'register'], relay, output.unit)
  }
  for (const [device, { latch, unit }] of inputs)
    if (latch) claim(device, ['inputs', device, 'latch'], coil(latch.reset), unit)
  const { heartbeat } = config
  if (!heartbeat) return findings
  claim('the heartbeat', ['config', 'heartbeat', 'coil'], coil(heartbeat.coil), heartbeat.unit)
  const seen: Run = { read: 2, address: heartbeat.input.discrete, length: 1 }
  claim('the heartbeat', ['config', 'heartbeat', 'input'], seen, heartbeat.unit)
  return findings
}

const coil = (address: number): Run => ({ read: 1, address, length: 1 })

const unitsExist = ({ config, inputs, outputs }: Checked): Finding[] => {
  const found = (side: string, devices: ReadonlyMap<string, { readonly unit?: number | undefined }>) =>
    [...devices].flatMap(([device, { unit = config.unit }]): Finding[] => {
      if (unit >= unitsOnLine.least && unit <= unitsOnLine.most) return []
      const message = `unit ${unit} does not exist on a serial line: take ${unitsOnLine.least} to ${unitsOnLine.most}`
      return [{ path: [side, device, 'unit'], message, fatal: true }]
    })
  return sharesOneLine(config) ? [...found('inputs', inputs), ...found('outputs', outputs)] : []
}

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
