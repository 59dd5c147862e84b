import { afterEach, expect, it } from 'vitest'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** safety.md, "Who is told, until somebody comes". */

let hospital: Hospital
afterEach(() => hospital.close())

const about = (page: { args: { message: { about: string } } }) => page.args.message.about

it('pages security at once and the supervisor after 30 s', async () => {
  hospital = await Hospital.open()
  await hospital.press('triage-2-button')
  await hospital.advance(0)
  expect(hospital.pages('p1')).toHaveLength(1)
  await hospital.advance(29_900)
  expect(hospital.pages('p2')).toHaveLength(0)
  await hospital.advance(200)
  expect(hospital.pages('p2').map(about)).toEqual(['escalation'])
})

it('an acknowledgement stops the escalation that a step marks, and nothing else', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'refuses')
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(1_000)
  await hospital.does(incident as string, 'acknowledged')
  hospital.world.behaves('p1', 'well')
  await hospital.advance(40_000)
  expect(hospital.pages('p1')).toHaveLength(1)
  expect(hospital.pages('p2')).toHaveLength(0)
})

it('an escalation that waits for its pager is taken back by the acknowledgement', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  hospital.world.behaves('p2', 'refuses')
  await hospital.advance(31_000)
  await hospital.does(incident as string, 'acknowledged')
  hospital.world.behaves('p2', 'well')
  await hospital.advance(30_000)
  expect(hospital.pages('p2')).toHaveLength(0)
  expect(hospital.receipt('page.send', 'supervisor')).toMatchObject({ end: 'cancelled', effect: 'none' })
})

it('acknowledged but nobody on the scene within the target time escalates again', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(10_000)
  await hospital.does(incident as string, 'acknowledged')
  await hospital.advance(79_000)
  expect(hospital.pages('p2')).toHaveLength(0)
  await hospital.advance(1_100)
  expect(hospital.pages('p2').map(about)).toEqual(['overdue'])
})

it('on the scene in time, nothing escalates', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(10_000)
  await hospital.does(incident as string, 'acknowledged')
  await hospital.advance(60_000)
  await hospital.does(incident as string, 'on-scene')
  await hospital.advance(600_000)
  expect(hospital.pages('p2')).toHaveLength(0)
})

it('a decline moves on to the next person at once', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(5_000)
  await hospital.does(incident as string, 'declined')
  await hospital.advance(0)
  expect(hospital.pages('p2')).toHaveLength(1)
  await hospital.advance(60_000)
  expect(hospital.pages('p2')).toHaveLength(1)
})

it('declined with nobody left, those of the first step hear it again', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.does(incident as string, 'declined', 'A. Guard')
  await hospital.does(incident as string, 'declined', 'B. Supervisor')
  await hospital.advance(0)
  expect(hospital.pages('p1')).toHaveLength(2)
})

it('who acknowledged and then declines is replaced at once', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.does(incident as string, 'acknowledged', 'A. Guard')
  await hospital.does(incident as string, 'declined', 'B. Guard')
  await hospital.advance(0)
  expect(hospital.pages('p2'), 'somebody else is coming').toEqual([])
  await hospital.does(incident as string, 'declined', 'A. Guard')
  await hospital.advance(0)
  expect(hospital.pages('p2')).toHaveLength(1)
})

it('a press by another person starts the first step again', async () => {
  hospital = await Hospital.open()
  const first = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(5_000)
  const second = await hospital.badge('badge-2', 'north/l2/ed/triage-2')
  await hospital.advance(0)
  expect(second.incident).toBe(first.incident)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'again'])
  await hospital.advance(25_100)
  expect(hospital.pages('p2'), 'the escalation of the first press is not put off').toHaveLength(1)
})

it('the same person pressing again before anybody answers sends nothing twice', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(2_000)
  const again = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(0)
  expect(again.duplicate).toBe(false)
  expect(hospital.pages('p1')).toHaveLength(1)
})

it('any press after the acknowledgement starts the first step again, and waits for a new acknowledgement', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(5_000)
  await hospital.does(incident as string, 'acknowledged')
  await hospital.advance(5_000)
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(0)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'again'])
  expect(hospital.incident(incident).acknowledged).toBeNull()
  await hospital.advance(30_100)
  expect(hospital.pages('p2')).toHaveLength(1)
})

it('a caller who takes it back is shown as such and stops nothing', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(2_000)
  await hospital.press('badge-1', { phase: 'restored' })
  await hospital.advance(30_000)
  expect(hospital.incident(incident).takenBack).not.toBeNull()
  expect(hospital.pages('p2')).toHaveLength(1)
  expect(hospital.pages('p2')[0]?.args.message.notes).toContain('taken back by the caller, coerced?')
})

it('an unknown badge in an unknown place still summons help, and is a fault', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press(null, { from: 'badge 0117, near gateway ED-4' })
  await hospital.advance(0)
  expect(hospital.incident(incident).plan).toBe('anything')
  expect(hospital.pages('p1')[0]?.args.message).toMatchObject({
    source: 'badge 0117, near gateway ED-4',
    where: { place: null },
  })
  expect(hospital.machine.faults.open().map(({ what }) => what)).toContain(
    'unknown source: badge 0117, near gateway ED-4',
  )
})

it.each([
  ['double', 'weapon'],
  ['long', 'assist'],
  ['nine times', 'duress'],
] as const)('the press pattern "%s" means %s; unmapped is duress', async (pattern, kind) => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('badge-1', { pattern })
  expect(hospital.incident(incident).kind).toBe(kind)
})

