import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fact, Json } from '../../core/fact.ts'
import { Conditions, fits, type Told } from './condition.ts'

let events = 0
const event = (more: Partial<Told> = {}): Told => ({
  eventId: `e${++events}`,
  eventType: 'i=10637',
  sourceNode: 'ns=1;s=Panel',
  sourceName: 'Panel',
  time: 5_000,
  message: 'pressed',
  severity: 700,
  condition: 'ns=1;s=Duress',
  conditionName: 'Duress',
  branch: false,
  retain: true,
  quality: 'good',
  enabled: true,
  acked: false,
  active: true,
  since: 4_000,
  ...more,
})

const conditions = (stored?: Json) => new Conditions('alarm', stored)
const phases = (facts: readonly Fact[]) => facts.map((fact) => (fact.is === 'press' ? fact.phase : fact.is))

describe('a condition', () => {
  test('is a press when it becomes active, and its end when it does no more', () => {
    const all = conditions()
    const [press] = all.hear(event())
    expect(press).toMatchObject({
      is: 'press',
      phase: 'active',
      key: 'alarm/ns=1;s=Duress/4000',
      occurredAt: 5_000,
    })
    expect(press?.from).toBe('alarm, Panel')
    expect(phases(all.hear(event({ active: false, since: 6_000 })))).toEqual(['restored'])
    expect(all.active).toBe(false)
  })

  test('told again, or acknowledged, or changed in severity is the same press', () => {
    const all = conditions()
    all.hear(event())
    expect(all.hear(event())).toEqual([])
    expect(all.hear(event({ acked: true, time: 7_000 }))).toEqual([])
    expect(all.hear(event({ severity: 900 }))).toEqual([])
  })

  test('has the same key when our restart forgot that it was told', () => {
    expect(conditions().hear(event())[0]?.key).toBe(conditions().hear(event())[0]?.key)
  })

  test('that was let go and pressed again while nobody listened is another press', () => {
    const all = conditions()
    all.hear(event())
    const again = conditions(all.cursor)
    expect(phases(again.hear(event({ since: 9_000 })))).toEqual(['active', 'restored'])
    expect(again.active).toBe(true)
  })

  test('that is over, but not acknowledged, was active while nobody listened', () => {
    const all = conditions()
    expect(phases(all.hear(event({ active: false, since: 9_000 })))).toEqual(['active', 'restored'])
    expect(all.hear(event({ active: false, since: 9_000 })), 'once').toEqual([])
    expect(conditions().hear(event({ active: false, acked: true })), 'acknowledged is done').toEqual([])
    expect(conditions().hear(event({ active: false, retain: false })), 'of no interest').toEqual([])
  })

  test('whose end nobody heard ends with the refresh that does not tell it', () => {
    const all = conditions()
    all.hear(event())
    all.hear(event({ condition: 'ns=1;s=Other' }))
    all.refresh()
    all.hear(event())
    expect(all.refreshed()).toMatchObject([{ phase: 'restored', key: 'alarm/ns=1;s=Other/4000/restored' }])
    expect(all.refreshed(), 'only after a refresh').toEqual([])
  })

  test('of a server without transition times is a press once per activation', () => {
    const all = conditions()
    const bare = (active: boolean) => event({ active, since: null })
    expect(phases(all.hear(bare(true)))).toEqual(['active'])
    expect(all.hear(bare(true))).toEqual([])
    expect(phases(all.hear(bare(false)))).toEqual(['restored'])
    expect(phases(all.hear(bare(true)))).toEqual(['active'])
  })

  test('without an active state is active while it is retained', () => {
    const all = conditions()
    expect(phases(all.hear(event({ active: null, since: null })))).toEqual(['active'])
    expect(phases(all.hear(event({ active: null, since: null, retain: false })))).toEqual(['restored'])
  })

  test('that is disabled, or of bad quality, is unknown, and no end', () => {
    const all = conditions()
    all.hear(event())
    expect(all.hear(event({ enabled: false, active: null }))).toEqual([])
    expect(all.known).toBe(false)
    all.hear(event())
    expect(all.known).toBe(true)
    all.hear(event({ quality: 'uncertain' }))
    expect(all.known).toBe(false)
    expect(all.active).toBe(true)
  })

  test('told by a branch is the press that it was, or one that nobody heard', () => {
    const all = conditions()
    all.hear(event())
    expect(all.hear(event({ branch: true }))).toEqual([])
    expect(phases(all.hear(event({ active: false, acked: true, since: 6_000 })))).toEqual(['restored'])
    expect(phases(all.hear(event({ branch: true, since: 7_000 })))).toEqual(['active', 'restored'])
    expect(all.active).toBe(false)
  })

  test('any sequence of events: presses and ends take turns, and no key comes twice', () => {
    const step = fc.record({
      condition: fc.constantFrom('a', 'b'),
      active: fc.option(fc.boolean()),
      since: fc.option(fc.integer({ min: 1, max: 9 })),
      acked: fc.boolean(),
      retain: fc.boolean(),
      branch: fc.boolean(),
      restart: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let all = conditions()
        const keys: string[] = []
        const ends = new Set<string>()
        for (const { restart, ...told } of steps) {
          if (restart) all = conditions(all.cursor)
          for (const { key, ...fact } of all.hear(event(told))) {
            if (fact.is === 'press' && fact.phase === 'restored') {
              expect(keys).toContain(key.replace(/\/restored$/, ''))
              expect(ends.has(key)).toBe(false)
              ends.add(key)
            } else keys.push(key)
          }
        }
        expect(new Set(keys).size).toBe(keys.length)
        expect(keys.length - ends.size).toBeLessThanOrEqual(2)
      }),
      { numRuns: 2_000 },
    )
  })
})

test('an event that is no condition is a press by itself', () => {
  const all = conditions()
  const one = event({ condition: null, active: null, retain: null, eventId: 'abc' })
  expect(all.hear(one)).toMatchObject([{ phase: 'active', key: 'alarm/event/abc' }])
})

test.each([
  [{}, true],
  [{ source: 'Panel' }, true],
  [{ source: 'ns=1;s=Panel' }, true],
  [{ source: 'Other' }, false],
  [{ condition: 'Duress' }, true],
  [{ condition: 'ns=1;s=Duress' }, true],
  [{ condition: 'Fire' }, false],
  [{ type: 'i=10637' }, true],
  [{ type: 'i=2041' }, false],
  [{ severity: 700 }, true],
  [{ severity: 701 }, false],
])('%j is meant: %j', (wanted, expected) => {
  expect(fits(event(), { severity: 1, ...wanted })).toBe(expected)
})
