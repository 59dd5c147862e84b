import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fit as textFor } from '../../core/message/fit.ts'
import type { CheckIn } from '../../core/people/check-ins.ts'
import { Hospital } from '../simulation/hospital.ts'

/** Timed check-ins of lone workers: one that is missed is a press. */

let hospital: Hospital
let dir: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'duress-check-in-'))
  hospital = await Hospital.open(undefined, { dir })
})
afterEach(async () => {
  await hospital.close()
  rmSync(dir, { recursive: true })
})

const minutes = (n: number) => n * 60_000

const begin = (minutesFromNow: number, more: Partial<CheckIn> = {}): Promise<CheckIn> => {
  const now = hospital.clock.now()
  const checkIn: CheckIn = {
    id: 'visit-1',
    device: 'badge-1',
    person: null,
    since: now,
    until: now + minutes(minutesFromNow),
    address: '12 Oak St',
    place: null,
    position: null,
    note: 'large dog',
    ...more,
  }
  return hospital.settled(hospital.machine.checkIns.set(checkIn, 'badge-1').then(() => checkIn))
}
const pages = () =>
  hospital
    .pages('p1')
    .map(({ at, args }) => textFor(args.message, { characters: 200, charset: 'unicode', now: at }))

it('missed, it pages within a second: where, who, and the note', async () => {
  await begin(30)
  await hospital.advance(minutes(30) - 1_000)
  expect(pages()).toEqual([])
  await hospital.advance(2_000)
  expect(pages()).toEqual([
    expect.stringMatching(/^DURESS at 12 Oak St, .*by nurse-1.*check-in missed: large dog/),
  ])
})

it('checked in, nothing happens', async () => {
  const checkIn = await begin(30)
  await hospital.settled(hospital.machine.checkIns.end(checkIn, 'badge-1'))
  await hospital.advance(minutes(60))
  expect(pages()).toEqual([])
})

it('extended, it is missed at its new time', async () => {
  await begin(30)
  await hospital.advance(minutes(20))
  await begin(40)
  await hospital.advance(minutes(39))
  expect(pages()).toEqual([])
  await hospital.advance(minutes(1) + 1_000)
  expect(pages()).toHaveLength(1)
})

it('missed while the bridge was down, it pages right after the start, once', async () => {
  await begin(30)
  const stopped = hospital.machine.stop()
  await Promise.all([stopped, hospital.clock.advance(minutes(45))])
  await hospital.boot()
  await hospital.advance(2_000)
  expect(pages()).toHaveLength(1)
  await hospital.restart()
  await hospital.advance(20_000)
  expect(pages()).toHaveLength(1)
})

it('begin, end and miss are on the trail', async () => {
  await begin(1)
  await hospital.advance(minutes(2))
  const rows = await hospital.settled(hospital.machine.store.trail(0, 1_000))
  const entries = rows.flatMap((row) => row.entries ?? []) as { what: string; is?: string }[]
  expect(entries.filter(({ what }) => what === 'check-in').map(({ is }) => is)).toEqual(['begun', 'missed'])
})
