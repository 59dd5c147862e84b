import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OnvifCamera, startOnvifCamera } from '../../mocks/onvif-camera/index.ts'
import { type OnvifDoors, startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, order, secret } from './fixtures/dial.ts'

const quick = { timeout: '300ms', poll: '200ms' }
let camera: OnvifCamera
let context: ReturnType<typeof testContext>

beforeEach(async () => {
  camera = await startOnvifCamera({ ...account, presets: { '1': 'Entrance' } })
  context = testContext({ secret })
})

afterEach(async () => {
  context.abort.abort()
  await camera.close()
})

const said = () => JSON.stringify([context.lines, context.notes, context.facts])

test('a wrong password is found when the link opens, not at the first command', async () => {
  const wrong = testContext({ secret: async () => 'battery staple' })
  const opened = dial(wrong.ctx, camera.url, { cam: {} }, quick)
  await expect(opened).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
    message: expect.stringMatching(/password/),
  })
  await expect(opened).rejects.not.toThrow(/battery staple/)
  await expect.poll(() => camera.openSockets).toBe(0)
})

test('so it is with HTTP digest', async () => {
  const strict = await startOnvifCamera({ ...account, presets: {}, auth: ['digest'] })
  const wrong = testContext({ secret: async () => 'battery staple' })
  await expect(dial(wrong.ctx, strict.url, { cam: {} }, quick)).rejects.toMatchObject({
    code: 'UNAUTHORIZED',
  })
  await strict.close()
})

test('nobody at the address', async () => {
  const url = camera.url
  await camera.close()
  await expect(dial(context.ctx, url, { cam: {} }, quick)).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test.each(['half-open', 'garbage', 'wrong-answer'] as const)('a %s device does not open', async (is) => {
  camera.behave({ is })
  const code = is === 'half-open' ? 'TIMEOUT' : 'BAD_ANSWER'
  await expect(dial(context.ctx, camera.url, { cam: {} }, quick)).rejects.toMatchObject({ code })
  await expect.poll(() => camera.openSockets).toBe(0)
})

test('a device whose clock is ten minutes off is signed to in its own time, and that is noted', async () => {
  const late = await startOnvifCamera({ ...account, presets: { '1': 'Entrance' }, clockOffsetMs: -600_000 })
  const link = await dial(context.ctx, late.url, { cam: {} }, quick)
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({ ok: true })
  const { state } = context.notes.at(-1) as (typeof context.notes)[number]
  expect(Math.abs((state.clockOffsetMs ?? 0) + 600_000)).toBeLessThan(2_000)
  expect(context.lines.filter(({ text }) => /clock off by -(599|600|601) s/.test(text))).toHaveLength(1)
  await link.close()
  await late.close()
})

test('a clock that jumps while the link is open is measured again', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, quick)
  camera.setClock(3_600_000)
  await expect.poll(() => context.notes.at(-1)?.state.clockOffsetMs ?? 0).toBeGreaterThan(3_590_000)
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({ ok: true })
  expect(context.lines.filter(({ text }) => /jumped/.test(text))).toHaveLength(1)
  await link.close()
})

test('a camera that hangs in the middle of a command ends it in its timeout, and the connection with it', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, { timeout: '300ms', poll: '1m' })
  camera.behave({ is: 'half-open' })
  const outcome = await link.acts['camera.preset'](order({}, { preset: '1' }))
  expect(outcome).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'TIMEOUT', retry: 'backoff' },
  })
  const picture = await link.acts['camera.snapshot'](order({}, {}))
  expect(picture).toMatchObject({ ok: false, effect: 'none', failure: { code: 'TIMEOUT' } })
  await expect.poll(() => camera.openSockets).toBe(0)
  await link.close()
})

test('an order that is taken back while it waits ends at once', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, { timeout: '30s', poll: '1m' })
  camera.behave({ is: 'half-open' })
  const abort = new AbortController()
  const turning = link.acts['camera.preset'](order({}, { preset: '1' }, abort.signal))
  await camera.journal.expect('GotoPreset')
  abort.abort()
  expect(await turning).toMatchObject({ ok: false, effect: 'possible', failure: { code: 'TIMEOUT' } })
  await link.close()
})

test('closing is prompt with a command under way, and may be asked for twice', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, { timeout: '30s', poll: '1m' })
  camera.behave({ is: 'half-open' })
  const turning = link.acts['camera.preset'](order({}, { preset: '1' }))
  await camera.journal.expect('GotoPreset')
  await Promise.all([link.close(), link.close()])
  expect(await turning).toMatchObject({ ok: false, effect: 'possible', failure: { code: 'LINK_DOWN' } })
  await expect(link.lost).resolves.toMatchObject({ code: 'LINK_DOWN' })
  expect(await link.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({
    ok: false,
    effect: 'none',
  })
})

test('a reboot loses the link; the next one opens as if nothing had been', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, quick)
  const back = camera.reboot(2_500)
  await expect(link.lost).resolves.toMatchObject({ code: 'UNREACHABLE' })
  await link.close()
  await back
  const again = await dial(context.ctx, camera.url, { cam: {} }, quick)
  expect(await again.acts['camera.preset'](order({}, { preset: '1' }))).toMatchObject({ ok: true })
  await again.close()
})

test('a device that falls silent loses the link', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, quick)
  camera.behave({ is: 'half-open' })
  await expect(link.lost).resolves.toMatchObject({ code: 'TIMEOUT' })
  await link.close()
})

test('a door controller without media opens, and has no pictures; a camera has no doors', async () => {
  const doors: OnvifDoors<'A'> = await startOnvifDoors({ ...account, doors: { A: { schedule: 'Locked' } } })
  const controller = await dial(context.ctx, doors.url, { cam: {}, door: { token: 'A' } }, quick)
  expect(await controller.acts['door.state'](order({ token: 'A' }, {}))).toMatchObject({ ok: true })
  const unsupported = { ok: false, failure: { code: 'UNSUPPORTED', retry: 'never' } }
  expect(await controller.acts['camera.snapshot'](order({}, {}))).toMatchObject(unsupported)
  await controller.close()
  await doors.close()
  const link = await dial(context.ctx, camera.url, { cam: {}, door: { token: 'A' } }, quick)
  expect(await link.acts['door.secure'](order({ token: 'A' }, {}))).toMatchObject(unsupported)
  await link.close()
})

test('neither the password nor a digest of it is ever said', async () => {
  const link = await dial(context.ctx, camera.url, { cam: {} }, quick)
  camera.behave({ is: 'garbage' })
  const outcome = await link.acts['camera.preset'](order({}, { preset: '1' }))
  await link.lost
  await link.close()
  expect(said() + JSON.stringify(outcome)).not.toMatch(/correct horse|PasswordDigest|Authorization/)
})
