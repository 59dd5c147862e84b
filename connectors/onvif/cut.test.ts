import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { SystemClock } from '../../core/clock.ts'
import type { Json } from '../../core/fact.ts'
import { InlineRunner } from '../../core/runner/inline.ts'
import { partition } from '../../core/runner/part.ts'
import type { Site } from '../../core/site/site.ts'
import { startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { testContext } from '../../test/context.ts'
import { account, configOf, secret } from './fixtures/dial.ts'
import onvif from './index.ts'

test('a cut of 20 s, as core runs the link: the press made during it is seen, and the next within 5 s', async () => {
  const camera = await startOnvifCamera({ ...account, presets: {} })
  const { ctx, facts } = testContext({ secret })
  const cursors = new Map<string, Json>()
  const runner = new InlineRunner({
    clock: new SystemClock(),
    log: ctx.log,
    record: (_connector, fact) => {
      if (fact.device !== null && fact.cursor !== undefined) cursors.set(fact.device, fact.cursor)
      return ctx.record(fact)
    },
    note: (device, state) => {
      if (state.cursor !== undefined) cursors.set(device, state.cursor)
    },
    keep: ctx.keep,
    secret: ctx.secret,
    cursor: (device) => cursors.get(device),
    turned: () => {},
    // The longest pauses that it may draw.
    random: () => 1,
  })
  onTestFinished(async () => {
    await runner.stop()
    await camera.close()
  })
  const config = configOf(camera.url)
  const input = onvif.input?.parse({ digital: 'DI_0' })
  const button = { name: 'button', connector: 'cam', link: 'cam', input, output: null }
  const site = {
    devices: new Map([['button', button]]),
    responders: new Map(),
    connectors: new Map([['cam', { connector: onvif, config }]]),
  }
  runner.start(partition(site as unknown as Site))
  const press = () => {
    camera.input('DI_0', true)
    camera.input('DI_0', false)
  }
  const presses = () => facts.filter((fact) => fact.is === 'press' && fact.phase === 'active').length
  await expect.poll(() => runner.isUp('cam'), { timeout: 5_000 }).toBe(true)
  press()
  await expect.poll(presses, { timeout: 5_000 }).toBe(1)
  camera.behave({ is: 'refusing' })
  await wait(10_000)
  press()
  await wait(10_000)
  expect(runner.isUp('cam')).toBe(false)
  camera.behave({ is: 'normal' })
  // Both within 5 s of the end of the cut.
  press()
  await expect.poll(presses, { timeout: 5_000 }).toBe(3)
})
