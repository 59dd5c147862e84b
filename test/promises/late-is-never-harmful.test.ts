import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Received } from '../../mocks/mock.ts'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, Program, passed, until } from './program.ts'

/** Promise 4, on real clocks and wires. A step of the wall clock can't be had here: the simulated scenarios have it. */
const password = 'correct horse'
let doors: RestDoors<'LOBBY'>
let pager: SnppPager
let program: Program

beforeEach(async () => {
  doors = await startRestDoors({ username: 'bridge', password, doors: { LOBBY: { schedule: 'Unlocked' } } })
  pager = await startSnppPager({ pagers: ['5550100'] })
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([doors.close(), pager.close()])
})

const site = (expires: string) => ({
  site: { name: 'Late', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'zone' } } } },
  connectors: {
    // Nobody is at port 9: presses come by the API.
    panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
    doors: {
      type: 'http',
      profile: 'axis-door',
      url: `http://127.0.0.1:${doors.port}`,
      auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
      timeout: '1500ms',
    },
  },
  devices: {
    button: { connector: 'panel', input: { discrete: 0 }, place: 'house/lobby', kind: 'weapon' },
    door: {
      connector: 'doors',
      output: { values: { token: 'LOBBY' } },
      guards: ['house/lobby'],
      egress: 'free',
      fire: 'none',
    },
  },
  responders: { security: { page: { connector: 'pagers', id: '5550100', perceptible: 'vibrate' } } },
  plans: {
    weapon: {
      when: { kind: 'weapon' },
      steps: [
        {
          at: '0s',
          do: [
            { 'page.send': { to: 'security' } },
            { 'door.lockdown': { to: 'guarding', expires, limit: '15m' } },
          ],
        },
      ],
    },
    others: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'security' } }] }] },
  },
})

const start = async (expires = '2s') => {
  program = await new Program(site(expires), { env: { DOOR_PASSWORD: password } }).start()
  await until('the door was read', () => doors.journal.count('GetDoorState') > 0)
}

/** The controller is reached again: it has been read since. */
const reachable = async () => {
  doors.behave({ is: 'normal' })
  const before = doors.journal.count('GetDoorState')
  await until('the door is read again', () => doors.journal.count('GetDoorState') > before)
}

/** The door has never left its schedule, and nobody asked it to. */
const neverLocked = () => {
  doors.journal.verify()
  expect(doors.doors.LOBBY.history.map(({ mode }) => mode)).toEqual(['Unlocked'])
}

const lockOf = (id: string) => program.receipt(id, 'door.lockdown', 'door')

test('a lock that could not be sent in time is never sent, though its door comes back', async () => {
  await start()
  doors.behave({ is: 'refusing' })
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({ end: 'expired', effect: 'none' })
  await reachable()
  neverLocked()
  expect((await program.incident(id)).commands.every(({ receipt }) => receipt)).toBe(true)
})

test('nor by a bridge that stood still over the expiry', async () => {
  await start()
  doors.behave({ is: 'refusing' })
  const id = await program.press('button')
  const lock = (await program.incident(id)).commands.find(({ target }) => target === 'door')
  program.signal('SIGSTOP')
  doors.behave({ is: 'normal' })
  await passed((lock?.expiresAt as number) + 300)
  program.signal('SIGCONT')
  expect(await lockOf(id)).toMatchObject({ end: 'expired', effect: 'none' })
  await reachable()
  neverLocked()
})

test('nor by a bridge that was killed before the expiry and started after it', async () => {
  await start()
  doors.behave({ is: 'refusing' })
  const id = await program.press('button')
  const lock = (await program.incident(id)).commands.find(({ target }) => target === 'door')
  await program.kill()
  doors.behave({ is: 'normal' })
  await passed((lock?.expiresAt as number) + 300)
  await program.start()
  expect(await lockOf(id)).toMatchObject({ end: 'expired' })
  await reachable()
  // It can't know what the process before had sent: giving back is harmless, and all that it may do.
  for (const { what } of doors.journal.all) expect(what).not.toBe('LockDownDoor')
  expect(doors.doors.LOBBY.history.map(({ mode }) => mode)).toEqual(['Unlocked'])
})

test('a lock that timed out and lands late is released', async () => {
  await start('1s')
  doors.doors.LOBBY.landsLate(5_000, { answers: 'nothing', only: 'LockDownDoor' })
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({ end: 'expired', effect: 'possible', attempts: 1 })
  expect(doors.doors.LOBBY.mode).toBe('Unlocked')
  await doors.doors.LOBBY.expect('LockedDown', { withinMs: 15_000 })
  await doors.doors.LOBBY.expect('Unlocked', { withinMs: 30_000 })
  const { body } = await program.get('/v1/doors')
  expect(body.doors).toMatchObject([{ name: 'door', holds: [] }])
}, 90_000)

test('a late page still goes, and says how late', async () => {
  await start()
  // From 10 s on a message says that it is late.
  pager.refuse(11_000)
  const id = await program.press('button', { kind: 'assist' })
  const page: Received = await pager.journal.expect('page', undefined, { withinMs: 40_000 })
  expect(page.detail['text']).toMatch(/late 1\d s/)
  const receipt = await program.receipt(id, 'page.send', 'security')
  expect(receipt).toMatchObject({ end: 'done', effect: 'had' })
  expect(receipt.attempts).toBeGreaterThan(1)
  pager.journal.verify()
}, 90_000)
