import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFiles } from '../../core/store/files.ts'
import { entriesIn } from '../../core/trail/payload.ts'
import { type RestDoors, startRestDoors } from '../../mocks/rest-door/index.ts'
import { fill, smallDisk, unmountAll } from './disk.ts'
import { cleanUp, endAll, Program, rowsIn, until } from './program.ts'
import { Sink } from './sink.ts'

/** Promises 1 and 2, and nobody is locked in: what a bridge did without a disk before it was killed is known to its next life. */
const password = 'correct horse'
let sink: Sink
let doors: RestDoors<'LOBBY'>

beforeEach(async () => {
  sink = await Sink.start()
  doors = await startRestDoors({ username: 'bridge', password, doors: { LOBBY: { schedule: 'Unlocked' } } })
})

afterEach(async () => {
  await endAll()
  unmountAll()
  await cleanUp()
  await Promise.all([sink.close(), doors.close()])
})

const site = () => ({
  site: { name: 'Killed', timezone: 'UTC' },
  api: { listen: '127.0.0.1:0' },
  places: { house: { level: 'building', in: { lobby: { level: 'zone' } } } },
  connectors: {
    texts: { type: 'http', url: sink.url, requests: { 'page.send': {} } },
    // Nobody is at port 9: presses come by the API.
    panel: { type: 'modbus', host: '127.0.0.1', port: 9 },
    doors: {
      type: 'http',
      profile: 'axis-door',
      url: `http://127.0.0.1:${doors.port}`,
      auth: { digest: { username: 'bridge', password: { env: 'DOOR_PASSWORD' } } },
    },
  },
  devices: {
    calm: { connector: 'panel', input: { discrete: 0 }, place: 'house' },
    button: { connector: 'panel', input: { discrete: 1 }, place: 'house/lobby', kind: 'weapon' },
    door: {
      connector: 'doors',
      output: { values: { token: 'LOBBY' } },
      guards: ['house/lobby'],
      egress: 'free',
      fire: 'none',
    },
  },
  responders: { security: { page: { connector: 'texts', perceptible: 'none' } } },
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

test('its pages say that they may be repeats, and the door that it locked is released when the incident is over', async () => {
  const dir = smallDisk('24m')
  const program = await new Program(site(), { dir, env: { DOOR_PASSWORD: password } }).start()
  await Promise.all([program.link('texts'), program.link('doors')])
  const calm = await program.press('calm')
  expect(await program.receipt(calm, 'page.send', 'security')).toMatchObject({ end: 'done' })
  await until('it does not record', async () => {
    fill(dir)
    await program.post('/v1/presses', { from: 'somebody else' })
    return (await program.get('/readyz')).body.recording === false
  })

  const answer = await program.post('/v1/presses', { device: 'button' })
  expect(answer.status).toBe(503)
  const weapon = await until('it pages', () => sink.all.find(({ message }) => message.kind === 'weapon'))
  await until('the door is locked', () => doors.doors.LOBBY.mode === 'LockedDown')
  // Resolved without a disk as well: nobody must hear of it twice as if it were news.
  const resolved = await program.post(`/v1/incidents/${calm}/resolve`, { as: 'false-alarm' })
  expect(resolved.status).toBe(503)
  await until('all is said', () => sink.all.some(({ message }) => message.about === 'stand-down'))
  await program.kill()
  const before = sink.all.length
  const { incident, number } = weapon.message

  rmSync(join(dir, 'filler'))
  await program.start()
  const again = () => sink.all.slice(before)
  await until('it is told again', () => again().some(({ id }) => id === weapon.id))
  await until('the end is told again', () => again().some(({ message }) => message.about === 'stand-down'))
  for (const { message } of again()) expect(message.possibleRepeat).toBe(true)
  // What was on record as done stays done.
  expect(again().filter(({ message }) => message.incident === calm && message.about === 'press')).toEqual([])
  // The incident is known, under its number and its id, and so is its lock.
  expect((await program.incident(incident)).incident).toMatchObject({ number, resolved: null })
  expect((await program.get('/v1/doors')).body).toMatchObject({ doors: [{ holds: [{ mode: 'lockdown' }] }] })
  expect(doors.doors.LOBBY.mode).toBe('LockedDown')
  const other = await program.press('calm', { kind: 'medical' })
  expect((await program.incident(other)).incident.number).toBeGreaterThan(number)

  expect((await program.post(`/v1/incidents/${incident}/resolve`, { as: 'false-alarm' })).status).toBe(200)
  await until('the door is free', () => doors.doors.LOBBY.mode === 'Unlocked')
  await program.end()
  const entries = rowsIn(storeFiles(program.data).at(-1) as string, 'SELECT payload FROM trail').flatMap(
    ({ payload }) => entriesIn(payload) as any[],
  )
  const told = entries.filter(({ what }) => what === 'unrecorded')
  expect(told.map((entry) => entry.incident)).toEqual(expect.arrayContaining([calm, incident]))
  expect(told.every(({ isWhole }) => isWhole)).toBe(true)
}, 120_000)
