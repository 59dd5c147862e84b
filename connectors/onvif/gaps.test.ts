import { afterEach, expect, test } from 'vitest'
import {
  type OnvifCamera,
  type OnvifCameraOptions,
  startOnvifCamera,
} from '../../mocks/onvif-camera/index.ts'
import { type OnvifDoors, startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { account } from './fixtures/dial.ts'
import { Reopened } from './fixtures/reopened.ts'

const quick = { timeout: '400ms', poll: '1s' }
const button = { button: { digital: 'DI_0' } }

let camera: OnvifCamera | undefined
let doors: OnvifDoors<'ED-W'> | undefined
let heard: Reopened

afterEach(async () => {
  await heard.stop()
  await camera?.close()
  await doors?.close()
  camera = undefined
  doors = undefined
})

const listen = async (options: Partial<OnvifCameraOptions> = {}, config: object = quick) => {
  const mock = await startOnvifCamera({ ...account, presets: {}, ...options })
  camera = mock
  heard = await Reopened.open({ url: mock.url, inputs: button, config })
  return mock
}

const press = (mock: OnvifCamera) => {
  mock.input('DI_0', true)
  mock.input('DI_0', false)
}

/** The link has found out, and is up again. */
const back = (opens: number) =>
  expect.poll(() => heard.opens > opens && heard.link !== null, { timeout: 5_000 })

test('row 21: events go on after a restart of the camera, and the next press is seen', async () => {
  const mock = await listen()
  for (let restart = 1; restart <= 3; restart++) {
    const { opens } = heard
    await mock.reboot(150)
    await back(opens).toBe(true)
    press(mock)
    await expect.poll(() => heard.presses().length, { timeout: 5_000 }).toBe(restart)
  }
  expect(mock.subscriptions).toBe(1)
  // Ours was given back, or is gone with the restart: none is left when we end.
  await heard.stop()
  expect(mock.subscriptions).toBe(0)
})

test('row 21: a button that was held over the restart is found pressed, and is one press', async () => {
  const mock = await listen()
  const { opens } = heard
  mock.behave({ is: 'refusing' })
  mock.input('DI_0', true, { lost: true })
  await expect.poll(() => heard.state('button').quality).toBe('unknown')
  mock.behave({ is: 'normal' })
  await back(opens).toBe(true)
  await expect.poll(() => heard.told).toEqual(['button active'])
})

test('a press made during a cut is told by the camera that kept it', async () => {
  const mock = await listen()
  for (let cut = 1; cut <= 3; cut++) {
    const { opens } = heard
    mock.behave({ is: 'refusing' })
    await expect.poll(() => heard.link).toBeNull()
    press(mock)
    mock.behave({ is: 'normal' })
    await back(opens).toBe(true)
    await expect.poll(() => heard.presses().length).toBe(cut)
    expect(heard.told).toEqual(Array.from({ length: cut }, () => ['button active', 'button restored']).flat())
  }
  // It is the same subscription all the time.
  expect(mock.journal.count('CreatePullPointSubscription')).toBe(1)
})

test('a duress code used during a cut is told, though it is no state that could be read', async () => {
  doors = await startOnvifDoors({
    ...account,
    doors: { 'ED-W': { schedule: 'Locked' } },
    accessPoints: { IN: {} },
  })
  const inputs = { keypad: { 'access-point': 'IN' } }
  heard = await Reopened.open({ url: doors.url, inputs, config: quick })
  doors.behave({ is: 'refusing' })
  await expect.poll(() => heard.state('keypad').quality).toBe('unknown')
  doors.duress('IN')
  doors.behave({ is: 'normal' })
  await expect.poll(() => heard.told, { timeout: 5_000 }).toEqual(['keypad active'])
  await expect.poll(() => heard.state('keypad').quality).toBe('good')
})

test('row 23: a camera whose clock is an hour off is heard, signed to in its own time, and its offset is noted', async () => {
  const mock = await listen({ clockOffsetMs: -3_600_000 })
  press(mock)
  await expect.poll(() => heard.presses().length).toBe(1)
  const { clockOffsetMs } = heard.state('button')
  expect(Math.abs(clockOffsetMs + 3_600_000)).toBeLessThan(2_000)
  // What it says of the time is kept as what it says.
  const off = (heard.presses()[0]?.occurredAt ?? 0) - Date.now()
  expect(Math.abs(off + 3_600_000)).toBeLessThan(10_000)
  expect(mock.journal.count('not-authorized')).toBe(0)
  expect(heard.lines.filter(({ text }) => /clock off by -(3599|3600|3601) s/.test(text))).toHaveLength(1)
})

test('row 23: a clock that jumps while we listen loses no press', async () => {
  const mock = await listen()
  mock.setClock(7_200_000)
  await expect.poll(() => heard.state('button').clockOffsetMs > 7_190_000, { timeout: 5_000 }).toBe(true)
  press(mock)
  await expect.poll(() => heard.presses().length).toBe(1)
  mock.setClock(-7_200_000)
  await expect.poll(() => heard.state('button').clockOffsetMs < -7_190_000, { timeout: 5_000 }).toBe(true)
  press(mock)
  await expect.poll(() => heard.presses().length).toBe(2)
})

test('a dead camera is known within 10 s, as the config comes', async () => {
  const mock = await listen({}, {})
  mock.behave({ is: 'half-open' })
  await expect.poll(() => heard.state('button').quality, { timeout: 10_000 }).toBe('unknown')
}, 15_000)

test('200 cuts and restarts: no press lost, nothing left behind', async () => {
  const mock = await listen()
  const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length
  const before = timers()
  for (let cycle = 1; cycle <= 200; cycle++) {
    if (cycle % 2 === 0) await mock.reboot(0)
    else {
      mock.behave({ is: 'refusing' })
      await expect.poll(() => heard.link, { interval: 5 }).toBeNull()
      mock.behave({ is: 'normal' })
    }
    // A restart of no time may cost the subscription only, and not the link.
    await expect
      .poll(() => heard.link !== null && mock.subscriptions, { interval: 5, timeout: 5_000 })
      .toBe(1)
    press(mock)
    await expect.poll(() => heard.presses().length, { interval: 5, timeout: 5_000 }).toBe(cycle)
  }
  expect(mock.subscriptions).toBe(1)
  expect(mock.openSockets).toBeLessThanOrEqual(5)
  expect(timers()).toBeLessThan(before + 20)
  await heard.stop()
  expect(mock.subscriptions).toBe(0)
  await expect.poll(() => mock.openSockets).toBe(0)
}, 60_000)
