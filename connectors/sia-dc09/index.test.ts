import { describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import declaration from './index.ts'

const findings = (config: Json, inputs: { readonly [device: string]: Json } = {}): string[] =>
  (
    declaration.check?.({
      name: 'panels',
      config: declaration.config.parse(config),
      inputs: new Map(
        Object.entries(inputs).map(([name, each]) => [name, declaration.input?.parse(each) as never]),
      ),
      outputs: new Map<string, never>(),
    }) ?? []
  ).map(({ path, message }) => `${path.join('.')}: ${message}`)

describe('check', () => {
  test('beyond this machine each account has a key, or the config says in so many words', () => {
    const listen = '10.0.4.2:5093'
    const key = { env: 'K' }
    expect(findings({ listen })).toEqual([expect.stringContaining('config.listen: 10.0.4.2 is reachable')])
    expect(findings({ listen, accounts: { '0809': {} } })).toEqual([
      expect.stringContaining('account 0809 has no `key`'),
    ])
    expect(findings({ udp: listen, accounts: { ABCD: { key } } }, { a: { account: '0809' } })).toEqual([
      expect.stringContaining('config.udp'),
    ])
    expect(findings({ listen, accounts: { abcd: { key } } }, { a: { account: 'ABCD' } })).toEqual([])
    expect(findings({ listen, 'plain-beyond-this-machine': true })).toEqual([])
  })

  test('two devices at one place on a panel are a mistake, however it is written', () => {
    const same = { a: { account: 'abcd', zone: 5 }, b: { account: 'ABCD', zone: '005' } }
    expect(findings({}, same)).toEqual([expect.stringContaining('inputs.b: is where a is already')])
    const other = { a: { account: '0809', zone: 5 }, b: { account: '809', zone: 5 }, c: { account: '0809' } }
    expect(findings({}, other)).toEqual([])
  })

  test('a device is a zone or a user', () => {
    expect(findings({}, { a: { account: '0809', zone: 5, user: 5 } })).toEqual([
      expect.stringContaining('inputs.a.user: a device is on a zone or is a user'),
    ])
  })

  test('ports exist', () => {
    expect(findings({ listen: '127.0.0.1:99999' })).toEqual([expect.stringContaining('no such port')])
  })
})

test('an account is written as text, so that its zeros stay', () => {
  expect(declaration.input?.safeParse({ account: 809 }).error?.issues[0]?.message).toContain('in quotes')
  expect(declaration.input?.safeParse({ account: 'XYZ1' }).success).toBe(false)
})

test.each([
  ['10s', 25_000],
  ['60s', 150_000],
  ['5m', 390_000],
  ['24h', 86_490_000],
])('with an interval of %s a device is silent after %i ms: within the interval and 90 s', (interval, ms) => {
  const config = declaration.config.parse({ accounts: { abcd: { interval } } })
  expect(declaration.silentAfterMs?.(config, { account: 'ABCD' })).toBe(ms)
  expect(declaration.silentAfterMs?.(config, { account: '0809' })).toBeNull()
})
