import { afterEach, expect, test } from 'vitest'
import { BridgeError } from '../../core/error.ts'
import type { Habits } from '../../mocks/onvif/message.ts'
import {
  type OnvifCamera,
  type OnvifCameraOptions,
  startOnvifCamera,
} from '../../mocks/onvif-camera/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, order, secret } from './fixtures/dial.ts'
import { Reopened } from './fixtures/reopened.ts'

const quick = { timeout: '400ms', poll: '1s' }
/** Where everything is answered, if late on a busy machine. */
const patient = { ...quick, timeout: '2s' }
const button = { button: { digital: 'DI_0' } }

let camera: OnvifCamera
let heard: Reopened | undefined

afterEach(async () => {
  await heard?.stop()
  heard = undefined
  await camera.close()
})

const start = async (options: Partial<OnvifCameraOptions> = {}) => {
  camera = await startOnvifCamera({ ...account, presets: {}, ...options })
  return camera
}

const listen = async (
  more: Partial<ConstructorParameters<typeof Reopened>[0]> = {},
  options: Partial<OnvifCameraOptions> = {},
) => {
  await start(options)
  heard = await Reopened.open({ url: camera.url, inputs: button, config: quick, ...more })
  return heard
}

const press = () => {
  camera.input('DI_0', true)
  camera.input('DI_0', false)
}

const pulls = () => camera.journal.count('PullMessages')

test('a press is recorded as such, with its end, and the level is known', async () => {
  const link = await listen()
  expect(link.state('button')).toMatchObject({ quality: 'good', active: false })
  camera.input('DI_0', true)
  await expect.poll(() => link.told).toEqual(['button active'])
  await expect.poll(() => link.state('button').active).toBe(true)
  camera.input('DI_0', false)
  await expect.poll(() => link.told).toEqual(['button active', 'button restored'])
  expect(link.presses()[0]).toMatchObject({ from: expect.stringMatching(/^input DI_0 of 127\.0\.0\.1:/) })
})

test('both polarities', async () => {
  await start({ inputs: ['DI_0', 'DI_1'] })
  camera.input('DI_1', true)
  const inputs = { opens: { digital: 'DI_1', active: false }, closes: { digital: 'DI_0', active: true } }
  heard = await Reopened.open({ url: camera.url, inputs, config: quick })
  expect(heard.told).toEqual([])
  camera.input('DI_1', false)
  await expect.poll(() => heard?.told).toEqual(['opens active'])
  camera.input('DI_0', true)
  await expect.poll(() => heard?.told).toEqual(['opens active', 'closes active'])
})

test('an input that is active at the start is pressed, once, however often we subscribe', async () => {
  await start()
  camera.input('DI_0', true)
  heard = await Reopened.open({ url: camera.url, inputs: button, config: quick })
  await expect.poll(() => heard?.told).toEqual(['button active'])
  await heard.stop()
  await heard.start()
  await heard.stop()
  await heard.start()
  expect(heard.told).toEqual(['button active'])
  camera.input('DI_0', false)
  await expect.poll(() => heard?.told).toEqual(['button active', 'button restored'])
})

const habits: [string, Habits, Partial<OnvifCameraOptions>?][] = [
  ['another prefix of its topics', { topicPrefix: 'cam-1' }],
  ['white space around its topics', { paddedTopics: true }],
  ['no source in its events', { emptySources: true }],
  ['times with milliseconds', { preciseTimes: true }],
  ['the name State for the state', {}, { inputDataName: 'State' }],
  ['no word about its state for a new subscriber', { silentStart: true }],
  ['an answer to each pull at once', { impatient: true }],
  ['subscriptions of a second and a half', { longestLifeMs: 1_500 }],
]
test.each(habits)('a camera with %s', async (_what, ways, options) => {
  const link = await listen({}, { habits: ways, ...options })
  expect(link.state('button')).toMatchObject({ quality: 'good', active: false })
  for (let count = 1; count <= 3; count++) {
    const before = pulls()
    press()
    await expect.poll(() => link.presses().length).toBe(count)
    await expect.poll(() => pulls()).toBeGreaterThan(before)
  }
  expect(link.opens).toBe(1)
  expect(link.told).toEqual(Array.from({ length: 3 }, () => ['button active', 'button restored']).flat())
})

test('events without a source are a call of somebody where two inputs could be meant', async () => {
  const inputs = { one: { digital: 'DI_0' }, two: { digital: 'DI_1' } }
  const link = await listen({ inputs }, { inputs: ['DI_0', 'DI_1'], habits: { emptySources: true } })
  camera.input('DI_0', true)
  await expect
    .poll(() => link.presses(null))
    .toMatchObject([{ from: expect.stringContaining('does not name') }])
  expect(link.state('one').quality).toBe('unknown')
})

test('a press of which only the end is told was one', async () => {
  const link = await listen()
  camera.input('DI_0', true, { lost: true })
  camera.input('DI_0', false)
  await expect.poll(() => link.told).toEqual(['button active', 'button restored'])
})

