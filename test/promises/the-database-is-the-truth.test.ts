import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { type SnppPager, startSnppPager } from '../../mocks/snpp-pager/index.ts'
import { cleanUp, Program, passed, until } from './program.ts'
import { Sink } from './sink.ts'

/** Promise 6. Due times are rows: a dead process forgets nothing, and the next one takes it up. */
const password = 'correct horse'
/** Clocks and timers may differ by this, ms. */
const slackMs = 50
let pager: SnppPager
let doors: RestDoors<'LOBBY'>
let sink: Sink
let program: Program

beforeEach(async () => {
  pager = await startSnppPager({ pagers: ['1', '2', '3'] })
  doors = await startRestDoors({ username: 'bridge', password, doors: { LOBBY: { schedule: 'Unlocked' } } })
  sink = await Sink.start()
  program = await new Program(site(), { env: { DOOR_PASSWORD: password } }).start()
  await until('the door was read', () => doors.journal.count('GetDoorState') > 0)
})

afterEach(async () => {
  await cleanUp()
  await Promise.all([pager, doors, sink].map((each) => each.close()))
})

/** 21,000 commands of 105 presses: more than the 20,000 bodies that memory holds. */
const crowd = 200
const presses = 105

const pageTo = (responder: string) => ({ 'page.send': { to: responder } })

const site = () => ({
  site: { name: 'Truth', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'zone' } } } },
  connectors: {
    // Nobody is at port 9: presses come by the API.
    panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
    pagers: { type: 'snpp', host: '127.0.0.1', port: pager.port },
    texts: { type: 'http', url: sink.url, connections: 8, requests: { 'page.send': {} } },
    doors: {
      type: 'http',
      profile: 'axis-door',
      url: `http://127.0.0.1:${doors.port}`,
      auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
    },
  },
  devices: {
    button: { connector: 'panel', input: { discrete: 0 }, place: 'house/lobby' },
    'weapon-button': { connector: 'panel', input: { discrete: 1 }, place: 'house/lobby', kind: 'weapon' },
    door: {
      connector: 'doors',
      output: { values: { token: 'LOBBY' } },
      guards: ['house/lobby'],
      egress: 'free',
      fire: 'none',
    },
  },
  responders: {
    first: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } },
    second: { page: { connector: 'pagers', id: '2', perceptible: 'vibrate' } },
    third: { page: { connector: 'pagers', id: '3', perceptible: 'vibrate' } },
    everybody: { group: Array.from({ length: crowd }, (_, n) => `person-${n}`) },
    ...Object.fromEntries(
      Array.from({ length: crowd }, (_, n) => [
        `person-${n}`,
        { page: { connector: 'texts', values: { n }, perceptible: 'none' } },
      ]),
    ),
  },
  plans: {
    weapon: {
      when: { kind: 'weapon' },
      steps: [
        {
          at: '0s',
          do: [pageTo('first'), { 'door.lockdown': { to: 'guarding', expires: '5s', limit: '6s' } }],
        },
      ],
    },
    crowd: { when: { kind: 'hazard' }, steps: [{ at: '0s', do: [pageTo('everybody')] }] },
    others: {
      when: {},
      steps: [
        { at: '0s', do: [pageTo('first')] },
        { at: '2s', unless: 'acknowledged', do: [pageTo('second')] },
        { at: '8s', unless: 'acknowledged', do: [pageTo('third')] },
      ],
    },
  },
})

const pageOf = (id: string) => pager.journal.expect('page', (page) => page.id === id, { withinMs: 20_000 })

test('killed in mid-escalation: the step due while it was dead goes at the start, the later one at its time', async () => {
  const id = await program.press('button')
  const { openedAt } = (await program.incident(id)).incident
  await pageOf('1')
  await program.written()
  await program.kill()
  await passed(openedAt + 3_000)
  expect(pager.journal.count('page')).toBe(1)
  await program.start()
  const second = await pageOf('2')
  expect(second.at).toBeLessThan(openedAt + 8_000)
  const third = await pageOf('3')
  expect(third.at).toBeGreaterThanOrEqual(openedAt + 8_000 - slackMs)
  await program.settled(id)
  pager.journal.verify()
  const { timeline } = await program.incident(id)
  expect(timeline.filter(({ what }) => what === 'command')).toHaveLength(3)
})

test('acknowledged before the kill: nobody is called after it', async () => {
  const id = await program.press('button')
  const { openedAt } = (await program.incident(id)).incident
  await pageOf('1')
  await program.written()
  expect((await program.post(`/v1/incidents/${id}/acknowledge`, { by: 'Ada' })).status).toBe(200)
  await program.kill()
  await program.start()
  expect((await program.incident(id)).incident.acknowledged).toMatchObject({ by: 'Ada' })
  await passed(openedAt + 9_000)
  await until('it has looked at what is due', async () => (await program.get('/healthz')).status === 200)
  expect((await program.incident(id)).commands.map(({ target }) => target)).toEqual(['first'])
  pager.journal.verify()
})

test('a door that is held stays held over a kill, and is released at its time', async () => {
  const id = await program.press('weapon-button')
  await doors.doors.LOBBY.expect('LockedDown')
  expect(await program.receipt(id, 'door.lockdown', 'door')).toMatchObject({
    end: 'done',
    proof: 'confirmed',
  })
  const { holds } = await program.incident(id)
  await program.kill()
  await program.start()
  expect(doors.doors.LOBBY.mode).toBe('LockedDown')
  expect((await program.get('/v1/doors')).body.doors).toMatchObject([
    { holds: [{ id: holds[0]?.id, until: holds[0]?.until }] },
  ])
  await doors.doors.LOBBY.expect('Unlocked', { withinMs: 30_000 })
  expect(doors.doors.LOBBY.history.at(-1)?.at).toBeGreaterThanOrEqual((holds[0]?.until as number) - slackMs)
  await doors.journal.expect('LockDownDoor')
  await doors.journal.expect('LockDownReleaseDoor')
  doors.journal.verify()
  await until(
    'no hold is left',
    async () => (await program.get('/v1/doors')).body.doors[0].holds.length === 0,
  )
})

test('a door whose hold ended while the process was dead is released at the start', async () => {
  const id = await program.press('weapon-button')
  await program.receipt(id, 'door.lockdown', 'door')
  const { holds } = await program.incident(id)
  await program.kill()
  await passed((holds[0]?.until as number) + 500)
  expect(doors.doors.LOBBY.mode).toBe('LockedDown')
  await program.start()
  await doors.doors.LOBBY.expect('Unlocked', { withinMs: 20_000 })
})

test('more commands than memory holds wait in the store, survive a kill, and all go', async () => {
  sink.hold()
  const ids = await Promise.all(
    Array.from({ length: presses }, (_, n) =>
      program.press('button', { kind: 'hazard', device: `stranger ${n}` }),
    ),
  )
  expect(new Set(ids).size).toBe(presses)
  await program.kill()
  sink.release()
  const before = new Set(sink.all.map(({ id }) => id))
  await program.start()
  const all = new Set<string>()
  await until(
    'everybody of every incident is told',
    () => {
      for (const { id } of sink.all.splice(0)) all.add(id)
      return all.size >= crowd * presses
    },
    120_000,
  )
  expect(all.size).toBe(crowd * presses)
  expect([...before].every((id) => all.has(id))).toBe(true)
  for (const id of [ids[0] as string, ids[presses - 1] as string]) await program.settled(id)
}, 180_000)
