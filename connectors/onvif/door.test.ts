import { afterEach, beforeEach, expect, test } from 'vitest'
import { type OnvifDoors, startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { testContext } from '../../test/context.ts'
import { account, dial, order, secret } from './fixtures/dial.ts'

const door = { token: 'ED-W' }
const outputs = { 'door-w': door, 'door-e': { token: 'ED-E' } }
const reads = ['GetDoorState', 'GetDoorInfoList']

let mock: OnvifDoors<'ED-W' | 'ED-E' | 'NO-LOCKDOWN' | 'NO-UNLOCK'>
let context: ReturnType<typeof testContext>
let link: Awaited<ReturnType<typeof dial>>

beforeEach(async () => {
  mock = await startOnvifDoors({
    ...account,
    doors: {
      'ED-W': { schedule: 'Unlocked' },
      'ED-E': { schedule: 'Locked' },
      'NO-UNLOCK': { schedule: 'Locked', capabilities: { Lock: true, LockDown: true } },
      'NO-LOCKDOWN': { schedule: 'Unlocked', capabilities: { Lock: true, Unlock: true } },
    },
  })
  context = testContext({ secret })
  link = await dial(context.ctx, mock.url, outputs, { timeout: '400ms', poll: '300ms' })
})

afterEach(async () => {
  await link.close()
  mock.journal.verify()
  await mock.close()
})

const moved = () =>
  mock.journal.all.filter(({ what }) => /Lock|Access|Block/.test(what)).map(({ what }) => what)

test('a lockdown is done when the door reports it, not when the answer comes', async () => {
  const outcome = await link.acts['door.lockdown'](order(door, {}))
  expect(outcome).toMatchObject({ ok: true, proof: 'confirmed', result: { mode: 'lockdown', open: false } })
  expect(mock.doors['ED-W'].mode).toBe('LockedDown')
  await mock.journal.expect('LockDownDoor', ({ token }) => token === 'ED-W')
})

test('a door that answers success and does nothing is NOT confirmed, and may still move', async () => {
  mock.doors['ED-W'].sticks()
  const outcome = await link.acts['door.lockdown'](order(door, {}))
  expect(outcome).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: {
      code: 'UNCONFIRMED',
      message: expect.stringContaining('NOT confirmed: door ED-W reports unlocked'),
    },
  })
  await mock.journal.expect('LockDownDoor')
})

test('a door that refuses says so, and is tried again', async () => {
  mock.doors['ED-W'].refuses()
  const outcome = await link.acts['door.secure'](order(door, {}))
  expect(outcome).toMatchObject({ ok: false, failure: { code: 'REFUSED', retry: 'backoff' } })
  expect(outcome.ok ? '' : outcome.failure.message).toContain('Failure')
  await mock.journal.expect('LockDoor')
})

test('a lock that lands late is waited for, and confirmed', async () => {
  mock.doors['ED-W'].landsLate(700)
  const outcome = await link.acts['door.secure'](order(door, {}))
  expect(outcome).toMatchObject({ ok: true, proof: 'confirmed', result: { mode: 'locked' } })
  await mock.journal.expect('LockDoor')
})

test('a command that is never answered may have had an effect', async () => {
  mock.doors['ED-W'].landsLate(600, { answers: 'nothing' })
  const outcome = await link.acts['door.lockdown'](order(door, {}))
  expect(outcome).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'TIMEOUT', retry: 'backoff' },
  })
  await mock.doors['ED-W'].expect('LockedDown')
  await mock.journal.expect('LockDownDoor')
})

test('the state is read, with what the sensors say', async () => {
  mock.doors['ED-W'].forced()
  expect(await link.acts['door.state'](order(door, {}))).toEqual({
    ok: true,
    proof: 'confirmed',
    result: { mode: 'unlocked', open: true, forced: true, tampered: false },
  })
  expect(moved()).toEqual([])
})

test('a release that lifts the lockdown and gets no further has had an effect', async () => {
  mock.doors['NO-UNLOCK'].become('LockedDown')
  const outcome = await link.acts['door.release'](
    order({ token: 'NO-UNLOCK' }, { from: 'lockdown', before: 'unlocked' }),
  )
  expect(outcome).toMatchObject({ ok: false, effect: 'possible', failure: { code: 'UNSUPPORTED' } })
  expect(mock.doors['NO-UNLOCK'].mode).toBe('Locked')
  await mock.journal.expect('LockDownReleaseDoor')
})

test('an aborted order sends nothing', async () => {
  const outcome = await link.acts['door.lockdown'](order(door, {}, AbortSignal.abort()))
  expect(outcome).toMatchObject({ ok: false, effect: 'none', failure: { code: 'ABORTED' } })
  expect(moved()).toEqual([])
})