test('a device that repeats its state is believed to, where the config says so', async () => {
  const link = await listen({ inputs: { button: { digital: 'DI_0', repeats: true } } })
  for (let count = 0; count < 3; count++) camera.repeat('DI_0')
  press()
  await expect.poll(() => link.told).toEqual(['button active', 'button restored'])
})

test('a camera that answers each pull at once is not flooded', async () => {
  await listen({}, { habits: { impatient: true } })
  const before = camera.journal.all.length
  await expect.poll(() => pulls(), { timeout: 5_000 }).toBeGreaterThan(6)
  const times = camera.journal.all.slice(before).filter(({ what }) => what === 'PullMessages')
  const gaps = times.slice(1).map(({ at }, n) => at - (times[n]?.at ?? 0))
  expect(Math.min(...gaps)).toBeGreaterThan(200)
})

test('a subscription is renewed before it ends, and one that can not be renewed is made anew', async () => {
  const link = await listen({}, { habits: { longestLifeMs: 1_500 } })
  await expect.poll(() => camera.journal.count('Renew'), { timeout: 5_000 }).toBeGreaterThan(2)
  expect(camera.journal.count('CreatePullPointSubscription')).toBe(1)
  camera.plays('Renew', 'fails')
  await expect
    .poll(() => camera.journal.count('CreatePullPointSubscription'), { timeout: 5_000 })
    .toBeGreaterThan(2)
  press()
  await expect.poll(() => link.presses().length).toBe(1)
  expect(link.opens).toBe(1)
  await expect.poll(() => camera.subscriptions).toBe(1)
})

test('closing gives the subscription back', async () => {
  const link = await listen()
  expect(camera.subscriptions).toBe(1)
  await link.stop()
  expect(camera.subscriptions).toBe(0)
  await expect.poll(() => camera.openSockets).toBe(0)
})

test('so does an opening that fails after it has subscribed', async () => {
  await start()
  camera.plays('PullMessages', 'fails')
  const { ctx } = testContext({ secret })
  await expect(dial(ctx, camera.url, {}, quick, { inputs: button })).rejects.toBeInstanceOf(BridgeError)
  expect(camera.subscriptions).toBe(0)
})

test('a pull that fails once costs nothing but that subscription', async () => {
  const link = await listen()
  camera.plays('PullMessages', 'fails', 1)
  await expect.poll(() => camera.journal.count('CreatePullPointSubscription'), { timeout: 5_000 }).toBe(2)
  press()
  await expect.poll(() => link.presses().length).toBe(1)
  expect(link.opens).toBe(1)
  await expect.poll(() => camera.subscriptions).toBe(1)
})

test('a device that refuses its events for good keeps a link of inputs from opening, and serves its outputs', async () => {
  await start()
  camera.plays('CreatePullPointSubscription', 'fails')
  const { ctx, notes } = testContext({ secret })
  await expect(dial(ctx, camera.url, {}, patient, { inputs: button })).rejects.toMatchObject({
    code: 'REFUSED',
  })
  const link = await dial(ctx, camera.url, { cam: {} }, patient, { inputs: button })
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({ ok: true })
  expect(notes.findLast(({ device }) => device === 'button')).toMatchObject({ state: { quality: 'unknown' } })
  // Then core is told, and tries again.
  await expect(Promise.race([link.lost])).resolves.toMatchObject({ code: 'REFUSED' })
  await link.close()
}, 15_000)

test('a press that could not be recorded is offered until it is, as the same', async () => {
  const offered: string[] = []
  let full = true
  const { ctx } = testContext()
  const record: typeof ctx.record = async (fact) => {
    offered.push(fact.key)
    if (full) throw new BridgeError('NOT_RECORDED', 'the disk is full')
    return { duplicate: false, id: fact.key, incident: null }
  }
  const link = await listen({ context: { record } })
  press()
  await expect.poll(() => offered.length).toBeGreaterThan(0)
  // A lost connection in between changes nothing.
  await camera.reboot(20)
  await expect.poll(() => link.opens).toBeGreaterThan(1)
  full = false
  await expect.poll(() => new Set(offered).size).toBe(2)
  expect(offered.filter((key) => key.endsWith('/restored'))).toHaveLength(1)
})

test('a probe says what the camera has of its inputs, and what their state means', async () => {
  const link = await listen()
  const probe = () => link.link?.probe?.(null, new AbortController().signal)
  expect(await probe()).toMatchObject({
    inputs: { button: { digital: 'DI_0', event: true, true: 'active' } },
  })
  await link.stop()
  await camera.close()
  const bare = await listen({}, { inputOptions: false, inputs: ['DI_0', 'DI_1'] })
  expect(await bare.link?.probe?.(null, new AbortController().signal)).toMatchObject({
    inputs: { button: { true: 'circuit closed' } },
  })
})

test('an input that the camera has not got is unknown, the log says so, and a probe says which it has', async () => {
  const link = await listen({ inputs: { button: { digital: 'DI_9' } } })
  expect(link.state('button').quality).toBe('unknown')
  expect(link.lines.filter(({ text }) => /does not say how this input is/.test(text))).toHaveLength(1)
  await expect(link.link?.probe?.(null, new AbortController().signal)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/button: 127\.0\.0\.1:\d+ has no input DI_9; it has DI_0$/),
  })
})
