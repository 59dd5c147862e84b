import { describe, expect, test } from 'vitest'
import smtp from './index.ts'

describe('check', () => {
  const check = (config: object) =>
    smtp.check?.({
      name: 'rtls',
      config: smtp.config.parse(config),
      inputs: new Map(),
      outputs: new Map<string, never>(),
    })

  test('wants to know who sends', () => {
    expect(smtp.config.safeParse({}).success).toBe(false)
    expect(smtp.config.safeParse({ from: [] }).success).toBe(false)
    expect(check({ from: ['10.0.4.7'] })).toEqual([])
  })

  test.each(['somewhere', '10.0.0.0/99', '300.1.1.1'])('%s is no network', (network) => {
    expect(smtp.config.safeParse({ from: [network] }).success).toBe(false)
  })

  test.each([
    ['no such port', { listen: '127.0.0.1:99999' }, ['config', 'listen'], true],
    ['most of the world', { from: ['0.0.0.0/0'] }, ['config', 'from', 0], false],
    ['passwords in clear', { logins: { rtls: { password: { env: 'X' } } } }, ['config', 'logins'], false],
    ['no regular expression', { patterns: [{ match: '(' }] }, ['config', 'patterns', 0, 'match'], true],
  ])('%s is found before anything starts', (_what, config, path, fatal) => {
    expect(check({ from: ['10.0.4.7'], ...config })).toMatchObject([{ path, fatal }])
  })
})
