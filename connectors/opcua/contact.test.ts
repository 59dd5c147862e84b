import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fact, Json } from '../../core/fact.ts'
import { Contact } from './contact.ts'

const apartMs = 400
const settings = { device: 'button', node: 'ns=1;s=Button', counts: false, apartMs }
const contact = (stored?: Json, counts = false) => new Contact({ ...settings, counts }, stored, 1_000)

interface Told {
  readonly at?: number | null
  readonly overflow?: boolean
  readonly first?: boolean
}
const level = (
  to: Contact,
  active: boolean | null,
  now: number,
  { at = now, overflow = false, first = false }: Told = {},
) => to.level({ active, at, overflow, first, value: active }, now)

const phases = (facts: readonly Fact[]) => facts.map((fact) => (fact.is === 'press' ? fact.phase : fact.is))

describe('a level', () => {
  test('is a press when it becomes active, and its end when it does no more', () => {
    const one = contact()
    expect(level(one, false, 2_000, { first: true })).toEqual([])
    const [press] = level(one, true, 3_000, { at: 2_990 })
    expect(press).toMatchObject({
      is: 'press',
      phase: 'active',
      device: 'button',
      key: 'button/2990',
      occurredAt: 2_990,
    })
    expect(level(one, true, 3_100)).toEqual([])
    const [end] = level(one, false, 3_200)
    expect(end).toMatchObject({ phase: 'restored', key: 'button/2990/restored' })
    expect(level(one, false, 3_300)).toEqual([])
  })

  test('that is unknown is neither a press nor its end', () => {
    const one = contact()
    level(one, true, 2_000)
    expect(level(one, null, 2_100)).toEqual([])
    expect(one.known).toBe(false)
    expect(level(one, true, 2_200)).toEqual([])
    level(one, null, 2_300)
    expect(phases(level(one, false, 2_400))).toEqual(['restored'])
  })

  test('active at the first look is a press once, not with each new subscription', () => {
    const one = contact()
    const [press] = level(one, true, 2_000, { at: 1_500, first: true })
    expect(press).toMatchObject({ phase: 'active', key: 'button/1500' })
    const again = contact(one.cursor)
    expect(level(again, true, 9_000, { at: 1_500, first: true })).toEqual([])
    expect(phases(level(again, false, 9_100))).toEqual(['restored'])
  })

  test('active before and after a gap, but since another time, is another press', () => {
    const one = contact()
    level(one, true, 2_000, { at: 1_500 })
    const again = contact(one.cursor)
    expect(phases(level(again, true, 9_000, { at: 8_000, first: true }))).toEqual(['active', 'restored'])
  })

  test('of a server that makes a new time with each reading is the same press after a gap', () => {
    const one = contact()
    level(one, true, 2_000)
    for (let now = 2_100; now < 2_600; now += 100) one.still(now)
    const again = contact(one.cursor)
    expect(level(again, true, 9_000, { at: 9_000, first: true })).toEqual([])
  })

  test('a clock of the device that stands still costs no press', () => {
    const one = contact()
    const keys = [3_000, 4_000, 5_000].map((now) => {
      const [press] = level(one, true, now, { at: 77 })
      level(one, false, now + 100, { at: 77 })
      return press?.key
    })
    expect(new Set(keys).size).toBe(3)
  })

  test('row 17: an overflow is a press, whatever the level is by then', () => {
    const one = contact()
    level(one, false, 2_000, { first: true })
    expect(phases(level(one, false, 3_000, { overflow: true }))).toEqual(['active', 'restored'])
    level(one, true, 4_000)
    expect(phases(level(one, true, 5_000, { overflow: true }))).toEqual(['active', 'restored'])
  })

  test('without any time of the device has keys by ours', () => {
    const one = contact()
    expect(level(one, true, 2_000, { at: null })[0]).toMatchObject({ key: 'button/2000' })
  })

  test('any sequence of levels: presses and ends take turns, and no key comes twice', () => {
    const step = fc.record({
      active: fc.option(fc.boolean()),
      at: fc.option(fc.integer({ min: 1, max: 20 })),
      overflow: fc.boolean(),
      restart: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let one = contact()
        const keys: string[] = []
        let open = 0
        for (const [nth, { active, at, overflow, restart }] of steps.entries()) {
          if (restart) one = contact(one.cursor)
          for (const fact of level(one, active, 10_000 + nth, { at, overflow, first: restart })) {
            keys.push(fact.key)
            if (fact.is === 'press') open += fact.phase === 'active' ? 1 : -1
          }
          expect(open).toBeGreaterThanOrEqual(0)
          expect(open).toBeLessThanOrEqual(1)
          if (active === false) expect(open).toBe(0)
          if (active === true) expect(open).toBe(1)
        }
        expect(new Set(keys).size).toBe(keys.length)
      }),
    )
  })
})

describe('a counter', () => {
  const presses = (facts: readonly Fact[]) =>
    facts
      .filter((fact) => fact.is === 'press' && fact.phase === 'active')
      .reduce((sum, { raw }) => sum + ((raw as { presses?: number }).presses ?? 1), 0)

  test('shows a press that no sample has seen, and its end soon after', () => {
    const one = contact(undefined, true)
    level(one, false, 2_000, { first: true })
    expect(one.count(7, 32, 2_000)).toEqual([])
    expect(phases(one.count(8, 32, 3_000))).toEqual(['active'])
    expect(one.rest(3_100)).toEqual([])
    expect(phases(one.rest(3_000 + apartMs + 1))).toEqual(['restored'])
  })

  test('and the level of the same press are one press, whichever comes first', () => {
    const one = contact(undefined, true)
    level(one, false, 2_000, { first: true })
    one.count(0, 32, 2_000)
    expect(presses([...level(one, true, 3_000), ...one.count(1, 32, 3_010)])).toBe(1)
    level(one, false, 3_500)
    expect(presses([...one.count(2, 32, 9_000), ...level(one, true, 9_050)])).toBe(1)
    expect(phases(level(one, false, 9_200))).toEqual(['restored'])
  })

  test('tells how many', () => {
    const one = contact(undefined, true)
    one.count(0, 32, 2_000)
    expect(presses(one.count(5, 32, 3_000))).toBe(5)
    expect(presses([...level(one, true, 9_000), ...one.count(8, 32, 9_010)])).toBe(3)
  })

  test('that went on while nobody listened is told afterwards, once', () => {
    const one = contact(undefined, true)
    one.count(3, 32, 2_000)
    const again = contact(one.cursor, true)
    const [press] = again.count(5, 32, 60_000)
    expect(press).toMatchObject({ raw: { presses: 2 } })
    const third = contact(one.cursor, true)
    expect(third.count(5, 32, 90_000)[0]?.key).toBe(press?.key)
  })

  test('that went down is a restart: no press, and it counts on', () => {
    const one = contact(undefined, true)
    one.count(9, 32, 2_000)
    expect(one.count(0, 32, 3_000)).toEqual([])
    expect(one.restarted).toBe(true)
    expect(presses(one.count(1, 32, 4_000))).toBe(1)
  })

  test('with a queue that was too short: the counter tells, not the overflow', () => {
    const one = contact(undefined, true)
    level(one, false, 2_000, { first: true })
    one.count(0, 32, 2_000)
    expect(level(one, false, 3_000, { overflow: true })).toEqual([])
    expect(presses(one.count(4, 32, 3_001))).toBe(4)
  })
})
