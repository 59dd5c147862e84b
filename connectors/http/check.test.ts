import { expect, test } from 'vitest'
import { z } from 'zod'
import http, { type Target } from './index.ts'

const url = 'https://psim.example.org/api'

const findings = (raw: object, targets: { [name: string]: object } = {}) => {
  const config = http.config.parse(raw)
  const outputs = new Map(
    Object.entries(targets).map(([name, target]) => [name, http.output?.parse(target) as Target]),
  )
  return (http.check?.({ name: 'x', config, inputs: new Map<string, never>(), outputs }) ?? []).map(
    ({ path, message }) => `${path.join('.')}: ${message}`,
  )
}

test('a good config has no findings', () => {
  const confirm = { test: 'mode = "lockdown"', result: '{ "mode": mode }' }
  const requests = {
    'event.send': { path: '/{{values.site}}', body: { text: '{{message.text}}' } },
    'door.state': { result: '{ "mode": mode }' },
    'door.lockdown': { confirm },
    'door.release': { body: { before: '{{args.before}}' }, confirm },
  }
  expect(findings({ url, requests }, { a: { values: { site: 1 } }, b: { values: { site: 'n' } } })).toEqual(
    [],
  )
  expect(findings({ url, profile: 'axis-door' }, { door: { values: { token: 'x' } } })).toEqual([])
})

test.each<[string, object, { [name: string]: object }, string]>([
  ['no request', { url }, {}, 'config.requests: there is nothing that it can do'],
  ['no URL', { requests: { 'event.send': {} } }, { a: {} }, 'outputs.a: has no `url`'],
  [
    'an unknown name',
    { url, requests: { 'event.send': { body: { k: '{{message.kid}}' } } } },
    {},
    'config.requests.event.send.body: `{{message.kid}}` is not known to event.send: did you mean `message.kind`?',
  ],
  [
    'a value that one target lacks',
    { url, requests: { 'event.send': { path: '/{{values.token}}' } } },
    { a: { values: { token: 'x' } }, b: { values: { other: 'x' } } },
    'config.requests.event.send.path: `{{values.token}}` is not known',
  ],
  [
    'an open template',
    { url, requests: { 'event.send': { headers: { a: '{{id' } } } },
    {},
    'config.requests.event.send.headers: `{{id` has no closing }}',
  ],
  [
    'no JSONata',
    { url, requests: { 'event.send': { success: { test: 'code = (' } } } },
    {},
    'config.requests.event.send.success.test: not JSONata',
  ],
  [
    'nothing read back',
    { url, requests: { 'relay.set': {} } },
    {},
    'config.requests.relay.set: needs `confirm`',
  ],
  [
    'a lock that can not be released',
    {
      url,
      requests: {
        'door.state': { result: '{}' },
        'door.secure': { confirm: { test: 'true', result: '{}' } },
      },
    },
    {},
    'config.requests.door.secure: needs `door.release` beside it',
  ],
  [
    'a state without words',
    { url, requests: { 'door.state': {} } },
    {},
    'config.requests.door.state: needs `result`',
  ],
  [
    'a door of its own beside the profile',
    { url, profile: 'axis-door', requests: { 'door.state': { result: '{}' } } },
    {},
    'config.requests.door.state: is already part of the profile',
  ],
  [
    'a door without token',
    { url, profile: 'axis-door' },
    { d: {} },
    'outputs.d.values: the profile axis-door needs',
  ],
  [
    'a password in clear',
    { url: 'http://10.0.0.1', auth: { bearer: { env: 'X' } }, requests: { 'event.send': {} } },
    {},
    'config.auth: travels in clear',
  ],
])('%s is found', (_, raw, targets, finding) => {
  expect(findings(raw, targets).some((found) => found.startsWith(finding))).toBe(true)
})

test.each([
  ['a user in the URL', { url: 'https://u:p@host/' }],
  ['a query in the URL', { url: 'https://host/?token=x' }],
  ['no HTTP', { url: 'ftp://host/' }],
  [
    'two kinds of credentials',
    { url, auth: { bearer: { env: 'X' }, header: { name: 'a', value: { env: 'Y' } } } },
  ],
  ['a secret itself', { url, auth: { bearer: 'x' } }],
  ['an unknown capability', { url, requests: { 'door.open': {} } }],
  ['a header that is two', { url, requests: { 'event.send': { headers: { 'a\r\nb': 'x' } } } }],
  ['a secret in a header', { url, requests: { 'event.send': { headers: { Authorization: 'Bearer x' } } } }],
  ['a path that is none', { url, requests: { 'event.send': { path: 'x y' } } }],
])('%s is refused', (_, raw) => {
  expect(http.config.safeParse(raw).success).toBe(false)
})

test('what an address offers is what is configured, and one server is one link', () => {
  const config = http.config.parse({ url, profile: 'axis-door', requests: { 'door.highlight': {} } })
  const target = http.output?.parse({ url: 'https://10.0.0.7/x/y', values: { token: 't' } }) as Target
  expect(http.offers?.(config, target)).toEqual([
    'door.state',
    'door.secure',
    'door.lockdown',
    'door.release',
    'door.highlight',
  ])
  expect(http.link?.(config, target)).toBe('https://10.0.0.7')
  expect(http.lane?.(config, target)).toEqual({ key: 'https://10.0.0.7', atOnce: 4 })
})

test('the fields have a JSON Schema', () => {
  expect(JSON.stringify(z.toJSONSchema(http.config, { io: 'input', unrepresentable: 'any' }))).toContain(
    'axis-door',
  )
})
