import { afterEach, expect, it } from 'vitest'
import { fit as textFor } from '../../core/message/fit.ts'
import { Hospital } from '../simulation/hospital.ts'

/** safety.md, "Location, honestly". */

let hospital: Hospital
afterEach(() => hospital.close())

const text = (page: { at: number; args: any }): string =>
  textFor(page.args.message, { characters: 200, charset: 'unicode', now: page.at })

it('every message says where, how precise and from what', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed', 'unit', 30_000)
  await hospital.advance(0)
  const [page] = hospital.pages('p1')
  expect(page?.args.message.where).toMatchObject({ place: 'north/l2/ed', precision: 'unit', from: 'badge' })
  expect(text(page!)).toMatch(/unit only/)
  expect(text(page!)).toMatch(/30 s ago/)
})

it('claims no more than the source can tell: a gateway that knows the zone does not name the room', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2', 'zone')
  expect(hospital.incident(incident).location.precision).toBe('zone')
})

it('nor more than the place is: being in the unit is not being in a room', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed', 'room')
  expect(hospital.incident(incident).location.precision).toBe('unit')
})

it('older than two minutes reads "last seen", with the time', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2', 'room', 180_000)
  await hospital.advance(0)
  const [page] = hospital.pages('p1')
  expect(page?.args.message.where.from).toBe('last-known')
  expect(text(page!)).toMatch(/last seen \d\d:\d\d/)
})

it('a page that comes late tells the age at its send, not at its making', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'refuses')
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(90_000)
  hospital.world.behaves('p1', 'well')
  await hospital.advance(1_000)
  expect(text(hospital.pages('p1')[0]!)).toMatch(/9\d s ago/)
})

it('doubt about the floor names both', async () => {
  hospital = await Hospital.open()
  const at = hospital.clock.now()
  await hospital.press('badge-1', {
    sighting: {
      place: 'north/l2/ed/ed-hall',
      precision: 'zone',
      from: 'badge',
      at,
      orElse: ['north/l1/lobby'],
    },
  })
  await hospital.advance(0)
  expect(text(hospital.pages('p1')[0]!)).toMatch(/ED hall.*or.*Lobby/i)
})

it('an idle badge leaves no trace of where it was', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(5_000)
  expect(JSON.stringify(hospital.told)).not.toContain('triage-2')
  const rows = await hospital.settled(hospital.machine.store.trail(0, 100))
  expect(JSON.stringify(rows)).not.toContain('triage-2')
})

it('a press without a place of its own uses where the badge was seen last', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(20_000)
  const { incident } = await hospital.press('badge-1')
  expect(hospital.incident(incident).location).toMatchObject({ place: 'north/l2/ed/triage-2', from: 'badge' })
})

it('bouncing between two rooms is told once in five seconds, the first move at once', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  for (let n = 0; n < 8; n++) {
    await hospital.advance(1_000)
    await hospital.seen('badge-1', n % 2 ? 'north/l2/ed/triage-2' : 'north/l2/ed/triage-5')
  }
  await hospital.advance(0)
  expect(hospital.pages('p1').length).toBeLessThanOrEqual(3)
})
