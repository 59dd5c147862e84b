import { expect, test } from 'vitest'
import type { ContactPath, FaultPlan, Place, Supervision } from '../site/site.ts'
import { commonPlace, routeOf } from './route.ts'

const place = (path: string, parent: Place | null): Place => ({ path, parent }) as Place
const north = place('north', null)
const ed = place('north/ed', north)
const triage = place('north/ed/triage', ed)
const lobby = place('north/lobby', north)

const path = (name: string) => [{ name }] as unknown as ContactPath[]
const plan = (name: string, classes: FaultPlan['classes'], places: FaultPlan['places']): FaultPlan => ({
  name,
  classes,
  places,
  to: path(name),
})

const supervision = {
  plans: [
    plan('ed-links', new Set(['link'] as const), [ed]),
    plan('ed', null, [ed]),
    plan('links', new Set(['link'] as const), null),
  ],
  maintenance: path('maintenance'),
  administrators: path('administrators'),
} as unknown as Supervision

test.each([
  ['the closest place with the class', 'link', triage, 'ed-links'],
  ['the closest place', 'device', triage, 'ed'],
  ['the class, elsewhere', 'link', lobby, 'links'],
  ['maintenance for the rest of devices', 'device', lobby, 'maintenance'],
  ['maintenance for what has no place', 'device', null, 'maintenance'],
  ['administrators for the bridge itself', 'system', null, 'administrators'],
  ['administrators for its ways to people', 'path', null, 'administrators'],
] as const)('%s', (_what, fault, at, name) => {
  expect(routeOf({ supervision }, fault, at).map((to) => to.name)).toEqual([name])
})

test('the devices of a link have a place in common, or none', () => {
  expect(commonPlace([triage, ed])).toBe(ed)
  expect(commonPlace([triage, lobby])).toBe(north)
  expect(commonPlace([triage, null])).toBeNull()
  expect(commonPlace([])).toBeNull()
})
