import { afterEach, expect, test } from 'vitest'
import { type OnvifDoors, startOnvifDoors } from '../../mocks/onvif-door/index.ts'
import { account } from './fixtures/dial.ts'
import { Reopened } from './fixtures/reopened.ts'

const quick = { timeout: '400ms', poll: '1s' }
const all = { DoorMonitor: true, LockMonitor: true, Lock: true, Alarm: true, Tamper: true, Fault: true }

let doors: OnvifDoors<'ED-W'>
let heard: Reopened

afterEach(async () => {
  await heard.stop()
  await doors.close()
})

const listen = async (inputs: Record<string, object>, outputs: Record<string, object> = {}) => {
  doors = await startOnvifDoors({
    ...account,
    doors: { 'ED-W': { schedule: 'Locked', capabilities: all } },
    accessPoints: { 'ED-W-IN': { name: 'ED west, outside' }, 'ED-W-OUT': { duress: false } },
  })
  heard = await Reopened.open({ url: doors.url, inputs, outputs, config: quick })
}

const probe = (address: null) => heard.link?.probe?.(address, new AbortController().signal)
const miller = { credential: 'card-4711', holder: 'A. Miller', reason: 'PIN' }

test('a duress code is a press, and nothing personal is kept of it', async () => {
  await listen({ keypad: { 'access-point': 'ED-W-IN' } })
  expect(heard.state('keypad').quality).toBe('good')
  doors.duress('ED-W-IN', miller)
  doors.duress('ED-W-IN', miller)
  await expect.poll(() => heard.told).toEqual(['keypad active', 'keypad active'])
  const [press] = heard.presses('keypad')
  expect(press).toMatchObject({ from: expect.stringContaining('duress code at access point ED-W-IN') })
  expect(press?.person).toBeUndefined()
  const said = JSON.stringify([heard.facts, heard.notes, heard.lines])
  expect(said).not.toMatch(/Miller|4711/)
  expect(said).toContain('PIN')
})

test('the name of the holder is kept where the config says so, the number of the card never', async () => {
  await listen({ keypad: { 'access-point': 'ED-W-IN', holders: 'name' } })
  doors.duress('ED-W-IN', miller)
  doors.duress('ED-W-IN')
  await expect
    .poll(() => heard.presses('keypad').map(({ person }) => person))
    .toEqual(['A. Miller', undefined])
  expect(JSON.stringify([heard.facts, heard.lines])).not.toContain('4711')
})

test('a duress code where nobody configured an access point is a call all the same', async () => {
  await listen({ keypad: { 'access-point': 'ED-W-IN' } })
  doors.duress('ED-E-IN')
  await expect
    .poll(() => heard.presses(null))
    .toMatchObject([{ from: expect.stringMatching(/duress code at access point ED-E-IN of 127/) }])
  for (let count = 0; count < 150; count++) doors.duress(`made-up-${count}`)
  await expect.poll(() => heard.presses(null).length, { timeout: 5_000 }).toBe(151)
})

test('a door that is forced, held open, tampered with or broken is a trouble, and its end is told', async () => {
  await listen({ door: { door: 'ED-W' } })
  const door = doors.doors['ED-W']
  expect(heard.state('door').quality).toBe('good')
  door.forced()
  door.heldOpen()
  door.closed()
  door.tampered()
  door.tampered(false)
  door.faulted()
  door.become('Unlocked')
  door.faulted(false)
  await expect
    .poll(() => heard.told)
    .toEqual([
      'door forced active',
      'door forced restored',
      'door held-open active',
      'door held-open restored',
      'door tamper active',
      'door tamper restored',
      'door fault active',
      'door fault restored',
    ])
})

test('a trouble that began or ended while we were away is told when we are back', async () => {
  await listen({ door: { door: 'ED-W' } })
  const door = doors.doors['ED-W']
  await heard.stop()
  door.forced()
  await heard.start()
  await expect.poll(() => heard.told).toEqual(['door forced active'])
  await heard.stop()
  await heard.start()
  await heard.stop()
  door.closed()
  await heard.start()
  await expect.poll(() => heard.told).toEqual(['door forced active', 'door forced restored'])
})

test('one device may be commanded and heard', async () => {
  await listen({ 'ed-west': { door: 'ED-W' } }, { 'ed-west': { token: 'ED-W' } })
  expect(heard.state('ed-west').quality).toBe('good')
  doors.plays('PullMessages', 'fails')
  doors.plays('CreatePullPointSubscription', 'fails')
  await expect.poll(() => heard.state('ed-west').quality, { timeout: 5_000 }).toBe('unknown')
  // Opened again for its door, it still is unknown as far as events go: reading the door does not cover that up.
  await expect.poll(() => heard.opens > 1 && heard.link !== null, { timeout: 5_000 }).toBe(true)
  const notes = heard.notes.length
  await expect
    .poll(() => doors.journal.all.filter(({ what }) => what === 'GetDoorState').length, { timeout: 5_000 })
    .toBeGreaterThan(3)
  expect(heard.notes.slice(notes).filter(({ state }) => state.quality === 'good')).toEqual([])
})

test('a probe says what the device has of the inputs', async () => {
  await listen({ keypad: { 'access-point': 'ED-W-IN' }, door: { door: 'ED-W' } })
  expect(await probe(null)).toMatchObject({
    model: 'Mock door controller',
    inputs: {
      keypad: { 'access-point': 'ED-W-IN', event: true, name: 'ED west, outside', duress: true },
      door: { door: 'ED-W', event: true, tells: ['Alarm', 'Tamper', 'Fault'] },
    },
  })
})

test.each([
  [{ keypad: { 'access-point': 'ED-W-UP' } }, 'NOT_FOUND', 'it has ED-W-IN, ED-W-OUT'],
  [{ keypad: { 'access-point': 'ED-W-OUT' } }, 'UNSUPPORTED', 'knows no duress codes'],
  [{ door: { door: 'ED-E' } }, 'NOT_FOUND', 'has no door ED-E; it has ED-W'],
])('a probe of %j says what is wrong', async (inputs, code, message) => {
  await listen(inputs)
  await expect(probe(null)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
})
