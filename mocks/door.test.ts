import { expect, test } from 'vitest'
import { Door, type DoorMode, type DoorOperation } from './door.ts'

const everything = {
  Access: true,
  Lock: true,
  Unlock: true,
  Block: true,
  DoubleLock: true,
  LockDown: true,
  LockOpen: true,
}

test.each<[DoorMode, DoorOperation, DoorMode]>([
  ['Unlocked', 'LockDoor', 'Locked'],
  ['Locked', 'UnlockDoor', 'Unlocked'],
  ['Locked', 'BlockDoor', 'Blocked'],
  ['Locked', 'DoubleLockDoor', 'DoubleLocked'],
  ['Blocked', 'LockDownDoor', 'LockedDown'],
  ['LockedDown', 'LockDownDoor', 'LockedDown'],
  ['Unlocked', 'LockOpenDoor', 'LockedOpen'],
  ['LockedDown', 'LockDownReleaseDoor', 'Unlocked'],
  ['LockedOpen', 'LockOpenReleaseDoor', 'Unlocked'],
])('a %s door does %s and is %s', (from, operation, to) => {
  const door = new Door('D', { schedule: 'Unlocked', capabilities: everything })
  door.become(from)
  expect([door.command(operation), door.mode]).toEqual(['done', to])
})

test.each<[DoorMode, DoorOperation]>([
  ['LockedDown', 'UnlockDoor'],
  ['LockedDown', 'LockDoor'],
  ['LockedDown', 'AccessDoor'],
  ['LockedDown', 'LockOpenDoor'],
  ['LockedOpen', 'LockDoor'],
  ['LockedOpen', 'LockDownDoor'],
  ['Locked', 'LockDownReleaseDoor'],
  ['Locked', 'LockOpenReleaseDoor'],
  ['Blocked', 'AccessDoor'],
])('a %s door fails %s', (from, operation) => {
  const door = new Door('D', { schedule: 'Unlocked', capabilities: everything })
  door.become(from)
  expect([door.command(operation), door.mode]).toEqual(['failed', from])
})

test('some systems answer success in lockdown and ignore the command; a release out of lockdown still fails', () => {
  const door = new Door('D', { schedule: 'Locked', ignoresWhileHeld: true })
  door.command('LockDownDoor')
  expect([door.command('UnlockDoor'), door.mode]).toEqual(['done', 'LockedDown'])
  door.command('LockDownReleaseDoor')
  expect(door.command('LockDownReleaseDoor')).toBe('failed')
})

test('an access ends by itself, but not a lockdown that came in between', async () => {
  const door = new Door('D', { schedule: 'Locked' })
  door.command('AccessDoor', 10)
  expect(door.mode).toBe('Accessed')
  await door.expect('Locked')
  door.command('AccessDoor', 10)
  door.command('LockDownDoor')
  await expect(door.expect('Locked', { withinMs: 50 })).rejects.toThrow(/it was .*Accessed, LockedDown$/)
})

test('scripts hold for an operation and a number of times, the newest first', () => {
  const door = new Door('D', { schedule: 'Unlocked' })
  door.refuses()
  door.sticks({ only: 'LockDoor', times: 1 })
  expect([door.command('UnlockDoor'), door.command('LockDoor'), door.command('LockDoor')]).toEqual([
    'failed',
    'done',
    'failed',
  ])
  expect(door.mode).toBe('Unlocked')
  door.obeys()
  expect([door.command('LockDoor'), door.mode]).toEqual(['done', 'Locked'])
})

test('what is to land late lands after the door obeys again, without an answer where told', async () => {
  const door = new Door('D', { schedule: 'Unlocked' })
  door.landsLate(20, { answers: 'nothing' })
  expect(door.command('LockDownDoor')).toBe('silent')
  door.obeys()
  expect(door.mode).toBe('Unlocked')
  await door.expect('LockedDown')
  door.close()
})