test('what the door cannot do, or does not exist, is not even tried', async () => {
  expect(await link.acts['door.lockdown'](order({ token: 'NO-LOCKDOWN' }, {}))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'UNSUPPORTED', retry: 'never' },
  })
  expect(await link.acts['door.secure'](order({ token: 'NOWHERE' }, {}))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'NOT_FOUND', retry: 'never', message: expect.stringContaining('ED-W') },
  })
  expect(moved()).toEqual([])
})

test('a release withdraws our lockdown', async () => {
  mock.doors['ED-E'].become('LockedDown')
  const released = order({ token: 'ED-E' }, { from: 'lockdown', before: 'locked' } as const)
  expect(await link.acts['door.release'](released)).toMatchObject({ ok: true, result: { mode: 'locked' } })
  expect(moved()).toEqual(['LockDownReleaseDoor'])
  await mock.journal.expect('LockDownReleaseDoor')
})

test('a door that its schedule had unlocked is unlocked again where the release leaves it locked', async () => {
  mock.doors['ED-W'].schedule = 'Locked'
  mock.doors['ED-W'].become('LockedDown')
  const released = order(door, { from: 'lockdown', before: 'unlocked' } as const)
  expect(await link.acts['door.release'](released)).toMatchObject({ ok: true, result: { mode: 'unlocked' } })
  await mock.journal.expect('LockDownReleaseDoor')
  await mock.journal.expect('UnlockDoor')
})

test('a secured door is unlocked only where its schedule had it unlocked before', async () => {
  mock.doors['ED-W'].become('Locked')
  const unknown = order(door, { from: 'secure', before: 'unknown' } as const)
  expect(await link.acts['door.release'](unknown)).toMatchObject({ ok: true, result: { mode: 'locked' } })
  expect(moved()).toEqual([])
  const unlocked = order(door, { from: 'secure', before: 'unlocked' } as const)
  expect(await link.acts['door.release'](unlocked)).toMatchObject({ ok: true, result: { mode: 'unlocked' } })
  await mock.journal.expect('UnlockDoor')
})

test('a lockdown that is not ours stays', async () => {
  mock.doors['ED-W'].become('LockedDown')
  for (const args of [
    { from: 'secure', before: 'unlocked' },
    { from: 'lockdown', before: 'lockdown' },
  ] as const)
    expect(await link.acts['door.release'](order(door, args))).toMatchObject({
      ok: true,
      result: { mode: 'lockdown' },
    })
  expect(moved()).toEqual([])
})

test('a door that reads released is left alone', async () => {
  const released = order(door, { from: 'lockdown', before: 'unlocked' } as const)
  expect(await link.acts['door.release'](released)).toMatchObject({ ok: true, result: { mode: 'unlocked' } })
  expect(moved()).toEqual([])
})

test('a release that sticks is NOT confirmed', async () => {
  mock.doors['ED-W'].become('LockedDown')
  mock.doors['ED-W'].sticks()
  const released = order(door, { from: 'lockdown', before: 'unlocked' } as const)
  expect(await link.acts['door.release'](released)).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'UNCONFIRMED', retry: 'backoff' },
  })
  await mock.journal.expect('LockDownReleaseDoor')
})

test('each poll says that the doors are fresh, with the clock offset', async () => {
  const before = context.notes.length
  await expect.poll(() => new Set(context.notes.slice(before).map(({ device }) => device)).size).toBe(2)
  expect(context.notes.at(-1)?.state).toMatchObject({ quality: 'good', clockOffsetMs: expect.any(Number) })
  expect(mock.journal.all.every(({ what }) => reads.includes(what) || /^Get/.test(what))).toBe(true)
})

test('a probe tells what is there and what is missing, and moves nothing', async () => {
  const signal = new AbortController().signal
  expect(await link.probe?.({ token: 'ED-W' }, signal)).toMatchObject({
    model: 'Mock door controller',
    clockOffsetMs: expect.any(Number),
    door: {
      mode: 'unlocked',
      lacks: [],
      doors: [{ token: 'ED-W' }, { token: 'ED-E' }, { token: 'NO-UNLOCK' }, { token: 'NO-LOCKDOWN' }],
    },
  })
  expect(await link.probe?.({ token: 'NO-LOCKDOWN' }, signal)).toMatchObject({
    door: { lacks: ['door.lockdown'] },
  })
  await expect(link.probe?.({ token: 'NOWHERE' }, signal)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(moved()).toEqual([])
})
