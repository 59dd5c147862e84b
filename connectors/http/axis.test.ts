import { afterEach, describe, expect, test } from 'vitest'
import type { Outcome } from '../../core/command.ts'
import { startRestDoors } from '../../mocks/rest-door/index.ts'
import { testContext } from '../../test/context.ts'
import http, { type Target } from './index.ts'

type Doors = Awaited<ReturnType<typeof startRestDoors<'w' | 'e' | 'plain'>>>

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const start = async (more: Partial<Parameters<typeof startRestDoors>[0]> = {}, config: object = {}) => {
  const doors: Doors = await startRestDoors({
    username: 'root',
    password: 'right',
    token: 'open-sesame',
    ...more,
    doors: {
      w: { schedule: 'Unlocked' },
      e: { schedule: 'Locked' },
      plain: { schedule: 'Locked', capabilities: {} },
    },
  })
  ends.push(() => doors.close())
  doors.journal.allow('not-authorized')
  const link = await open(doors, { profile: 'axis-door', auth: digest, ...config })
  return { doors, ...link }
}

const digest = { digest: { username: 'root', password: { env: 'RIGHT' } } }

const open = async (doors: Doors, raw: object) => {
  const config = http.config.parse({ url: `http://127.0.0.1:${doors.port}`, timeout: '500ms', ...raw })
  const { ctx } = testContext({
    secret: async (ref) => ('env' in ref && ref.env === 'RIGHT' ? 'right' : 'open-sesame'),
  })
  const none = new Map<string, never>()
  const target = (token: string) => http.output?.parse({ values: { token } }) as Target
  const outputs = new Map([['w', target('w')]])
  expect(
    (http.check?.({ name: 'x', config, inputs: none, outputs }) ?? []).filter(({ fatal }) => fatal),
  ).toEqual([])
  const link = await http.open({ name: 'x', config, inputs: none, outputs, cursors: none }, ctx)
  ends.push(() => link.close())
  const act = (capability: string, token = 'w', args: object = {}, signal = new AbortController().signal) =>
    (link.acts as any)[capability]({
      id: 'c',
      attempt: 1,
      address: target(token),
      args,
      signal,
    }) as Promise<Outcome>
  const probe = (token: string) => link.probe?.(target(token), new AbortController().signal)
  return { act, probe }
}

const failure = (outcome: Outcome) =>
  outcome.ok ? 'done' : { code: outcome.failure.code, retry: outcome.failure.retry, effect: outcome.effect }
const confirmed = (mode: string) => ({ ok: true, proof: 'confirmed', result: { mode } })

