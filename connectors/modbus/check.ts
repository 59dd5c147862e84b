import type { Finding, Opening } from '../../core/connector.ts'
import type { Config, Input, Output } from './config.ts'
import { inWords, type Point, type Run, readsOf, relayOf, requestsFor } from './points.ts'

type Checked = Omit<Opening<Config, Input, Output>, 'cursors'>

/** Typical time of one request on an Ethernet I/O module, ms; serial gateways need more. */
const requestMs = 3

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
