import { afterEach, expect, it } from 'vitest'
import { Hospital, mercy } from '../simulation/hospital.ts'

/** safety.md, "Silence". */

let hospital: Hospital
afterEach(() => hospital.close())

const silentAnything = mercy.replace(
  '  anything:\n    when: {}\n',
  '  anything:\n    when: {}\n    silent: true\n',
)

it('nothing perceptible happens at the place or next to it', async () => {
  hospital = await Hospital.open(silentAnything)
  await hospital.badge('badge-1', 'north/l2/ed/triage-2', 'room', 0, 'assist')
  await hospital.advance(61_000)
  expect(hospital.pages('p3'), 'the desk in the hall next door has a sounder').toEqual([])
  expect(hospital.receipt('page.send', 'desk')).toMatchObject({ end: 'suppressed' })
  expect(hospital.receipt('page.send', 'desk')?.why).toMatch(/^silent: /)
  expect(hospital.acts('camera.preset', 'cam-ed'), 'a camera that swings round is motion').toEqual([])
  expect(hospital.pages('p1'), 'a pager in a pocket elsewhere goes').toHaveLength(1)
})

it('what is far away may be heard', async () => {
  hospital = await Hospital.open(silentAnything)
  await hospital.badge('badge-1', 'north/l1/lobby', 'zone', 0, 'assist')
  await hospital.advance(61_000)
  expect(hospital.pages('p3')).toHaveLength(1)
  expect(hospital.acts('relay.set', 'strobe-lobby'), 'but not a strobe in that very lobby').toEqual([])
})

it('silence follows the incident to every place that it has had', async () => {
  hospital = await Hospital.open(silentAnything)
  await hospital.badge('badge-1', 'north/l1/lobby', 'zone', 0, 'assist')
  await hospital.advance(10_000)
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  await hospital.advance(51_000)
  expect(hospital.pages('p3')).toEqual([])
  expect(hospital.acts('relay.set', 'strobe-lobby')).toEqual([])
})

it('silence is checked at the send: what was planned for elsewhere is dropped when the caller comes near', async () => {
  hospital = await Hospital.open(silentAnything)
  hospital.world.behaves('p3', 'refuses')
  await hospital.badge('badge-1', 'north/l1/lobby', 'zone', 0, 'assist')
  await hospital.advance(61_000)
  await hospital.seen('badge-1', 'north/l2/ed/triage-2')
  hospital.world.behaves('p3', 'well')
  await hospital.advance(30_000)
  expect(hospital.pages('p3')).toEqual([])
  expect(hospital.receipt('page.send', 'desk')?.end).not.toBe('done')
})

it('a silent press makes a loud incident silent, and it stays so', async () => {
  const yaml = mercy.replace(
    'place: north/l2/ed/triage-5 }',
    'place: north/l2/ed/triage-5, silent: true, kind: assist }',
  )
  hospital = await Hospital.open(yaml)
  const { incident } = await hospital.press('triage-5-button')
  await hospital.advance(0)
  expect(hospital.incident(incident).silent).toBe(true)
})

it("the presser's own badge never speaks", async () => {
  const speaks = mercy.replace(
    'when: {}\n    steps:\n      - { at: 0s, do: [page.send: { to: security }',
    'when: {}\n    silent: true\n    steps:\n      - { at: 0s, do: [event.send: { to: badge-3 }, page.send: { to: security }',
  )
  expect(speaks).not.toBe(mercy)
  hospital = await Hospital.open(speaks)
  await hospital.badge('badge-3', 'north/l2/ed/triage-5', 'room', 0, 'assist')
  await hospital.advance(0)
  expect(hospital.acts('event.send', 't3')).toEqual([])
  expect(hospital.receipt('event.send', 'badge-3')?.end).toBe('suppressed')
})
