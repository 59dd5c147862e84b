import { expect, test } from 'vitest'
import onvif, { type Input, type Output } from './index.ts'

const url = 'http://10.0.8.2/onvif/device_service'
const config = (more: object = {}) =>
  onvif.config.parse({ username: 'bridge', password: { env: 'X' }, ...more })
const output = (value: object): Output => onvif.output?.parse(value) as Output
const input = (value: object): Input => onvif.input?.parse(value) as Input
const check = (outputs: Record<string, object>, more: object = {}, inputs: Record<string, object> = {}) =>
  onvif.check?.({
    name: 'doors',
    config: config(more),
    inputs: new Map(Object.entries(inputs).map(([name, value]) => [name, input(value)])),
    outputs: new Map(Object.entries(outputs).map(([name, value]) => [name, output(value)])),
  })

test('devices of one address share a link; those of one box share a lane', () => {
  const shared = config({ url })
  expect(onvif.link?.(shared, output({}))).toBe(onvif.link?.(shared, output({ url })))
  expect(onvif.link?.(shared, output({ url: 'http://10.0.8.3/' }))).not.toBe(onvif.link?.(shared, output({})))
  expect(onvif.lane?.(shared, output({ token: 'A' }))).toEqual({ key: '10.0.8.2', atOnce: 2 })
})

test('a device is a camera, a door or a relay, and offers what such a one can', () => {
  expect(onvif.offers?.(config(), output({}))).toEqual(['camera.preset', 'camera.snapshot'])
  expect(onvif.offers?.(config(), output({ token: 'A' }))).toContain('door.release')
  expect(onvif.offers?.(config(), output({ relay: 'R' }))).toEqual(['relay.set'])
})

test.each([
  [{ token: 'A', relay: 'R' }, 'not both'],
  [{ token: 'A', keep: true }, 'only a camera has `keep`'],
  [{ relay: 'R', profile: 'p' }, 'only a camera has `profile`'],
  [{ confirm: 'answer' }, 'only a relay has `confirm`'],
  [{ url: 'ftp://10.0.8.2/' }, 'whole address'],
  [{ url: 'http://bridge:secret@10.0.8.2/' }, '`password`'],
  [{ tokn: 'A' }, 'Unrecognized key'],
])('an output such as %j is refused', (value, message) => {
  expect(JSON.stringify(onvif.output?.safeParse(value).error?.issues)).toContain(message)
})

test('a device without an address is found by the check', () => {
  expect(check({ cam: {} })).toMatchObject([{ path: ['outputs', 'cam'], fatal: true }])
  expect(check({ cam: {} }, { url })).toEqual([])
})

test('one door under two names is found by the check', () => {
  expect(check({ west: { token: 'A' }, door: { url, token: 'A' } }, { url })).toMatchObject([
    { path: ['outputs', 'door', 'token'], message: expect.stringContaining('west'), fatal: true },
  ])
  expect(
    check({ a: { token: 'A' }, b: { relay: 'A' }, c: { url: 'http://10.0.8.3/', token: 'A' } }, { url }),
  ).toEqual([])
})

test('data is stale after three polls; a release may take longer than a lock', () => {
  expect(onvif.staleAfterMs?.(config())).toBe(15_000)
  const limit = (capability: string) => onvif.attemptMs?.(config(), capability) ?? 0
  expect(limit('door.release')).toBeGreaterThan(limit('door.lockdown'))
  expect(limit('camera.preset')).toBeLessThan(limit('door.lockdown'))
})

test.each([
  [{}, 'exactly one'],
  [{ digital: 'DI_0', door: 'A' }, 'exactly one'],
  [{ door: 'A', active: false }, 'only a digital input has `active`'],
  [{ 'access-point': 'A', repeats: true }, 'only a digital input has `repeats`'],
  [{ digital: 'DI_0', holders: 'name' }, 'only an access point has `holders`'],
  [{ digital: '' }, 'Too small'],
])('an input such as %j is refused', (value, message) => {
  expect(JSON.stringify(onvif.input?.safeParse(value).error?.issues)).toContain(message)
})

test('an input without an address, or under two names, is found by the check', () => {
  expect(check({}, {}, { button: { digital: 'DI_0' } })).toMatchObject([
    { path: ['inputs', 'button'], message: expect.stringContaining('no address'), fatal: true },
  ])
  const twice = { one: { digital: 'DI_0' }, two: { url, digital: 'DI_0' }, door: { door: 'DI_0' } }
  expect(check({}, { url }, twice)).toMatchObject([
    {
      path: ['inputs', 'two', 'digital'],
      message: expect.stringContaining('one is this input'),
      fatal: true,
    },
  ])
  expect(
    check({ west: { token: 'A' } }, { url }, { west: { door: 'A' }, in: { 'access-point': 'A' } }),
  ).toEqual([])
})

test('an input shares the link of the outputs at its address, and says what sort of device it is', () => {
  const shared = config({ url })
  expect(onvif.link?.(shared, input({ digital: 'DI_0' }))).toBe(onvif.link?.(shared, output({ url })))
  expect(onvif.sourceOf?.(input({ digital: 'DI_0' }))).toBe('camera-input')
  expect(onvif.sourceOf?.(input({ 'access-point': 'IN' }))).toBe('door-reader')
  expect(onvif.sourceOf?.(input({ door: 'A' }))).toBe('door-reader')
})
