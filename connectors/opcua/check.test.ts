import { expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import opcua from './index.ts'

const findings = (
  config: { readonly [field: string]: Json },
  inputs: { readonly [device: string]: Json } = {},
  outputs: { readonly [device: string]: Json } = {},
) => {
  const parsed = <T>(
    schema: { parse(value: unknown): T } | undefined,
    all: { readonly [name: string]: Json },
  ) => new Map(Object.entries(all).map(([name, each]) => [name, schema?.parse(each) as T]))
  return (
    opcua.check?.({
      name: 'plc',
      config: opcua.config.parse({ url: 'opc.tcp://plc:4840', ...config }),
      inputs: parsed(opcua.input, inputs),
      outputs: parsed(opcua.output, outputs),
    }) ?? []
  )
}
const clear = { security: { policy: 'None' } }
const secured = { security: { policy: 'Basic256Sha256' }, trust: 'trusted', pki: 'own' }
const issues = (schema: typeof opcua.input | typeof opcua.output, value: Json): string =>
  schema
    ?.safeParse(value)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ') ?? ''

test('row 17: the shortest press that each input is sure to see is told, and follows the sampling', () => {
  const inputs = {
    level: { node: 'ns=1;s=a' },
    counter: { node: 'ns=1;s=b', counter: 'ns=1;s=c' },
    event: { event: {} },
  }
  const said = (sampling: string) =>
    findings({ ...secured, sampling }, inputs).map(({ path, message }) => `${path[1]}: ${message}`)
  expect(said('50ms')[0]).toMatch(/^level: sure to see presses of 75 ms and longer/)
  expect(said('200ms')[0]).toMatch(/^level: sure to see presses of 300 ms and longer/)
  expect(said('200ms')[1]).toMatch(/^counter: .*however short/)
  expect(said('200ms')[2]).toMatch(/^event: sure to see every event/)
})

test('policy None is advised against; with a password it is refused', () => {
  expect(findings(clear)).toMatchObject([{ path: ['config', 'security'], fatal: false }])
  const user = { name: 'bridge', password: { env: 'X' } }
  expect(findings({ ...clear, user })).toMatchObject([{ path: ['config', 'user'], fatal: true }])
  expect(findings({ ...secured, user })).toEqual([])
})

test('two devices on one node is a mistake, unless they mean different values of it', () => {
  const fatal = (inputs: { readonly [device: string]: Json }) =>
    findings(secured, inputs).filter((finding) => finding.fatal)
  expect(fatal({ a: { node: 'i=1' }, b: { node: 'i=1' } })).toMatchObject([{ path: ['inputs', 'b', 'node'] }])
  expect(fatal({ a: { node: 'i=1', when: 1 }, b: { node: 'i=1', when: 2 } })).toEqual([])
  const relay = { relay: { node: 'i=2' } }
  expect(findings(secured, {}, { a: relay, b: relay })).toMatchObject([
    { path: ['outputs', 'b', 'relay'], fatal: true },
  ])
})

test.each([
  [{}, 'name exactly one of `node`, `event`'],
  [{ node: 'i=1', event: {} }, 'name exactly one'],
  [{ event: {}, counter: 'i=1' }, 'counter: goes with `node`'],
  [{ event: {}, latch: { reset: 'i=1' } }, 'latch: goes with `node`'],
  [{ node: 'i=1', acknowledge: 'recorded' }, 'acknowledge: is for `event`'],
  [{ node: 'Button1' }, 'not a NodeId'],
])('input %j: %s', (input, message) => expect(issues(opcua.input, input)).toContain(message))

test.each([
  [{}, 'name exactly one of `relay`, `door`'],
  [
    { door: { state: { node: 'i=1', is: { locked: 1 } }, secure: { write: 'i=2', value: 1 } } },
    'door.release: missing: what is locked must be released',
  ],
])('output %j: %s', (output, message) => expect(issues(opcua.output, output)).toContain(message))

test('an output offers what is configured for it', () => {
  const offers = (output: Json) =>
    opcua.offers?.(
      opcua.config.parse({ url: 'opc.tcp://plc:4840', ...clear }),
      opcua.output?.parse(output) as never,
    )
  const state = { node: 'i=1', is: { locked: 1 } }
  const act = { write: 'i=2', value: 1 }
  expect(offers({ relay: { node: 'i=1' } })).toEqual(['relay.set'])
  expect(offers({ door: { state } })).toEqual(['door.state'])
  expect(offers({ door: { state, lockdown: act, release: act } })).toEqual([
    'door.state',
    'door.lockdown',
    'door.release',
  ])
})
