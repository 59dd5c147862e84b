import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instantOf, nextTimeOfDay, parseInstant, wallTimeOf } from './zone.ts'

const chicago = 'America/Chicago'
const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString())

describe('the wall of the site', () => {
  it('shows what the zone says, in winter and in summer', () => {
    expect(iso(parseInstant(chicago, '2026-01-15 08:30'))).toBe('2026-01-15T14:30:00.000Z')
    expect(iso(parseInstant(chicago, '2026-07-15T08:30'))).toBe('2026-07-15T13:30:00.000Z')
    expect(iso(parseInstant(chicago, '2026-07-15'))).toBe('2026-07-15T05:00:00.000Z')
  })

  it('an offset that is written wins over the zone', () => {
    expect(iso(parseInstant(chicago, '2026-07-15T08:30Z'))).toBe('2026-07-15T08:30:00.000Z')
    expect(iso(parseInstant(chicago, '2026-07-15T08:30:00+02:00'))).toBe('2026-07-15T06:30:00.000Z')
  })

  it.each(['2026-02-30', '2026-13-01', '25:00', '2026-01-01T25:00', 'tomorrow', ''])(
    '%s is no time',
    (text) => {
      expect(parseInstant(chicago, text)).toBeNull()
    },
  )

  it('07:00 comes once a day through both changes of the clock', () => {
    let at = Date.parse('2026-03-01T00:00:00Z')
    const days: string[] = []
    for (let day = 0; day < 300; day++) {
      at = nextTimeOfDay(chicago, '07:00', at)
      const { month, day: date, hour, minute } = wallTimeOf(chicago, at)
      expect([hour, minute]).toEqual([7, 0])
      days.push(`${month}/${date}`)
    }
    expect(new Set(days).size).toBe(300)
  })

  it('a skipped 02:30 still comes on its day, a doubled 01:30 once', () => {
    const march = Date.parse('2026-03-08T07:00:00Z')
    expect(wallTimeOf(chicago, nextTimeOfDay(chicago, '02:30', march))).toMatchObject({ month: 3, day: 8 })
    const first = nextTimeOfDay(chicago, '01:30', Date.parse('2026-11-01T05:00:00Z'))
    expect(iso(first)).toBe('2026-11-01T06:30:00.000Z')
    expect(wallTimeOf(chicago, nextTimeOfDay(chicago, '01:30', first))).toMatchObject({ month: 11, day: 2 })
  })

  it('what it shows leads back to the same minute, but where the clock is set back', () => {
    const zones = [chicago, 'UTC', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Europe/Berlin']
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2035, 0) }),
        fc.constantFrom(...zones),
        (at, zone) => {
          const minute = Math.floor(at / 60_000) * 60_000
          expect([0, 1_800_000, 3_600_000]).toContain(minute - instantOf(zone, wallTimeOf(zone, minute)))
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
