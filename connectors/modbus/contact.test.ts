import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fact, Json } from '../../core/fact.ts'
import { Contact, type Reading } from './contact.ts'

const settings = { device: 'button', at: 'discrete input 4', settleMs: 100 }
const contactAt = (now: number, cursor?: Json) => new Contact(settings, cursor, now)
const said = (facts: readonly Fact[]) =>
  facts.map((fact) => `${fact.is} ${'phase' in fact ? fact.phase : ''}`)

/** Reads a sequence of [ms, reading] into a contact. */
const readAll = (contact: Contact, readings: readonly [number, Reading][]) =>
  readings.flatMap(([now, reading]) => contact.read(reading, now))

describe('level only', () => {
  test('a rising edge is a press, the falling edge its end under the same key', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false }],
      [40, { level: true }],
      [60, { level: true }],
      [80, { level: false }],
    ])
    expect(said(facts)).toEqual(['press active', 'press restored'])
    expect(facts[1]?.key).toBe(`${facts[0]?.key}/restored`)
  })

  test('active at the very first reading is a press', () => {
    expect(said(contactAt(0).read({ level: true }, 20))).toEqual(['press active'])
  })

  test('a press that was recorded before the restart is not recorded again, and ends under its key', () => {
    const before = contactAt(0)
    const [press] = before.read({ level: true }, 20)
    const after = contactAt(5_000, press?.cursor)
    expect(after.read({ level: true }, 5_020)).toEqual([])
    expect(after.read({ level: false }, 5_040)).toMatchObject([
      { phase: 'restored', key: `${press?.key}/restored` },
    ])
  })

  test('what could not be read is neither a release nor a press', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: true }],
      [40, { level: null }],
      [60, { level: true }],
    ])
    expect(said(facts)).toEqual(['press active'])
  })
})

describe('counter', () => {
  test('the first reading is the base; a press between two readings is seen', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 41 }],
      [40, { level: false, counter: 42 }],
    ])
    expect(facts).toMatchObject([{ is: 'press', phase: 'active', raw: { value: false, counter: 42 } }])
  })

  test('several presses between two readings are one fact that says how many', () => {
    const contact = contactAt(0)
    contact.read({ level: false, counter: 1 }, 20)
    expect(contact.read({ level: false, counter: 4 }, 40)).toMatchObject([{ raw: { presses: 3 } }])
  })

  test('level and counter of one press are one press, whichever is read first', () => {
    for (const readings of [
      [{ level: true, counter: 1 }],
      [
        { level: true, counter: 0 },
        { level: true, counter: 1 },
      ],
      [
        { level: false, counter: 1 },
        { level: true, counter: 1 },
      ],
    ]) {
      const contact = contactAt(0)
      contact.read({ level: false, counter: 0 }, 10)
      const facts = readings.flatMap((reading, index) => contact.read(reading, 20 + index * 20))
      expect(said(facts)).toEqual(['press active'])
      expect(said(contact.read({ level: false, counter: 1 }, 200))).toEqual(['press restored'])
    }
  })

  test('a module that counts when the button is let go does not make a second press', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 7 }],
      [40, { level: true, counter: 7 }],
      [4_000, { level: true, counter: 7 }],
      [4_020, { level: false, counter: 8 }],
      [4_040, { level: false, counter: 8 }],
    ])
    expect(said(facts)).toEqual(['press active', 'press restored'])
  })

  test('a later press is never taken for the count that an earlier one owes', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 7 }],
      [40, { level: true, counter: 7 }],
      [60, { level: false, counter: 7 }],
      [1_000, { level: false, counter: 8 }],
    ])
    expect(said(facts)).toEqual(['press active', 'press restored', 'press active'])
  })

  test('the end of a press that was only counted is told by the next reading', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 7 }],
      [40, { level: false, counter: 8 }],
      [60, { level: false, counter: 8 }],
      [80, { level: false, counter: 8 }],
    ])
    expect(said(facts)).toEqual(['press active', 'press restored'])
    expect(facts[1]?.key).toBe(`${facts[0]?.key}/restored`)
  })

  test('let go and pressed again between two readings is a second press', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 0 }],
      [40, { level: true, counter: 1 }],
      [60, { level: true, counter: 2 }],
    ])
    expect(said(facts)).toEqual(['press active', 'press active', 'press restored'])
    expect(facts[2]?.key).toBe(`${facts[0]?.key}/restored`)
    expect(facts[1]?.key).not.toBe(facts[0]?.key)
  })

  test('a counter that goes down is a restart and no press, unless the input is active', () => {
    const contact = contactAt(0)
    contact.read({ level: false, counter: 500 }, 20)
    expect(contact.read({ level: false, counter: 0 }, 40)).toEqual([])
    expect(contact.restarted).toBe(true)
    expect(contact.moved).toBe(true)
    contact.read({ level: false, counter: 30 }, 60)
    expect(said(contact.read({ level: true, counter: 0 }, 80))[0]).toBe('press active')
  })

  test('the same count after a restart of the module has another key', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, counter: 0 }],
      [40, { level: false, counter: 1 }],
      [60, { level: false, counter: 0 }],
      [80, { level: false, counter: 1 }],
    ])
    const [first, second, ...more] = facts.filter((fact) => fact.is === 'press' && fact.phase === 'active')
    expect(first?.key).not.toBe(second?.key)
    expect(more).toEqual([])
  })

  test('a press while we were down is one press after the start, with the key that it would have had', () => {
    const before = contactAt(0)
    before.read({ level: false, counter: 6 }, 20)
    const cursor = before.cursor
    const [live] = before.read({ level: false, counter: 7 }, 40)
    const [late, ...more] = contactAt(9_000, cursor).read({ level: false, counter: 7 }, 9_020)
    expect(late?.key).toBe(live?.key)
    expect(more).toEqual([])
  })

  test('a cursor that is not ours is a first start', () => {
    expect(contactAt(0, { counter: 'many' }).read({ level: false, counter: 9 }, 20)).toEqual([])
  })
})