it('an incident forgotten open does not swallow the press of the next shift', async () => {
  hospital = await Hospital.open()
  const first = await hospital.press('triage-2-button')
  await hospital.advance(600_000 + 1)
  const second = await hospital.press('triage-2-button')
  expect(second.incident).not.toBe(first.incident)
})

it('an unresolved incident reminds, until it is resolved', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.does(incident as string, 'on-scene')
  await hospital.advance(3 * 1_800_000 + 1_000)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'reminder', 'reminder', 'reminder'])
  await hospital.resolve(incident as string)
  await hospital.advance(2 * 1_800_000)
  expect(hospital.pages('p1').map(about).slice(4)).toEqual(['stand-down'])
})

it('two persons of whom only the unit is known never join', async () => {
  hospital = await Hospital.open()
  const first = await hospital.badge('badge-1', 'north/l2/ed', 'unit')
  const second = await hospital.badge('badge-2', 'north/l2/ed', 'unit')
  expect(second.incident).not.toBe(first.incident)
})

it('a drill and a real press never join', async () => {
  hospital = await Hospital.open()
  const drill = await hospital.press('triage-2-button', { drill: true })
  const real = await hospital.press('triage-2-button')
  expect(real.incident).not.toBe(drill.incident)
  await hospital.advance(0)
  expect(hospital.pages('p1').map(({ args }) => args.message.drill)).toEqual([true, false])
})

it('a simulated press is recorded and never dispatched', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button', { simulated: true })
  await hospital.advance(60_000)
  expect(incident).toBeNull()
  expect(hospital.world.acts).toEqual([])
  expect(hospital.told.some((entry) => entry.what === 'press' && entry.simulated)).toBe(true)
})

it('a weapon press says that nobody goes in unarmed', async () => {
  hospital = await Hospital.open()
  await hospital.press('lobby-button')
  await hospital.advance(0)
  expect(hospital.pages('p1')[0]?.args.message.notes).toContain('WEAPON: do not enter unarmed')
})

it('a hold-up: the monitoring centre is told at 0 s', async () => {
  hospital = await Hospital.open()
  await hospital.press('till-button')
  await hospital.advance(0)
  expect(hospital.acts('event.send', 'centre')).toHaveLength(1)
})

it('everybody who was told hears that it is over; who was not is left alone', async () => {
  hospital = await Hospital.open()
  const { incident } = await hospital.press('triage-2-button')
  await hospital.advance(10_000)
  await hospital.resolve(incident as string, 'false-alarm')
  await hospital.advance(60_000)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'stand-down'])
  expect(hospital.pages('p2')).toEqual([])
})

it('a chattering button is counted, not planned; the first press of a minute is always taken', async () => {
  hospital = await Hospital.open()
  const all = Promise.all(Array.from({ length: 40 }, () => hospital.press('triage-2-button')))
  await hospital.advance(1_100)
  const answers = await all
  expect(answers[0]).toMatchObject({ duplicate: false })
  expect(hospital.told.filter(({ what }) => what === 'press')).toHaveLength(10)
  expect(hospital.told.filter(({ what }) => what === 'summary')).toMatchObject([{ count: 30 }])
  expect((await hospital.press('triage-5-button')).duplicate).toBe(false)
})

it('a repeat of the same fact gets the same answer and sends nothing twice', async () => {
  hospital = await Hospital.open()
  const first = await hospital.press('triage-2-button', { key: 'k1' })
  const again = await hospital.press('triage-2-button', { key: 'k1' })
  await hospital.advance(0)
  expect(again).toEqual({ ...first, duplicate: true })
  expect(hospital.pages('p1')).toHaveLength(1)
})

it('a move is told to those who know of the incident: "now in ED hall"', async () => {
  hospital = await Hospital.open()
  await hospital.badge('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(3_000)
  await hospital.seen('badge-1', 'north/l2/ed/ed-hall', 'zone')
  await hospital.advance(0)
  expect(hospital.pages('p1').map(about)).toEqual(['press', 'moved'])
  expect(hospital.pages('p1')[1]?.args.message.where.place).toBe('north/l2/ed/ed-hall')
})

it('one bad channel hides no other: a pager that does not exist fails, the rest goes on', async () => {
  hospital = await Hospital.open()
  hospital.world.behaves('p1', 'never')
  await hospital.press('lobby-button')
  await hospital.advance(1_000)
  expect(hospital.receipt('page.send', 'security')?.end).toBe('failed')
  expect(hospital.receipt('page.send', 'supervisor')?.end).toBe('done')
})

it('a relay with a limit is set back in time', async () => {
  hospital = await Hospital.open()
  await hospital.press(null)
  await hospital.advance(60_000)
  expect(hospital.acts('relay.set').map(({ args }) => args.on)).toEqual([true])
  await hospital.advance(10_100)
  expect(hospital.acts('relay.set').map(({ args }) => args.on)).toEqual([true, false])
})

it('a page that could not be sent still goes, and knows when it was due', async () => {
  hospital = await Hospital.open(mercy)
  hospital.world.behaves('p1', 'refuses')
  await hospital.press('triage-2-button')
  const due = hospital.clock.now()
  await hospital.advance(120_000)
  hospital.world.behaves('p1', 'well')
  await hospital.advance(1_000)
  expect(hospital.pages('p1')).toHaveLength(1)
  expect(hospital.pages('p1')[0]?.args.message.dueAt).toBe(due)
})
