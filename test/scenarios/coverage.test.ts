import { afterEach, expect, it } from 'vitest'
import { type Gap, gapsOf } from '../../core/location/coverage.ts'
import { scoreOf } from '../../core/location/walk.ts'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** Verified coverage: gaps are findings (safety.md, "Location, honestly"). */

let hospital: Hospital
afterEach(() => hospital.close())

const gaps = (incidents: string[] = []): Gap[] => {
  const { site, coverage, assignments } = hospital.machine
  return gapsOf(site, { counts: coverage.counts(), assignments: assignments.all().values(), incidents })
}
const of = (what: Gap['what'], among = gaps()) =>
  among.filter((gap) => gap.what === what).map(({ place }) => place)

it('a unit without any device is a gap', async () => {
  hospital = await Hospital.open(
    mercy.replace(
      'security: { level: room, name: Security office }',
      'security: { level: room }\n          clinic: { level: unit }',
    ),
  )
  expect(of('no-device')).toEqual(['north/l1/clinic'])
})

it('a room that must be located by room, and is only by its unit, is a gap', async () => {
  hospital = await Hospital.open(
    mercy.replace(
      'triage-5-button: { connector: wire, input: { id: b2 }, place: north/l2/ed/triage-5 }',
      'ed-button: { connector: wire, input: { id: b2 }, place: north/l2/ed }',
    ),
  )
  expect(of('not-exact')).toEqual(['north/l2/ed/ed-hall', 'north/l2/ed/triage-5'])
})

it('a room where badges are not seen again is counted, and no badge is named', async () => {
  hospital = await Hospital.open()
  for (let round = 0; round < 3; round++) {
    await hospital.seen('badge-1', 'north/l2/ed/triage-5')
    await hospital.advance(20 * 60_000)
    await hospital.seen('badge-1', 'north/l1/lobby', 'zone')
    await hospital.advance(1_000)
  }
  const found = gaps().filter(({ what }) => what === 'unseen')
  expect(found.map(({ words }) => words)).toEqual([
    'north/l2/ed/triage-5: badges were not seen again 3 times of 3',
  ])
  await hospital.advance(3_600_000)
  const stored = JSON.stringify(hospital.machine.register.rows().filter(({ kind }) => kind === 'coverage'))
  expect(stored).toContain('triage-5')
  expect(stored).not.toContain('badge-1')
})

it('a role of which nobody carries a device is a gap, until somebody does', async () => {
  hospital = await Hospital.open(`${mercy}\npeople: { roles: [nurse, porter] }`)
  const assign = (person: string, role: string) =>
    hospital.machine.assignments.set(
      'badge-2',
      { person, role, since: hospital.clock.now(), until: null, by: 'desk' },
      'desk',
    )
  await hospital.settled(assign('A', 'Nurse'))
  expect(
    gaps()
      .filter(({ what }) => what === 'no-role')
      .map(({ words }) => words),
  ).toEqual(['nobody who is porter carries a device'])
})

it('incidents where there is no device are a gap', async () => {
  hospital = await Hospital.open()
  const among = gaps(['north/l1/gift-shop', 'north/l1/gift-shop', 'north/l2/ed/triage-2'])
  expect(of('incident-without-device', among)).toEqual(['north/l1/gift-shop'])
})

it('a location walk scores a unit: expected against reported place, and how long it took', async () => {
  hospital = await Hospital.open()
  const { locationWalks, site } = hospital.machine
  const id = 'walk-1'
  locationWalks.begin({ id, device: 'badge-1', unit: 'north/l2/ed', by: 'tester' })
  const stand = async (place: string, reported: string, afterMs: number) => {
    locationWalks.tap(id, place)
    await hospital.advance(afterMs)
    await hospital.seen('badge-1', reported)
    await hospital.advance(5_000)
  }
  await stand('north/l2/ed/triage-2', 'north/l2/ed/triage-2', 1_200)
  await stand('north/l2/ed/triage-5', 'north/l2/ed/ed-hall', 800)
  const walk = locationWalks.end(id, 'tester')!
  expect(scoreOf(site, walk)).toEqual({
    rooms: 2,
    right: 1,
    lagMs: 1_200,
    wrong: [{ place: 'north/l2/ed/triage-5', reported: 'north/l2/ed/ed-hall' }],
    missing: ['north/l2/ed/ed-hall'],
  })
  expect(locationWalks.ended()).toHaveLength(1)
})
