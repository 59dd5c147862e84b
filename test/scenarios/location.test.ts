import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { fit as textFor } from '../../core/message/fit.ts'
import { Hospital, mercy } from '../simulation/hospital.ts'

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

const place = (page: { args: any } | undefined) => page?.args.message.where.place
const when = (page: { at: number } | undefined, since: number) => (page?.at ?? Number.NaN) - since

it('a press with a stale fix waits half a second for a fresher one, then goes', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(180_000)
  const pressed = hospital.clock.now()
  const recorded = hospital.press('badge-1')
  recorded.catch(() => {})
  await hospital.advance(499)
  expect(hospital.pages()).toHaveLength(0)
  await hospital.advance(1)
  expect(when(hospital.pages('p1')[0], pressed)).toBe(500)
  expect(text(hospital.pages('p1')[0]!)).toMatch(/last seen/)
})

it('a fix that comes within that half second is taken at once', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(180_000)
  const pressed = hospital.clock.now()
  hospital.press('badge-1').catch(() => {})
  await hospital.advance(200)
  await hospital.seen('badge-1', 'north/l2/ed/triage-5')
  await hospital.advance(0)
  expect(when(hospital.pages('p1')[0], pressed)).toBe(200)
  expect(place(hospital.pages('p1')[0])).toBe('north/l2/ed/triage-5')
})

it('a repeat that arrives while the press waits is the same press', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(180_000)
  const both = Promise.all([
    hospital.press('badge-1', { key: 'same' }),
    hospital.press('badge-1', { key: 'same' }),
  ])
  await hospital.advance(500)
  const [first, second] = await both
  expect(second).toEqual({ ...first, duplicate: true })
  expect(hospital.incident(first.incident).presses).toBe(1)
})

it('a press with a fresh fix, and one of a fixed button, wait for nothing', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.press('badge-1')
  await hospital.press('triage-5-button')
  expect(hospital.pages('p1')).toHaveLength(2)
})

it('while an incident is open the badge moves it: the first move goes out at once', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(100)
  await hospital.seen('badge-1', 'north/l2/ed/ed-hall', 'zone')
  await hospital.advance(0)
  expect(hospital.incident(incident).location.place).toBe('north/l2/ed/ed-hall')
  expect(hospital.pages('p1').map(place)).toEqual(['north/l2/ed/triage-2', 'north/l2/ed/ed-hall'])
})

it('the move after it is told within five seconds, even if the badge is not seen again', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.seen('badge-1', 'north/l2/ed/ed-hall', 'zone')
  await hospital.advance(1_000)
  await hospital.seen('badge-1', 'north/l2/ed/triage-5')
  await hospital.advance(5_000)
  expect(place(hospital.pages('p1').at(-1))).toBe('north/l2/ed/triage-5')
})

it('bouncing between two rooms is told once, not for a minute', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  for (let second = 0; second < 60; second += 2) {
    await hospital.seen('badge-1', second % 4 === 0 ? 'north/l2/ed/ed-hall' : 'north/l2/ed/triage-2')
    await hospital.advance(2_000)
  }
  expect(hospital.pages('p1').map(place)).toEqual(['north/l2/ed/triage-2', 'north/l2/ed/ed-hall'])
})

it('but who really went back is found there', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.seen('badge-1', 'north/l2/ed/ed-hall', 'zone')
  await hospital.advance(2_000)
  for (let second = 0; second < 12; second++) {
    await hospital.seen('badge-1', 'north/l2/ed/triage-2')
    await hospital.advance(1_000)
  }
  expect(hospital.incident(incident).location.place).toBe('north/l2/ed/triage-2')
})

it("an incident moves with the badge that pressed, not with a colleague's that pressed before", async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.badge('badge-2', 'north/l2/ed/triage-2')
  await hospital.seen('badge-1', 'north/l2/ed/triage-5')
  expect(hospital.incident(incident).location.place).toBe('north/l2/ed/triage-2')
  await hospital.seen('badge-2', 'north/l2/ed/ed-hall', 'zone')
  expect(hospital.incident(incident).location.place).toBe('north/l2/ed/ed-hall')
})

it('seen on two floors within seconds, both are named', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-1', 'north/l1/lobby', 'zone')
  await hospital.advance(4_000)
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(0)
  expect(text(hospital.pages('p1')[0]!)).toMatch(/ED Triage 2\? or Lobby/)
})

it('the minute before a press is stored with it; without a press nothing is', async () => {
  hospital = await Hospital.open()
  await hospital.seen('badge-2', 'north/l1/lobby', 'zone')
  await hospital.seen('badge-1', 'north/l1/security')
  await hospital.advance(30_000)
  await hospital.seen('badge-1', 'north/l1/lobby', 'zone')
  await hospital.advance(20_000)
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  const pressed = hospital.told.find((entry) => entry.what === 'press')
  expect(pressed?.trace?.map((stay) => stay.place)).toEqual([
    'north/l1/security',
    'north/l1/lobby',
    'north/l2/ed/triage-2',
  ])
  const stored = JSON.stringify(await hospital.machine.store.trail(1, 1_000))
  expect(stored).not.toContain('badge-2')
})

it('who carries a badge is told by its assignment; a stale one names nobody', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-location-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const unassigned = mercy.replace('input: { id: t2 }, person: nurse-2', 'input: { id: t2 }')
  hospital = await Hospital.open(
    `${unassigned}
people: { assignment: 12h }`,
    { dir },
  )
  const { assignments } = hospital.machine
  const since = hospital.clock.now()
  const assignment = { person: 'J. Ortiz', role: 'RN', since, until: null, by: 'desk' }
  await hospital.settled(assignments.set('badge-2', assignment, 'desk'))
  await hospital.restart()
  await hospital.badge('badge-2', 'north/l2/ed/triage-2')
  await hospital.advance(0)
  expect(text(hospital.pages('p1')[0]!)).toContain('by J. Ortiz (RN)')
  await hospital.advance(13 * 3_600_000)
  await hospital.badge('badge-2', 'north/l1/lobby', 'zone')
  await hospital.advance(0)
  expect(hospital.pages('p1').at(-1)?.args.message.who).toBeNull()
  hospital.machine.assignments.forget(hospital.clock.now())
  expect(JSON.stringify(hospital.machine.register.rows())).not.toContain('Ortiz')
})

it('a home visit says the address instead of a place', async () => {
  hospital = await Hospital.open()
  await hospital.press('badge-1', { address: '12 Oak St, flat 3' })
  await hospital.advance(0)
  expect(text(hospital.pages('p1')[0]!)).toMatch(/^DURESS at 12 Oak St, flat 3/)
})

it('a phone in the car park is located by its position, and outside of every place by coordinates', async () => {
  const outline = '[[41.8800, -87.6300], [41.8800, -87.6280], [41.8815, -87.6280], [41.8815, -87.6300]]'
  hospital = await Hospital.open(
    mercy.replace(
      'lobby: { level: zone,',
      `parking: { level: zone, outline: ${outline} }\n          lobby: { level: zone,`,
    ),
  )
  const at = hospital.clock.now()
  await hospital.press('badge-1', { position: { latitude: 41.8808, longitude: -87.629, accuracyM: 10, at } })
  await hospital.press('badge-2', { position: { latitude: 41.9, longitude: -87.7, accuracyM: 10, at } })
  await hospital.advance(0)
  expect(place(hospital.pages('p1')[0])).toBe('north/l1/parking')
  expect(text(hospital.pages('p1')[1]!)).toContain('GPS 41.90000 -87.70000 within 10 m')
})
