import { afterEach, expect, it } from 'vitest'
import { done, failed } from '../../core/command.ts'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** When, how often, how late: mechanics, "Dispatch". */

let hospital: Hospital
afterEach(() => hospital.close())

it('a dead target delays no other', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'hangs')
  hospital.world.behaves('cam-lobby', 'hangs')
  await hospital.press('lobby-button')
  await hospital.advance(100)
  expect(hospital.pages('p2')).toHaveLength(1)
  expect(hospital.world.doors.get('door-lobby')).toBe('lockdown')
})

it('an outage of ten seconds: everything arrives within a second of its end', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'refuses')
  for (const device of ['triage-2-button', 'triage-5-button', 'lobby-button', 'till-button', null])
    await hospital.press(device)
  await hospital.advance(10_000)
  expect(hospital.pages('p1')).toEqual([])
  hospital.world.behaves('p1', 'well')
  await hospital.advance(1_000)
  expect(hospital.pages('p1')).toHaveLength(5)
})

it('an open breaker sends one probe at a time, at most a second apart, and fails nothing unsent', async () => {
  hospital = await Hospital.open()
  let attempts = 0
  hospital.world.onAct = () => {}
  hospital.world.behaves('p1', 'refuses')
  hospital.machine.listen((entries) => {
    attempts += entries.filter((entry) => entry.what === 'retry').length
  })
  for (const device of ['triage-2-button', 'triage-5-button', 'lobby-button']) await hospital.press(device)
  await hospital.advance(30_000)
  expect(hospital.receipts().filter(({ target }) => target === 'security')).toEqual([])
  expect(attempts, 'an outage is one matter, not a thousand lines').toBeLessThan(20)
})

it('a cable pulled: what is due waits, and goes when the link is back', async () => {
  hospital = await Hospital.open()
  const context = hospital.world.context
  hospital.world.drop()
  await hospital.advance(10)
  const press = {
    is: 'press',
    phase: 'active',
    device: 'triage-2-button',
    from: 'b',
    key: 'k',
    raw: null,
  } as const
  await hospital.settled(context.record(press))
  await hospital.advance(8_000)
  expect(hospital.pages('p1')).toEqual([])
  expect(hospital.machine.faults.open().map(({ id }) => id)).toContain('link-down:wire')
  hospital.world.mend()
  await hospital.advance(5_100)
  expect(hospital.pages('p1')).toHaveLength(1)
  expect(hospital.machine.faults.open().map(({ id }) => id)).not.toContain('link-down:wire')
})

it('a page that cannot be sent is a fault after ten seconds, and no longer than it lasts', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'refuses')
  await hospital.press('triage-2-button')
  const late = () => hospital.machine.faults.open().find(({ id }) => id === 'late-commands')
  await hospital.advance(9_000)
  expect(late()).toBeUndefined()
  await hospital.advance(3_000)
  expect(late()?.what).toMatch(/^1 commands/)
  hospital.world.behaves('p1', 'well')
  await hospital.advance(3_000)
  expect(late()).toBeUndefined()
})

it('a connector that ignores its signal is left to itself', async () => {
  hospital = await Hospital.open()
  hospital.world.answers('page.send', 'p1', () => new Promise(() => {}))
  await hospital.press('triage-2-button')
  await hospital.advance(5_300)
  expect(hospital.told.find((entry) => entry.what === 'retry')).toMatchObject({
    code: 'TIMEOUT',
    effect: 'possible',
  })
})

it('a connector that throws is an outcome, and the next attempt goes', async () => {
  hospital = await Hospital.open()
  let calls = 0
  hospital.world.answers('page.send', 'p1', async () => {
    if (++calls === 1) throw new TypeError('a defect')
    return done('answered')
  })
  await hospital.press('triage-2-button')
  await hospital.advance(1_000)
  expect(hospital.receipt('page.send', 'security')).toMatchObject({ end: 'done', attempts: 2 })
  expect(hospital.told.find((entry) => entry.what === 'retry')).toMatchObject({ code: 'CRASHED' })
})

it('less proof than the capability demands is not done', async () => {
  hospital = await Hospital.open()
  hospital.world.answers('door.lockdown', 'door-lobby', async () => done('answered', { mode: 'lockdown' }))
  await hospital.press('lobby-button')
  await hospital.advance(100)
  expect(hospital.told.find((entry) => entry.what === 'retry')).toMatchObject({
    code: 'UNCONFIRMED',
    effect: 'possible',
  })
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toBeUndefined()
})

it('a target that says when to come back is asked then', async () => {
  hospital = await Hospital.open()
  let calls = 0
  hospital.world.answers('page.send', 'p1', async () =>
    ++calls === 1 ? failed('BUSY', 'later', { retry: { afterMs: 7_000 } }) : done('answered'),
  )
  await hospital.press('triage-2-button')
  await hospital.advance(6_900)
  expect(calls).toBe(1)
  await hospital.advance(200)
  expect(calls).toBe(2)
})

it('a page that may have been read already says so', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'hangs')
  await hospital.press('triage-2-button')
  await hospital.advance(5_100)
  hospital.world.behaves('p1', 'well')
  await hospital.advance(1_000)
  expect(hospital.pages('p1').map(({ args }) => args.message.possibleRepeat)).toEqual([undefined, true])
  expect(new Set(hospital.pages('p1').map(({ command }) => command)).size).toBe(1)
})

it('a newer preset takes the place of one that still waits', async () => {
  hospital = await Hospital.open(mercy)
  hospital.world.behaves('cam-lobby', 'hangs')
  await hospital.press('lobby-button')
  await hospital.badge('badge-1', 'north/l1/lobby', 'zone', 0, 'assist')
  await hospital.badge('badge-2', 'north/l1/lobby', 'zone', 0, 'medical')
  await hospital.advance(100)
  const ended = hospital.receipts().filter(({ capability }) => capability === 'camera.preset')
  expect(ended).toMatchObject([{ end: 'cancelled', effect: 'none' }])
  expect(ended[0]?.why).toMatch(/^superseded by /)
})

it('a step that is due while the event loop is away comes after what waits to be read', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(29_000)
  await hospital.does(incident as string, 'acknowledged')
  await hospital.advance(5_000)
  expect(hospital.pages('p2')).toEqual([])
})

it('a process that stands still between log-in and lock: the lock does not follow', async () => {
  hospital = await Hospital.open()
  const asked: boolean[] = []
  let goOn = () => {}
  hospital.world.answers('door.lockdown', 'door-lobby', async ({ signal }) => {
    await new Promise<void>((resolve) => {
      goOn = resolve
    })
    asked.push(signal.aborted)
    return signal.aborted ? failed('ABORTED', 'too late') : done('confirmed', { mode: 'lockdown' })
  })
  await hospital.press('lobby-button')
  await hospital.advance(100)
  // Time goes on and no timer runs; the answer to the log-in is what the process sees first.
  hospital.clock.raise(hospital.clock.now() + 30_000)
  goOn()
  await hospital.advance(0)
  expect(asked).toEqual([true])
})
