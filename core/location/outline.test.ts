import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Position } from '../fact.ts'
import type { Place, Site } from '../site/site.ts'
import { type Outline, spotOf } from './outline.ts'

/** A rectangle, metres east and north of a corner in Chicago. */
const corner = { latitude: 41.88, longitude: -87.63 }
const metre = { north: 1 / 111_133, east: 1 / (111_133 * Math.cos((corner.latitude * Math.PI) / 180)) }
const point = (east: number, north: number): readonly [number, number] => [
  corner.latitude + north * metre.north,
  corner.longitude + east * metre.east,
]
const box = (east: number, north: number, width: number, height: number): Outline => [
  point(east, north),
  point(east + width, north),
  point(east + width, north + height),
  point(east, north + height),
]

const place = (path: string, outline: Outline | null, parent: Place | null = null) =>
  ({ path, outline, parent, level: parent ? 'zone' : 'campus' }) as Place

// A campus of 400 by 300 m, in it a car park of 100 by 80 m and a clinic that shares its eastern edge.
const campus = place('campus', box(0, 0, 400, 300))
const parking = place('campus/parking', box(50, 50, 100, 80), campus)
const clinic = place('campus/clinic', box(150, 50, 60, 80), campus)
const site = { places: new Map([campus, parking, clinic].map((one) => [one.path, one])) } as unknown as Site

const at = (east: number, north: number, accuracyM?: number): Position => {
  const [latitude, longitude] = point(east, north)
  return { latitude, longitude, at: 0, ...(accuracyM === undefined ? {} : { accuracyM }) }
}
const spot = (position: Position) => {
  const found = spotOf(site, position)
  return found && { in: found.place.path, sure: found.sure, or: found.orElse.map(({ path }) => path) }
}

describe('a GPS position', () => {
  it('in the middle of the car park is the car park', () => {
    expect(spot(at(100, 90, 10))).toEqual({ in: 'campus/parking', sure: true, or: [] })
  })

  it('closer to the edge than it is accurate is only the campus', () => {
    expect(spot(at(140, 90, 30))).toEqual({ in: 'campus', sure: true, or: [] })
  })

  it('less accurate than the campus is large is a guess that names what else it may be', () => {
    expect(spot(at(100, 90, 500))).toEqual({
      in: 'campus',
      sure: false,
      or: ['campus/parking', 'campus/clinic'],
    })
  })

  it('without accuracy is taken for 20 m', () => {
    expect(spot(at(100, 90))).toMatchObject({ in: 'campus/parking', sure: true })
    expect(spot(at(135, 90))).toMatchObject({ in: 'campus' })
  })

  it('outside by less than its accuracy is a guess; farther away it is nowhere', () => {
    expect(spot(at(-20, 90, 50))).toMatchObject({ in: 'campus', sure: false })
    expect(spot(at(-200, 90, 50))).toBeNull()
  })

  it('is found across the date line', () => {
    const outline: Outline = [
      [-17, 179.9],
      [-17, -179.9],
      [-16.9, -179.9],
      [-16.9, 179.9],
    ]
    const island = place('island', outline)
    const there = { places: new Map([['island', island]]) } as unknown as Site
    for (const longitude of [179.95, -179.95])
      expect(spotOf(there, { latitude: -16.95, longitude, accuracyM: 5, at: 0 })?.sure).toBe(true)
    expect(spotOf(there, { latitude: -16.95, longitude: 0, accuracyM: 5, at: 0 })).toBeNull()
  })

  it('claims a place only when every point within its accuracy is inside', () => {
    const inside = (east: number, north: number) => east >= 50 && east <= 150 && north >= 50 && north <= 130
    const anywhere = fc.tuple(
      fc.double({ min: -100, max: 500, noNaN: true }),
      fc.double({ min: -100, max: 400, noNaN: true }),
      fc.double({ min: 1, max: 120, noNaN: true }),
    )
    fc.assert(
      fc.property(anywhere, ([east, north, accuracyM]) => {
        if (spot(at(east, north, accuracyM))?.in !== 'campus/parking') return
        for (let angle = 0; angle < 360; angle += 15) {
          const turn = (angle * Math.PI) / 180
          // A hand's breadth for what the flat map gets wrong.
          const r = accuracyM - 0.1
          expect(inside(east + r * Math.cos(turn), north + r * Math.sin(turn))).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