describe('doors by Axis VAPIX', () => {
  test('are read, with digest', async () => {
    const { act, doors } = await start()
    expect(await act('door.state')).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { mode: 'unlocked', open: false, forced: false },
    })
    expect(await act('door.state')).toMatchObject(confirmed('unlocked'))
    expect(doors.journal.count('not-authorized')).toBe(0)
  })

  test('are secured, locked down and released to what they were', async () => {
    const { act, doors } = await start()
    expect(await act('door.secure')).toMatchObject(confirmed('locked'))
    await doors.journal.expect('LockDoor')
    expect(await act('door.lockdown')).toMatchObject(confirmed('lockdown'))
    await doors.journal.expect('LockDownDoor')
    const release = { from: 'lockdown', before: 'unlocked' }
    expect(await act('door.release', 'w', release)).toMatchObject(confirmed('unlocked'))
    await doors.journal.expect('LockDownReleaseDoor')
    doors.journal.verify()
  })

  test('a release is read first: what is released already is left alone', async () => {
    const { act, doors } = await start()
    const release = { from: 'lockdown', before: 'unlocked' }
    expect(await act('door.release', 'w', release)).toMatchObject(confirmed('unlocked'))
    expect(await act('door.release', 'e', { from: 'secure', before: 'locked' })).toMatchObject(
      confirmed('locked'),
    )
    doors.journal.verify()
  })

  test('a door that we secured is unlocked only if it was unlocked before', async () => {
    const { act, doors } = await start()
    await act('door.secure', 'w')
    await doors.journal.expect('LockDoor')
    const release = { from: 'secure', before: 'unlocked' }
    expect(await act('door.release', 'w', release)).toMatchObject(confirmed('unlocked'))
    await doors.journal.expect('UnlockDoor')
    doors.journal.verify()
  })

  test("a lockdown that isn't ours stays", async () => {
    const { act, doors } = await start()
    doors.doors.w.become('LockedDown')
    const over = { from: 'secure', before: 'unlocked' }
    expect(await act('door.release', 'w', over)).toMatchObject(confirmed('lockdown'))
    const earlier = { from: 'lockdown', before: 'lockdown' }
    expect(await act('door.release', 'w', earlier)).toMatchObject(confirmed('lockdown'))
    doors.journal.verify()
  })

  test.each(['status', 'ok'] as const)('faults are failures, by %s as well', async (faults) => {
    const { act, doors } = await start({ faults })
    expect(failure(await act('door.lockdown', 'nope'))).toEqual({
      code: 'NOT_FOUND',
      retry: 'never',
      effect: 'none',
    })
    expect(failure(await act('door.lockdown', 'plain'))).toMatchObject({
      code: 'UNSUPPORTED',
      retry: 'never',
    })
    doors.doors.w.refuses()
    expect(failure(await act('door.lockdown', 'w'))).toEqual({
      code: 'REFUSED',
      retry: 'backoff',
      effect: 'possible',
    })
  })

  test('what the door does not report is not done', async () => {
    const { act, doors } = await start()
    doors.doors.w.sticks()
    const outcome = await act('door.lockdown')
    expect(failure(outcome)).toEqual({ code: 'UNCONFIRMED', retry: 'backoff', effect: 'possible' })
    expect(JSON.stringify(outcome)).toContain('the door reports unlocked')
  })

  test('no answer, or one that is none, may have had an effect', async () => {
    const { act, doors } = await start()
    await act('door.state')
    doors.behave({ is: 'half-open' })
    expect(failure(await act('door.lockdown'))).toMatchObject({ code: 'TIMEOUT', effect: 'possible' })
    expect(failure(await act('door.state'))).toMatchObject({ code: 'TIMEOUT', effect: 'none' })
    doors.behave({ is: 'garbage' })
    expect(failure(await act('door.lockdown'))).toMatchObject({ code: 'BAD_ANSWER', effect: 'possible' })
    doors.behave({ is: 'wrong-answer' })
    expect(failure(await act('door.state'))).toMatchObject({ code: 'BAD_ANSWER' })
  })

  test('nobody there: nothing was sent', async () => {
    const { act, doors } = await start()
    await doors.close()
    expect(failure(await act('door.lockdown'))).toMatchObject({ code: 'UNREACHABLE', effect: 'none' })
  })

  test('a lock that lands late, after an unconfirmed answer, is found by the next reading and released', async () => {
    const { act, doors } = await start()
    doors.doors.w.landsLate(3_500)
    expect(failure(await act('door.lockdown'))).toMatchObject({ code: 'UNCONFIRMED', effect: 'possible' })
    await doors.doors.w.expect('LockedDown')
    doors.doors.w.obeys()
    const release = { from: 'lockdown', before: 'unlocked' }
    expect(await act('door.release', 'w', release)).toMatchObject(confirmed('unlocked'))
  })

  test('a wrong password is not tried over and over', async () => {
    const wrong = { digest: { username: 'root', password: { env: 'WRONG' } } }
    const { act, doors } = await start({}, { auth: wrong })
    expect(failure(await act('door.state'))).toMatchObject({ code: 'UNAUTHORIZED', retry: 'backoff' })
    expect(doors.journal.count('not-authorized')).toBe(1)
  })

  test('a probe finds a wrong token, and a door that can not be locked', async () => {
    const { probe, doors } = await start()
    expect(await probe('w')).toMatchObject({ door: { mode: 'unlocked' } })
    await expect(probe('nope')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(probe('plain')).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    doors.journal.verify()
  })
})

test('a door of another make, by requests in the config', async () => {
  const doors: Doors = (await startRestDoors({
    username: 'root',
    password: 'right',
    token: 'open-sesame',
    doors: { w: { schedule: 'Unlocked' }, e: { schedule: 'Locked' }, plain: { schedule: 'Locked' } },
  })) as Doors
  ends.push(() => doors.close())
  const words = '{ "mode": mode = "lockdown" ? "lockdown" : locked ? "locked" : "unlocked", "open": open }'
  const set = (mode: string, test: string) => ({
    method: 'PUT',
    path: '/{{values.token}}/mode',
    body: { mode },
    confirm: { path: '/{{values.token}}', test, result: words },
  })
  const { act } = await open(doors, {
    url: doors.url,
    auth: { bearer: { env: 'TOKEN' } },
    requests: {
      'door.state': { path: '/{{values.token}}', result: words },
      'door.lockdown': set('lockdown', 'mode = "lockdown"'),
      'door.release': set('normal', 'mode = "normal"'),
    },
  })
  expect(await act('door.state')).toMatchObject(confirmed('unlocked'))
  expect(await act('door.lockdown')).toMatchObject(confirmed('lockdown'))
  await doors.doors.w.expect('LockedDown')
  const release = { from: 'lockdown', before: 'unlocked' }
  expect(await act('door.release', 'w', release)).toMatchObject(confirmed('unlocked'))
  expect(doors.journal.count('setMode')).toBe(2)
})
