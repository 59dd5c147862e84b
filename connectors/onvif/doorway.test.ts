import { expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import type { DoorState } from './codec/input.ts'
import { Doorway } from './doorway.ts'
import { Reader } from './reader.ts'

const doorway = (cursor?: Json, session = 1) =>
  new Doorway({ device: 'ed-west', at: 'door ED-W of 10.0.8.2', session: () => session }, cursor)

const forced = (is: boolean | null): DoorState => ({ trouble: 'forced', sensor: 'DoorAlarm', is })
const fault = (sensor: string, is: boolean | null): DoorState => ({ trouble: 'fault', sensor, is })

test('a trouble is told when it begins and when it ends, once each', () => {
  const door = doorway()
  expect(door.known).toBe(false)
  expect(door.read([forced(false)], null, 1_000)).toEqual([])
  expect(door.known).toBe(true)
  const [began] = door.read([forced(true)], null, 2_000)
  expect(began).toMatchObject({ is: 'trouble', trouble: 'forced', phase: 'active', device: 'ed-west' })
  expect(door.read([forced(true)], null, 3_000)).toEqual([])
  expect(door.read([forced(null)], null, 3_500)).toEqual([])
  expect(door.read([forced(false)], null, 4_000)).toMatchObject([
    { phase: 'restored', key: `${began?.key}/restored` },
  ])
  // Within the same second, as told by a device that knows no less.
  expect(door.read([forced(true)], null, 2_000)).toMatchObject([{ phase: 'active' }])
})

test('over a restart it is told neither twice nor never', () => {
  const before = doorway()
  before.read([forced(true)], null, 1_000)
  const after = doorway(before.cursor, 2)
  expect(after.read([forced(true)], null, 9_000)).toEqual([])
  expect(after.read([forced(false)], null, 9_500)).toMatchObject([{ phase: 'restored' }])
})

test('a fault lasts until the last sensor says that it is over', () => {
  const door = doorway()
  expect(door.read([fault('DoorFault', true)], 'lock motor', 1_000)).toMatchObject([
    { trouble: 'fault', phase: 'active', words: 'lock motor' },
  ])
  expect(door.read([fault('LockPhysicalState', true)], null, 2_000)).toEqual([])
  expect(door.read([fault('DoorFault', false)], null, 3_000)).toEqual([])
  expect(door.read([fault('DoorPhysicalState', false)], null, 3_000)).toEqual([])
  expect(door.read([fault('LockPhysicalState', false)], null, 4_000)).toMatchObject([{ phase: 'restored' }])
})

test('two people at one reader within a second are two presses; the same message after a restart is the same', () => {
  const read = (reader: Reader) =>
    reader.read({ token: 'IN', holder: 'A. Miller', reason: null }, 5_000).map(({ key }) => key)
  const make = () =>
    new Reader({ device: 'keypad', at: 'IN of x', names: false, session: () => 1 }, undefined)
  const reader = make()
  const [one, two] = [...read(reader), ...read(reader)]
  expect(one).not.toBe(two)
  expect(read(make())).toEqual([one])
})
