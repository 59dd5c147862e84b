import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, Program, passed, until } from './program.ts'

/** Promise 5, fire on real wires: active or unknown, no lock reaches a door; during a hold it releases. */
const password = 'correct horse'
const fireInput = 12
/** So long after a start a fire input that has not been read is waited for, ms. */
const settleInMs = 5_000
let panel: ModbusPanel
let doors: RestDoors<'LOBBY'>
let pager: SnppPager
let program: Program

beforeEach(async () => {
  panel = await startModbusPanel()
  doors = await startRestDoors({ username: 'bridge', password, doors: { LOBBY: { schedule: 'Unlocked' } } })
  pager = await startSnppPager({ pagers: ['5550100'] })
  program = new Program(site(), { env: { DOOR_PASSWORD: password } })
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([panel, doors, pager].map((each) => each.close()))
})

const site = () => ({
  site: { name: 'Fire', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'zone' } } } },
  connectors: {
    'fire-wire': { type: 'modbus', host: '127.0.0.1', port: panel.port },
    // Nobody is at port 9: presses come by the API, so that they need no wire that fails.
    buttons: { type: 'modbus', host: '127.0.0.1', port: 9 },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
    doors: {
      type: 'http',
      profile: 'axis-door',
      url: `http://127.0.0.1:${doors.port}`,
      auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
    },
  },
  devices: {
    button: { connector: 'buttons', input: { discrete: 0 }, place: 'house/lobby', kind: 'weapon' },
    'fire-panel': {
      connector: 'fire-wire',
      input: { discrete: fireInput },
      means: 'fire',
      place: 'house',
      stale: '1s',
    },
    door: {
      connector: 'doors',
      output: { values: { token: 'LOBBY' } },
      guards: ['house/lobby'],
      egress: 'free',
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
            { 'door.lockdown': { to: 'guarding', expires: '20s', limit: '15m' } },
          ],
        },
      ],
    },
    others: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'security' } }] }] },
  },
})

/** Until the fire state of the door is read, and is this. */
const fireIs = (state: 'clear' | 'active' | 'unknown') =>
  until(`fire is ${state}`, async () => (await program.get('/v1/doors')).body.doors[0].fire === state)

const lockOf = (id: string) => program.receipt(id, 'door.lockdown', 'door')

/** People are called in any case. */
const neverLocked = async () => {
  await pager.journal.expect('page')
  doors.journal.verify()
  expect(doors.doors.LOBBY.history.map(({ mode }) => mode)).toEqual(['Unlocked'])
}

test('an active fire input: the door is not locked', async () => {
  await program.start()
  panel.set(fireInput, true)
  await fireIs('active')
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({ end: 'suppressed', why: 'fire', effect: 'none', attempts: 0 })
  await neverLocked()
})

test.each([
  ['is switched off', () => panel.close()],
  ['takes requests and answers none', async () => panel.behave({ is: 'half-open' })],
  ['answers with exceptions', async () => panel.fail(1, 4)],
  ['speaks no Modbus any more', async () => panel.behave({ is: 'garbage' })],
] as const)('a fire panel that %s: unknown fire is fire', async (_, fails) => {
  await program.start()
  await fireIs('clear')
  await passed(Date.now() + settleInMs)
  await fails()
  await fireIs('unknown')
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({ end: 'suppressed', why: 'fire state unknown', attempts: 0 })
  await neverLocked()
})

test('a fire input that has not been read since the start: the lock waits for it, and is not sent without it', async () => {
  panel.behave({ is: 'half-open' })
  await program.start()
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({
    end: expect.stringMatching(/^(suppressed|cancelled)$/),
    why: 'fire state unknown',
    effect: 'none',
    attempts: 0,
  })
  await neverLocked()
})

test.each([
  ['a fire', () => panel.set(fireInput, true)],
  ['a fire panel that falls silent', () => panel.behave({ is: 'half-open' })],
] as const)('%s during a hold releases the door, and keeps it released', async (_, breaksOut) => {
  await program.start()
  await fireIs('clear')
  const id = await program.press('button')
  expect(await lockOf(id)).toMatchObject({ end: 'done', proof: 'confirmed' })
  expect(doors.doors.LOBBY.mode).toBe('LockedDown')
  breaksOut()
  await doors.doors.LOBBY.expect('Unlocked', { withinMs: 20_000 })
  await doors.journal.expect('LockDownDoor')
  await doors.journal.expect('LockDownReleaseDoor')
  panel.behave({ is: 'normal' })
  panel.set(fireInput, false)
  await fireIs('clear')
  // Over is over: what fire has released is not locked again by the same incident.
  const reads = doors.journal.count('GetDoorState')
  await until('the door is read again', () => doors.journal.count('GetDoorState') > reads)
  doors.journal.verify()
  expect(doors.doors.LOBBY.history.map(({ mode }) => mode)).toEqual(['Unlocked', 'LockedDown', 'Unlocked'])
  const { holds, timeline } = await program.incident(id)
  expect(holds).toMatchObject([{ ended: { why: expect.stringMatching(/^fire/) } }])
  expect(timeline).toContainEqual(
    expect.objectContaining({ what: 'hold', ended: expect.stringMatching(/^fire/) }),
  )
})
