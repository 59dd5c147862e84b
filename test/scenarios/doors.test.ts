import { afterEach, describe, expect, it } from 'vitest'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** safety.md, "Doors". */

let hospital: Hospital
afterEach(() => hospital.close())

const lock = async () => {
  const { incident } = await hospital.press('lobby-button')
  await hospital.advance(100)
  return incident as string
}

it('a weapon press locks the lobby down, and the hold is written before the first attempt', async () => {
  hospital = await Hospital.open()
  await lock()
  expect(hospital.world.doors.get('door-lobby')).toBe('lockdown')
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'done', proof: 'confirmed' })
  const held = hospital.told.findIndex((entry) => entry.what === 'hold')
  const done = hospital.told.findIndex((entry) => entry.what === 'receipt' && entry.target === 'door-lobby')
  expect(held).toBeGreaterThanOrEqual(0)
  expect(held).toBeLessThan(done)
})

it('the hold ends by itself, and the door goes back to what it was', async () => {
  hospital = await Hospital.open()
  hospital.world.doors.set('door-lobby', 'unlocked')
  await hospital.advance(10_500)
  await lock()
  await hospital.advance(901_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('unlocked')
  expect(hospital.machine.doors.liveHolds()).toEqual([])
})

it('resolving the incident releases the door', async () => {
  hospital = await Hospital.open()
  const incident = await lock()
  await hospital.resolve(incident)
  await hospital.advance(500)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it("an operator's release is not undone by a later step or press", async () => {
  hospital = await Hospital.open()
  const incident = await lock()
  await hospital.does(incident, 'released')
  await hospital.advance(500)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
  await hospital.does(incident, 'acknowledged')
  await hospital.press('lobby-button')
  await hospital.advance(60_000)
  expect(hospital.acts('door.lockdown')).toHaveLength(1)
})

it('a lock that worked is withdrawn even when a later one, which never worked, was the last to want it', async () => {
  hospital = await Hospital.open(mercy.replace('limit: 15m', 'limit: 1m'))
  const incident = await lock()
  await hospital.does(incident, 'acknowledged')
  await hospital.advance(50_000)
  hospital.world.behaves('door-lobby', 'refuses')
  await hospital.press('lobby-button')
  await hospital.advance(25_000)
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'expired', effect: 'none' })
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(10_000)
  expect(hospital.machine.doors.liveHolds()).toEqual([])
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it('a lock that could not be sent in time is never sent late', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('door-lobby', 'refuses')
  await lock()
  await hospital.advance(20_000)
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(60_000)
  expect(hospital.acts('door.lockdown')).toEqual([])
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'expired', effect: 'none' })
  expect(hospital.machine.doors.liveHolds()).toEqual([])
})

it('locks expire by the wall clock too', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('door-lobby', 'refuses')
  await lock()
  hospital.clock.stepWall(60_000)
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(5_000)
  expect(hospital.acts('door.lockdown')).toEqual([])
  expect(hospital.receipt('door.lockdown', 'door-lobby')?.end).toBe('expired')
})

it('a lock that times out and lands late is released, and read again', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('door-lobby', { landsAfterMs: 22_000 })
  await lock()
  await hospital.advance(20_500)
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ effect: 'possible' })
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(60_000)
  expect(hospital.acts('door.lockdown').length, 'it did land').toBeGreaterThan(0)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
  expect(hospital.machine.doors.view('door-lobby').holds).toEqual([])
})

it('an attempt whose effect is unknown counts as having worked: its hold ends in a release', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('door-lobby', 'hangs')
  const incident = await lock()
  await hospital.advance(2_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('lockdown')
  await hospital.resolve(incident)
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(20_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it('a lock that turns out to have worked is confirmed by the next reading', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('door-lobby', 'hangs')
  await lock()
  await hospital.advance(15_000)
  expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'done' })
  expect(hospital.machine.doors.view('door-lobby').holds[0]?.confirmed).toBe(true)
})

