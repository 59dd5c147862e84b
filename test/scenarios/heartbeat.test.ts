import { afterEach, expect, it } from 'vitest'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** Proven, not assumed (DESIGN.md, promise 8): a synthetic press every minute, and a relay that a dead bridge drops. */

let hospital: Hospital
afterEach(() => hospital.close())

const minute = 60_000
const beating = mercy
  .replace('  wire: { type: scripted }', '  wire: { type: scripted }\n  modem: { type: scripted }')
  .replace('responders:', 'responders:\n  it: { page: { connector: modem, id: p9, perceptible: none } }')
  .concat('\nsupervision: { maintenance: it, heartbeat: { to: [centre] } }\n')

const heartbeats = () => hospital.acts('relay.set', 'centre')
const fault = (id: string) => hospital.machine.faults.open().find((open) => open.id === id)

it('every 60 s a press goes through each link to an output that is observed', async () => {
  hospital = await Hospital.open(beating)
  await hospital.advance(10 * minute)
  // One for each of the two links.
  expect(heartbeats()).toHaveLength(20)
  expect(hospital.machine.faults.open().filter(({ id }) => id.startsWith('heartbeat'))).toEqual([])
})

it('it opens no incident, pages nobody and fills no trail', async () => {
  hospital = await Hospital.open(beating)
  await hospital.advance(minute)
  const told = hospital.told.length
  await hospital.advance(30 * minute)
  expect(hospital.told.slice(told)).toEqual([])
  expect(hospital.machine.book.size).toBe(0)
  expect(hospital.pages()).toEqual([])
})

it('two that do not come in page the administrators by another path', async () => {
  hospital = await Hospital.open(beating)
  await hospital.advance(5 * minute)
  hospital.world.beats = 'vanish'
  await hospital.advance(2 * minute)
  expect(fault('heartbeat:wire')).toBeUndefined()
  await hospital.advance(2 * minute)
  expect(fault('heartbeat:wire')?.what).toContain('sent, never heard again')
  expect(hospital.pages('p9').length).toBeGreaterThan(0)
  expect(JSON.stringify(hospital.pages('p9')[0]?.args)).toContain('heartbeat')
})

it('two whose output does not answer as well; when it answers again, that is over', async () => {
  hospital = await Hospital.open(beating)
  hospital.world.behaves('centre', 'refuses')
  await hospital.advance(4 * minute)
  expect(fault('heartbeat:wire')?.what).toContain('centre')
  hospital.world.behaves('centre', 'well')
  await hospital.advance(15 * minute)
  expect(fault('heartbeat:wire')).toBeUndefined()
})

it('one that is missed is nobody’s business', async () => {
  hospital = await Hospital.open(beating)
  await hospital.advance(minute)
  hospital.world.beats = 'vanish'
  await hospital.advance(minute)
  hospital.world.beats = 'come in'
  await hospital.advance(10 * minute)
  expect(hospital.pages('p9')).toEqual([])
})

it('what merely says that it is a heartbeat is a press like any other', async () => {
  hospital = await Hospital.open(beating)
  await hospital.advance(minute)
  const { incident } = await hospital.press('triage-2-button', { heartbeat: 'forged' })
  expect(hospital.incident(incident).devices).toEqual(['triage-2-button'])
})

it('the watchdog relay is held while the bridge lives, and dropped at its end', async () => {
  const watched = beating
    .replace(
      'strobe-lobby:',
      'watchdog: { connector: wire, output: { id: dog }, perceptible: none }\n  strobe-lobby:',
    )
    .replace('supervision: {', 'supervision: { watchdog: { relay: watchdog },')
  hospital = await Hospital.open(watched)
  await hospital.advance(30_000)
  const held = hospital.acts('relay.set', 'dog')
  expect(held).toHaveLength(6)
  expect(held.every(({ args }) => args.on === true)).toBe(true)
  hospital.world.behaves('dog', 'refuses')
  await hospital.advance(10_000)
  expect(fault('watchdog-relay')?.what).toContain('not held')
  hospital.world.behaves('dog', 'well')
  await Promise.all([hospital.machine.stop(), hospital.clock.advance(2_000)])
  expect(hospital.acts('relay.set', 'dog').at(-1)?.args).toEqual({ on: false })
})