describe('antivalent pair', () => {
  test('contacts that change over one after the other make no trouble', () => {
    const facts = readAll(contactAt(0), [
      [20, { level: false, pair: false }],
      [40, { level: false, pair: true }],
      [60, { level: true, pair: true }],
    ])
    expect(said(facts)).toEqual(['press active'])
  })

  test('contacts that stay equal are a trouble, never a release; it ends when they agree', () => {
    const contact = contactAt(0)
    const facts = readAll(contact, [
      [20, { level: true, pair: true }],
      [40, { level: false, pair: true }],
      [140, { level: false, pair: true }],
      [160, { level: false, pair: true }],
    ])
    expect(said(facts)).toEqual(['press active', 'trouble active'])
    expect(contact.wires).toBe('broken')
    expect(said(contact.read({ level: false, pair: false }, 180))).toEqual([
      'trouble restored',
      'press restored',
    ])
    expect(contact.wires).toBe('sound')
  })

  test('a trouble that goes on over our restart is not said twice, and ends under its key', () => {
    const before = contactAt(0)
    const [trouble] = readAll(before, [
      [20, { level: false, pair: true }],
      [140, { level: false, pair: true }],
    ])
    const after = contactAt(5_000, trouble?.cursor)
    expect(
      readAll(after, [
        [5_020, { level: false, pair: true }],
        [5_200, { level: false, pair: true }],
      ]),
    ).toEqual([])
    expect(after.read({ level: false, pair: false }, 5_300)).toMatchObject([
      { is: 'trouble', phase: 'restored', key: `${trouble?.key}/restored` },
    ])
  })
})

test('any run of readings and restarts: no press of a counting module is lost, keys are never used twice', () => {
  const step = fc.record({
    presses: fc.integer({ min: 0, max: 3 }),
    level: fc.boolean(),
    restartOfBridge: fc.boolean(),
    restartOfModule: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 1_000
      let counter = 10
      let cursor: Json | undefined
      let contact = contactAt(now, cursor)
      contact.read({ level: false, counter }, now)
      cursor = contact.cursor
      const keys = new Set<string>()
      for (const { presses, level, restartOfBridge, restartOfModule } of steps) {
        now += 20
        if (restartOfModule) counter = 0
        else counter += presses
        if (restartOfBridge) contact = contactAt(now, cursor)
        const before = (cursor as { level: boolean }).level
        const facts = contact.read({ level, counter }, now)
        for (const { key } of facts) {
          expect(keys.has(key)).toBe(false)
          keys.add(key)
        }
        const seen = facts.some((fact) => fact.is === 'press' && fact.phase === 'active')
        if (!restartOfModule && presses > 1) expect(seen).toBe(true)
        if (presses === 0 && level === before && !restartOfModule) expect(seen).toBe(false)
        // A kill may come after each of the facts: what the later ones say must then be said again.
        for (const [index, fact] of facts.entries()) {
          const again = contactAt(now, fact.cursor).read({ level, counter }, now)
          const missing = facts
            .slice(index + 1)
            .filter((later) => later.is === 'press' && later.phase === 'active')
          if (!restartOfModule)
            for (const { key } of missing) expect(again.map((each) => each.key)).toContain(key)
        }
        cursor = contact.cursor
      }
    }),
  )
})