it('a release never gives up', async () => {
  hospital = await Hospital.open()
  const incident = await lock()
  hospital.world.behaves('door-lobby', 'never')
  await hospital.resolve(incident)
  await hospital.advance(48 * 3_600_000)
  expect(hospital.receipt('door.release', 'door-lobby')).toBeUndefined()
  hospital.world.behaves('door-lobby', 'well')
  await hospital.advance(10_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
  expect(hospital.receipt('door.release', 'door-lobby')?.end).toBe('done')
})

it('two incidents hold one door: it is released when the second ends', async () => {
  hospital = await Hospital.open()
  const first = await lock()
  await hospital.advance(600_001)
  const second = await lock()
  expect(second).not.toBe(first)
  await hospital.resolve(first)
  await hospital.advance(10_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('lockdown')
  await hospital.resolve(second)
  await hospital.advance(10_000)
  expect(hospital.world.doors.get('door-lobby')).toBe('locked')
})

it('a door that is locked down by somebody else is a fault, and left alone', async () => {
  hospital = await Hospital.open()
  hospital.world.doors.set('door-lobby', 'lockdown')
  await hospital.advance(11_000)
  expect(hospital.machine.faults.open().map(({ what }) => what)).toContain(
    'door-lobby is locked down, and not by the bridge',
  )
  expect(hospital.acts('door.release')).toEqual([])
})

it('a door that opens while it is held is a fault', async () => {
  hospital = await Hospital.open()
  await lock()
  hospital.world.doors.set('door-lobby', 'unlocked')
  await hospital.advance(6_000)
  expect(hospital.machine.faults.open().map(({ id }) => id)).toContain('door-unexpected:door-lobby')
})

it('a location older than 2 min uses the plan for unknown places and drives no door', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l1/lobby', 'zone', 121_000, 'weapon')
  await hospital.advance(30_000)
  expect(hospital.incident(incident).plan).toBe('anything')
  expect(hospital.incident(incident).location).toMatchObject({ from: 'last-known' })
  expect(hospital.acts('door.lockdown')).toEqual([])
})

describe('fire wins, and unknown fire is fire', () => {
  it('fire active: no lock', async () => {
    hospital = await Hospital.open()
    hospital.fire({ active: true, quality: 'good' })
    await lock()
    await hospital.advance(30_000)
    expect(hospital.acts('door.lockdown')).toEqual([])
    expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({ end: 'suppressed', why: 'fire' })
  })

  it('fire input never read: no lock', async () => {
    hospital = await Hospital.open(undefined, { fire: false })
    await hospital.advance(60_000)
    await lock()
    await hospital.advance(30_000)
    expect(hospital.acts('door.lockdown')).toEqual([])
    expect(hospital.receipt('door.lockdown', 'door-lobby')?.why).toBe('fire state unknown')
  })

  it('fire input silent for longer than its limit: no lock', async () => {
    hospital = await Hospital.open()
    hospital.fire(null)
    await hospital.advance(20_000)
    await lock()
    expect(hospital.acts('door.lockdown')).toEqual([])
    expect(hospital.receipt('door.lockdown', 'door-lobby')?.why).toBe('fire state unknown')
  })

  it('right after a start the lock waits for the first reading, no longer', async () => {
    hospital = await Hospital.open(undefined, { fire: false })
    await lock()
    expect(hospital.acts('door.lockdown')).toEqual([])
    hospital.noFire()
    await hospital.advance(1_500)
    expect(hospital.acts('door.lockdown')).toHaveLength(1)
  })

  it('a lock that waits for a reading which never comes is suppressed', async () => {
    hospital = await Hospital.open(undefined, { fire: false })
    await lock()
    await hospital.advance(10_000)
    expect(hospital.acts('door.lockdown')).toEqual([])
    expect(hospital.receipt('door.lockdown', 'door-lobby')).toMatchObject({
      end: 'suppressed',
      why: 'fire state unknown',
    })
  })

  it('fire during a hold releases the door, and it is not locked again when the fire is over', async () => {
    hospital = await Hospital.open()
    await lock()
    hospital.fire({ active: true, quality: 'good' })
    await hospital.advance(500)
    expect(hospital.world.doors.get('door-lobby')).toBe('locked')
    hospital.noFire()
    await hospital.advance(60_000)
    expect(hospital.acts('door.lockdown')).toHaveLength(1)
  })

  it('fire during a lock in flight queues the release behind it', async () => {
    hospital = await Hospital.open()
    hospital.world.behaves('door-lobby', 'hangs')
    await lock()
    hospital.fire({ active: true, quality: 'good' })
    await hospital.advance(0)
    hospital.world.behaves('door-lobby', 'well')
    await hospital.advance(10_000)
    expect(hospital.acts('door.lockdown')).toHaveLength(1)
    expect(hospital.world.doors.get('door-lobby')).toBe('locked')
  })
})
