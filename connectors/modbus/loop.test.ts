import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fact } from '../../core/fact.ts'
import { type BandName, Bands } from './bands.ts'
import { Contact } from './contact.ts'
import { type Condition, Loop, scaled } from './loop.ts'

/** TST-100 style, in ohms: one resistor at rest, two when pressed. */
const double = Bands.parse({
  normal: [900, 1_100],
  alarm: [
    [400, 600],
    [1_900, 2_100],
  ],
  open: [30_000, 65_535],
  short: [0, 60],
  hysteresis: 30,
})
const single = Bands.parse({ wiring: 'single', normal: [900, 1_100], open: [30_000, 65_535], short: [0, 60] })

const readAll = (bands: Bands, values: readonly number[]): (Condition | null)[] => {
  const loop = new Loop(bands)
  return values.map((value) => loop.read(value))
}
const middle: Record<BandName | 'fault', number> = {
  normal: 1_000,
  alarm: 2_000,
  open: 50_000,
  short: 20,
  fault: 10_000,
}

describe('what a value means', () => {
  test.each([
    [double, 'normal', 1_000],
    [double, 'alarm', 500],
    [double, 'alarm', 2_000],
    [double, 'open', 65_535],
    [double, 'short', 0],
    [double, 'fault', 1_500],
    [double, 'fault', 10_000],
    [single, 'normal', 1_000],
    [single, 'alarm', 0],
    [single, 'alarm', 65_535],
    [single, 'fault', 500],
  ] as const)('%#: %s', (bands, condition, value) => {
    expect(readAll(bands, [value, value])).toEqual([null, condition])
  })

  test('a register is scaled to the unit of the bands, signed where it is', () => {
    const scale = { times: 16 / 65_535, plus: 4, signed: false }
    expect(scaled(65_535, { ...double, scale })).toBeCloseTo(20)
    expect(scaled(0xffff, { ...double, scale: { times: 2, plus: 1, signed: true } })).toBe(-1)
    expect(scaled(7, double)).toBe(7)
  })
})

