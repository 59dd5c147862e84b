import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalogue } from '../../config/fixtures/catalogue.ts'
import { loadText } from '../../config/load.ts'
import { Kind } from '../fact.ts'
import { findPlan, guardingDoors, near, nearestCameras, pathName, shortName, within } from './places.ts'
import type { Place, Site } from './site.ts'

const good = readFileSync(new URL('../../config/fixtures/good.yaml', import.meta.url), 'utf8')

const compiled = (text: string): Site => {
  const { site, findings } = loadText(text, catalogue)
  if (!site) throw new Error(JSON.stringify(findings.filter(({ fatal }) => fatal)))
  return site
}

const camera = (name: string, sees: string): string =>
  `  ${name}: { connector: cameras, output: { url: "http://10.0.9.9/${name}" }, sees: ${sees} }\n`

const withDevices = (...devices: string[]): Site =>
  compiled(good.replace('  beacon:\n', `${devices.join('')}  beacon:\n`))

const site = compiled(good)
const at = (path: string, of = site): Place => of.places.get(path)!
const names = (places: Iterable<Place>): string[] => [...places].map(({ path }) => path.split('/').at(-1)!)

test('within is about the place itself and all that contains it', () => {
  expect(within(at('north/l2/ed/triage-2'), at('north/l2/ed'))).toBe(true)
  expect(within(at('north/l2/ed'), at('north/l2/ed'))).toBe(true)
  expect(within(at('north/l2/ed'), at('north/l2/ed/triage-2'))).toBe(false)
  expect(within(at('north/l1/lobby'), at('north/l2'))).toBe(false)
})

test('places are named in words, nearest first, without the only top', () => {
  expect(pathName(at('north/l2/ed/triage-2'))).toBe('Triage 2, Emergency, Level 2')
  expect(pathName(at('north'))).toBe('north')
  expect(shortName(at('north/l2/ed/triage-2'))).toBe('ED Triage 2')
  expect(shortName(at('north/l2/ed'))).toBe('ED')
  expect(shortName(at('north/l1/lobby'))).toBe('north l1 Lobby')
  const two = compiled(good.replace('places:\n', 'places:\n  south: { level: building }\n'))
  expect(pathName(at('north/l2', two))).toBe('Level 2, north')
})

test('near a room are its beds, its neighbours and what contains it, but not the next room', () => {
  expect(names(near(at('north/l2/ed/triage-2')))).toEqual(['triage-2', 'ed-hall', 'ed', 'l2', 'north'])
  expect(names(near(at('north/l2/ed/bay-1/bed-1')))).toEqual(['bed-1', 'bay-1', 'bed-2', 'ed', 'l2', 'north'])
  expect(near(at('north/l2/ed')).has(at('north/l2/ed/bay-1/bed-2'))).toBe(true)
  expect(near(at('north/l2/ed/triage-2')).has(at('north/l2/ed/bay-1'))).toBe(false)
})

test('what is near is near both ways', () => {
  for (const a of site.places.values())
    for (const b of near(a))
      if (!within(a, b)) expect(near(b).has(a) || within(b, a), `${a.path} ${b.path}`).toBe(true)
})

test('cameras that see the place come before those that see a neighbour, and those before the unit', () => {
  const seen = (path: string, of: Site) =>
    nearestCameras(of, at(path, of)).map(({ device, preset }) => [device.name, preset])
  expect(seen('north/l2/ed/triage-2', site)).toEqual([['cam-ed-3', '2']])
  expect(seen('north/l2/ed/ed-hall', site)).toEqual([['cam-ed-3', '2']])
  expect(seen('north/l2/ed/bay-1/bed-1', site)).toEqual([['cam-ed-3', '2']])
  expect(seen('north/l1/lobby', site)).toEqual([])
  const more = withDevices(camera('cam-hall', '{ north/l2/ed/ed-hall: { preset: "7", perceptible: none } }'))
  expect(seen('north/l2/ed/ed-hall', more)).toEqual([['cam-hall', '7']])
  expect(seen('north/l2/ed/triage-2', more)).toEqual([['cam-ed-3', '2']])
})

test('at most four cameras, the closest first, each once', () => {
  const hall = (name: string) => camera(name, '{ north/l2/ed/ed-hall: { preset: "1", perceptible: none } }')
  const both = camera(
    'a-both',
    '{ north/l2/ed/bay-1: { preset: far, perceptible: none }, north/l2/ed/ed-hall: { preset: close, perceptible: none } }',
  )
  const many = withDevices(...['e', 'd', 'c', 'b'].map(hall), both)
  const views = nearestCameras(many, at('north/l2/ed', many))
  expect(views).toHaveLength(4)
  expect(new Set(views.map(({ device }) => device.name)).size).toBe(4)
  const [first] = nearestCameras(many, at('north/l2/ed/ed-hall', many))
  expect(first).toMatchObject({ preset: 'close' })
})

test('doors guard what they lead to and all inside it; a unit has the doors of its rooms', () => {
  const of = (path: string, where = site) => guardingDoors(where, at(path, where)).map(({ name }) => name)
  expect(of('north/l2/ed/triage-2')).toEqual(['door-ed-w'])
  expect(of('north/l2/ed')).toEqual(['door-ed-w'])
  expect(of('north/l2')).toEqual(['door-ed-w'])
  expect(of('north')).toEqual(['door-ed-w', 'door-lobby'])
  const inner = withDevices(
    '  a-room: { connector: doors, output: { token: R }, guards: [north/l2/ed/triage-2], egress: free }\n',
  )
  expect(of('north/l2/ed/triage-2', inner)).toEqual(['a-room', 'door-ed-w'])
  expect(of('north/l2/ed', inner)).toEqual(['a-room', 'door-ed-w'])
  expect(of('north/l2/ed/ed-hall', inner)).toEqual(['door-ed-w'])
})

test('the closest place wins, then the kind, then the order of the file', () => {
  const step = 'steps: [ { at: 0s, do: [ { page.send: { to: security } } ] } ]'
  const more = compiled(
    good.replace(
      'plans:\n',
      `plans:\n  hall: { when: { place: north/l2/ed/ed-hall }, ${step} }\n  assist: { when: { kind: assist }, ${step} }\n  again: { when: { kind: assist }, ${step} }\n`,
    ),
  )
  const plan = (kind: Kind, path: string | null) =>
    findPlan(more, kind, path === null ? null : at(path, more)).name
  expect(plan('duress', 'north/l2/ed/triage-2')).toBe('ed-duress')
  expect(plan('duress', 'north/l2/ed/ed-hall')).toBe('hall')
  expect(plan('assist', 'north/l2/ed/triage-2')).toBe('assist')
  expect(plan('weapon', 'north/l1/lobby')).toBe('lobby-weapon')
  expect(plan('weapon', 'north/l1')).toBe('anything')
  expect(plan('weapon', null)).toBe('anything')
  expect(plan('assist', null)).toBe('assist')
})

test('every press has a plan, and none of an unknown place has one that is for a place', () => {
  const paths = [null, ...site.places.keys()]
  fc.assert(
    fc.property(fc.constantFrom(...Kind.options), fc.constantFrom(...paths), (kind, path) => {
      const place = path === null ? null : at(path)
      const plan = findPlan(site, kind, place)
      expect(plan.kinds === null || plan.kinds.has(kind)).toBe(true)
      expect(plan.places === null || plan.places.some((top) => place !== null && within(place, top))).toBe(
        true,
      )
    }),
  )
})
