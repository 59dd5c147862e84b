import { expect, test } from 'vitest'
import receiver from './index.ts'

const check = (config: object) =>
  receiver.check?.({
    name: 'rtls',
    config: receiver.config.parse(config),
    inputs: new Map(),
    outputs: new Map<string, never>(),
  })

test.each([
  ['beyond this machine without protection', { listen: '0.0.0.0:444' }, ['config', 'listen']],
  ['no such port', { listen: '127.0.0.1:99999' }, ['config', 'listen']],
  ['no regular expression', { patterns: [{ match: '(' }] }, ['config', 'patterns', 0, 'match']],
])('%s is found before anything starts', (_what, config, path) => {
  expect(check(config)).toMatchObject([{ path, fatal: true }])
})

test('with its senders named it may', () => {
  expect(check({ listen: '0.0.0.0:444', from: ['10.0.4.0/24'] })).toEqual([])
})