describe('hysteresis', () => {
  const bandNames = ['normal', 'alarm', 'open', 'short'] as const
  const edges = [900, 1_100, 400, 600, 1_900, 2_100, 60, 30_000]

  test('noise within it never flaps, at whatever edge the value lies', () => {
    const noise = fc.array(fc.integer({ min: -15, max: 14 }), { minLength: 10, maxLength: 200 })
    fc.assert(
      fc.property(fc.constantFrom(...edges), noise, fc.integer({ min: 1, max: 4 }), (edge, steps, settle) => {
        const bands = { ...double, settle }
        const conditions = readAll(
          bands,
          steps.map((step) => edge + step),
        ).filter((one) => one !== null)
        const changes = conditions.filter((one, n) => n > 0 && one !== conditions[n - 1])
        // Once into the band, and never out of it again.
        expect(changes.length).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('from whatever it is to a press is a press within one settle, whatever lies in between', () => {
    const before = fc.constantFrom(...bandNames.filter((name) => name !== 'alarm'), 'fault' as const)
    const between = fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 3 })
    fc.assert(
      fc.property(
        before,
        between,
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(500, 2_000),
        (from, passing, settle, pressed) => {
          const loop = new Loop({ ...double, settle })
          for (let n = 0; n < settle; n++) loop.read(middle[from])
          for (const value of passing) loop.read(value)
          const seen = Array.from({ length: settle }, () => loop.read(pressed))
          expect(seen.at(-1)).toBe('alarm')
        },
      ),
    )
  })

  test('a contact that bounces is pressed: only a normal reading starts the count again', () => {
    expect(readAll(double, [1_000, 1_000, 2_000, 10_000, 2_000]).at(-1)).toBe('alarm')
    expect(readAll(double, [1_000, 1_000, 2_000, 1_000, 2_000]).at(-1)).toBe('normal')
  })

  test('a change that has not settled is neither', () => {
    const loop = new Loop(double)
    loop.read(1_000)
    loop.read(1_000)
    expect(loop.isChanging).toBe(false)
    loop.read(2_000)
    expect([loop.isChanging, loop.condition]).toEqual([true, 'normal'])
  })
})

describe('facts', () => {
  const said = (facts: readonly Fact[]) =>
    facts.map((fact) =>
      fact.is === 'trouble'
        ? `${fact.trouble} ${fact.phase}`
        : `${fact.is} ${(fact as { phase: string }).phase}`,
    )
  const contact = (cursor?: Fact['cursor']) =>
    new Contact({ device: 'loop', at: 'input register 2', settleMs: 0 }, cursor, 1_000)
  const reading = (condition: Condition) => {
    const isLevel = condition === 'normal' || condition === 'alarm'
    return {
      level: isLevel ? condition === 'alarm' : null,
      broken: isLevel ? null : condition,
      measured: middle[condition],
    }
  }

  test.each([
    [
      ['normal', 'alarm', 'normal'],
      ['press active', 'press restored'],
    ],
    [
      ['normal', 'open', 'normal'],
      ['tamper active', 'tamper restored'],
    ],
    [
      ['normal', 'short', 'alarm'],
      ['tamper active', 'tamper restored', 'press active'],
    ],
    [
      ['normal', 'fault', 'open'],
      ['fault active', 'fault restored', 'tamper active'],
    ],
    [
      ['alarm', 'open', 'alarm', 'normal'],
      ['press active', 'tamper active', 'tamper restored', 'press restored'],
    ],
  ] as const)('%j', (conditions, expected) => {
    const one = contact()
    const facts = conditions.flatMap((condition, n) => one.read(reading(condition), 2_000 + n))
    expect(said(facts)).toEqual(expected)
    expect(new Set(facts.map(({ key }) => key)).size).toBe(facts.length)
    expect(facts[0]?.raw).toMatchObject({ measured: expect.any(Number) })
  })

  test('any walk and any restart: a press is told once, and a trouble ends as it began', () => {
    const condition = fc.constantFrom<Condition[]>('normal', 'alarm', 'open', 'short', 'fault')
    fc.assert(
      fc.property(fc.array(fc.tuple(condition, fc.boolean()), { maxLength: 40 }), (walk) => {
        let one = contact()
        const facts: Fact[] = []
        let pressed = false
        let presses = 0
        for (const [n, [now, restart]] of walk.entries()) {
          if (restart) one = contact(one.cursor)
          facts.push(...one.read(reading(now), 2_000 + n))
          if (now === 'alarm' && !pressed) presses++
          if (now === 'alarm' || now === 'normal') pressed = now === 'alarm'
        }
        expect(said(facts).filter((text) => text === 'press active')).toHaveLength(presses)
        const troubles = facts.filter((fact) => fact.is === 'trouble')
        for (const [n, fact] of troubles.entries())
          if (fact.phase === 'restored')
            expect([troubles[n - 1]?.trouble, `${troubles[n - 1]?.key}/restored`]).toEqual([
              fact.trouble,
              fact.key,
            ])
      }),
    )
  })
})

describe('what can not be told apart is refused', () => {
  test.each([
    [{ normal: [5, 1], alarm: [7, 9] }, 'lower one first'],
    [{ normal: [1, 5], alarm: [5, 9] }, 'overlaps'],
    [{ normal: [1, 50], alarm: [60, 70], hysteresis: 6 }, 'half of the narrowest'],
    [{ normal: [1, 5] }, 'two resistors'],
    [{ wiring: 'single', normal: [1, 5] }, 'name the bands that are a press'],
  ])('%j', (bands, message) => {
    expect(
      Bands.safeParse(bands)
        .error?.issues.map((issue) => issue.message)
        .join(),
    ).toContain(message)
  })
})
