import type { Finding, Opening } from '../../core/connector.ts'
import type { Config, Input, Output } from './index.ts'

type Checked = Omit<Opening<Config, Input, Output>, 'cursors'>

/** What can be said of an opening before the server is asked. */
export const check = ({ config, inputs, outputs }: Checked): Finding[] => {
  const findings: Finding[] = [...secrecy(config)]
  const users = new Map<string, string>()
  const claim = (device: string, side: 'inputs' | 'outputs', field: string, what: string) => {
    const other = users.get(what)
    if (other === undefined) users.set(what, device)
    else
      findings.push({
        path: [side, device, field],
        message: `${what} is already used by ${other === device ? 'the same device' : other}: give ${device} its own`,
        fatal: true,
      })
  }
  for (const [device, input] of inputs) {
    if (input.node) claim(device, 'inputs', 'node', `${input.node} = ${input.when}`)
    if (input.counter) claim(device, 'inputs', 'counter', input.counter)
    findings.push({ path: ['inputs', device], message: surePress(input, config), fatal: false })
  }
  for (const [device, { relay, door }] of outputs) {
    if (relay) claim(device, 'outputs', 'relay', relay.node)
    if (door) claim(device, 'outputs', 'door', door.state.node)
  }
  return findings
}

const secrecy = ({ security, user }: Config): Finding[] => {
  if (security.policy !== 'None') return []
  if (user)
    return [
      {
        path: ['config', 'user'],
        message:
          'with policy None nobody knows who gets the password: use a security policy, or leave `user` out',
        fatal: true,
      },
    ]
  return [
    {
      path: ['config', 'security'],
      message:
        'policy None: whoever reaches the network can press, hide a press and move doors; use a policy that signs and encrypts where the server has one',
      fatal: false,
    },
  ]
}

const surePress = (input: Input, { sampling }: Config): string =>
  input.event
    ? 'sure to see every event that the server tells; one told while the link is down only if it is a condition that is retained'
    : input.counter
      ? 'sure to see every press that the device itself counts, however short'
      : input.latch
        ? 'sure to see every press that the device itself latches, however short'
        : `sure to see presses of ${surePressMs(sampling)} ms and longer, if the server samples as fast as it is asked to; for shorter ones use a counter or a latch of the device`

/** The shortest press that is sampled at least once, whenever it begins and however late one sample comes, ms. */
export const surePressMs = (samplingMs: number): number => Math.ceil(samplingMs * 1.5)
