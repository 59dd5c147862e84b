import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Sign } from './heard.ts'
import { judge, type Seen } from './judge.ts'
import { cursorOf, type Memory, memoryOf } from './memory.ts'

const start = Date.UTC(2026, 0, 5, 8)

/** One badge that is listened to, with what was remembered of it. */
class Badge {
  memory: Memory = {}
  keys: string[] = []
  presses = 0

  hear(sign: Sign, seen: Partial<Seen> = {}): boolean {
    const all = { now: start, at: undefined, retained: false, quietMs: 10_000, ...seen }
    const verdict = judge(sign, all, this.memory)
    this.memory = verdict.memory
    if (verdict.isNew) {
      this.keys.push(verdict.key as string)
      this.presses += verdict.presses
    }
    return verdict.isNew
  }

  /** As after a restart of the bridge: only the cursor is left, as JSON. */
  restart(): void {
    this.memory = memoryOf(JSON.parse(JSON.stringify(cursorOf(this.memory))))
  }
}

const clicks = (counter: number, sinceS: number | null | undefined): Sign => ({
  is: 'counter',
  counter,
  sinceS,
})

describe('a counter of presses', () => {
  test('at the start an old press does not fire, and one that was just made does', () => {
    expect(new Badge().hear(clicks(7, 30_000))).toBe(false)
    expect(new Badge().hear(clicks(7, null))).toBe(false)
    expect(new Badge().hear(clicks(7, undefined))).toBe(false)
    expect(new Badge().hear(clicks(7, 3))).toBe(true)
    expect(new Badge().hear(clicks(0, 0))).toBe(true)
  })

  test('a retained message says when it was written, or nothing', () => {
    const lying = { retained: true, now: start }
    expect(new Badge().hear(clicks(7, 3), lying)).toBe(false)
    for (const days of [1, 2, 300])
      expect(new Badge().hear(clicks(7, 3), { ...lying, at: start - days * 86_400_000 })).toBe(false)
    expect(new Badge().hear(clicks(7, 3), { ...lying, at: start - 1_000 })).toBe(true)
  })

  test('growing by one is a press, by more are several, and staying is none', () => {
    const badge = new Badge()
    badge.hear(clicks(7, null))
    expect([7, 8, 8, 8, 11, 11].map((counter) => badge.hear(clicks(counter, 0)))).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
    ])
    expect(badge.presses).toBe(4)
  })

  test('over a restart of ours nothing is lost and nothing doubled', () => {
    const badge = new Badge()
    badge.hear(clicks(7, null))
    badge.hear(clicks(8, 0))
    badge.restart()
    expect(badge.hear(clicks(8, 2))).toBe(false)
    badge.restart()
    expect(badge.hear(clicks(10, 40_000))).toBe(true)
    expect(badge.presses).toBe(3)
  })

  test.each([
    [255, 0],
    [254, 3],
    [65_535, 1],
  ])('running over from %i to %i is a press', (from, to) => {
    const badge = new Badge()
    badge.hear(clicks(from, null))
    expect(badge.hear(clicks(to, null), { now: start + 1_000 })).toBe(true)
    // A gateway that is behind still tells the old one.
    expect(badge.hear(clicks(from, 3), { now: start + 1_100 })).toBe(false)
    expect(badge.hear(clicks(to, 1), { now: start + 1_200 })).toBe(false)
    expect(badge.hear(clicks(to + 1, 0), { now: start + 9_000 })).toBe(true)
    expect(new Set(badge.keys).size).toBe(2)
  })

  test('a gateway that is behind tells an older count: no press', () => {
    const badge = new Badge()
    badge.hear(clicks(7, null))
    badge.hear(clicks(9, 0), { now: start + 500 })
    expect(badge.hear(clicks(8, 1), { now: start + 600 })).toBe(false)
    expect(badge.hear(clicks(9, 1), { now: start + 700 })).toBe(false)
  })

  test('a new battery counts from 0: not minus eight presses, and its first press counts', () => {
    const badge = new Badge()
    badge.hear(clicks(8, 0))
    expect(badge.hear(clicks(0, null), { now: start + 60_000 })).toBe(false)
    expect(badge.hear(clicks(1, 0), { now: start + 90_000 })).toBe(true)
    const seenLater = new Badge()
    seenLater.hear(clicks(8, 0))
    expect(seenLater.hear(clicks(1, 4), { now: start + 60_000 })).toBe(true)
    // The same count as before the change, but another press.
    badge.hear(clicks(8, 0), { now: start + 99_000 })
    expect(new Set(badge.keys).size).toBe(badge.keys.length)
  })

  test('a vendor whose clock stands still costs no press', () => {
    const badge = new Badge()
    const stands = { at: Date.UTC(2000, 0, 1) }
    badge.hear(clicks(8, 0), { ...stands, now: start })
    expect(badge.hear(clicks(1, 0), { ...stands, now: start + 60_000 })).toBe(true)
    expect(badge.hear(clicks(0, null), { ...stands, now: start + 120_000 })).toBe(false)
    expect(badge.hear(clicks(1, 0), { ...stands, now: start + 180_000 })).toBe(true)
    expect(new Set(badge.keys).size).toBe(3)
  })

  test('any order of repeats by any gateways makes each press once', () => {
    const deliveries = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(fc.nat({ max: 70_000 }), deliveries, (first, steps) => {
        const badge = new Badge()
        badge.hear(clicks(first % 65_536, null))
        let counter = first % 65_536
        let pressed = 0
        let now = start
        for (const step of steps) {
          now += 500
          counter = (counter + step) % 65_536
          pressed += step
          badge.hear(clicks(counter, step > 0 ? 0 : 1), { now })
          badge.hear(clicks(counter, 0), { now: now + 10 })
          if (step === 2) badge.restart()
        }
        expect(badge.presses).toBe(pressed)
        expect(new Set(badge.keys).size).toBe(badge.keys.length)
      }),
    )
  })
})

const stamp = (pushed: boolean, pressedAt: number | null): Sign => ({
  is: 'stamp',
  button: 'button1',
  pushed,
  pressedAt,
})

describe('a state with the time of the last press', () => {
  test('each time is one press, however often it is told', () => {
    const badge = new Badge()
    badge.hear(stamp(false, start - 86_400_000))
    expect(badge.presses).toBe(0)
    for (let time = 0; time < 3; time++) badge.hear(stamp(true, start))
    badge.hear(stamp(false, start))
    badge.restart()
    badge.hear(stamp(false, start))
    expect(badge.presses).toBe(1)
    badge.hear(stamp(false, start + 4_000))
    expect(badge.presses).toBe(2)
  })

  test('without a time the change counts, not the state', () => {
    const badge = new Badge()
    const told = [false, true, true, false, true].map((pushed, nth) =>
      badge.hear(stamp(pushed, null), { now: start + nth * 1_000 }),
    )
    expect(told).toEqual([false, true, false, false, true])
    expect(new Set(badge.keys).size).toBe(2)
  })

  test('held down when we hear of it first', () => {
    expect(new Badge().hear(stamp(true, start - 900_000))).toBe(true)
    expect(new Badge().hear(stamp(true, start - 900_000), { retained: true })).toBe(false)
    expect(new Badge().hear(stamp(false, start - 2_000))).toBe(true)
  })

  test('a clock that was set back hides no press', () => {
    const badge = new Badge()
    badge.hear(stamp(true, start))
    badge.hear(stamp(false, start))
    expect(badge.hear(stamp(true, start - 3_600_000))).toBe(true)
    expect(badge.hear(stamp(false, start - 7_200_000))).toBe(false)
  })
})

describe('a message that is the press', () => {
  const frame = (id: string): Sign => ({ is: 'event', id, sameMs: 600_000 })

  test('the same frame told again is the same, also after a restart', () => {
    const badge = new Badge()
    expect(badge.hear(frame('a/94'), { at: start })).toBe(true)
    expect(badge.hear(frame('a/94'), { at: start + 5_000, now: start + 5_000 })).toBe(false)
    badge.restart()
    expect(badge.hear(frame('a/94'), { now: start + 9_000 })).toBe(false)
    expect(badge.hear(frame('a/95'), { now: start + 9_000 })).toBe(true)
  })

  test('a count that starts anew is another press, with another key', () => {
    const badge = new Badge()
    badge.hear(frame('a/1'))
    expect(badge.hear(frame('a/1'), { now: start + 3_600_000 })).toBe(true)
    expect(new Set(badge.keys).size).toBe(2)
  })

  test('retained: that is the last press, whenever it was', () => {
    expect(new Badge().hear(frame('a/94'), { retained: true })).toBe(false)
  })
})

describe('advertised while it lasts', () => {
  const advert: Sign = { is: 'advert' }

  test('one press until it was quiet, over a restart of ours too', () => {
    const badge = new Badge()
    for (let at = 0; at < 30_000; at += 500) {
      badge.hear(advert, { now: start + at })
      if (at === 15_000) badge.restart()
    }
    expect(badge.presses).toBe(1)
    expect(badge.hear(advert, { now: start + 45_000 })).toBe(true)
  })
})

test('any signs in any order neither throw nor make a key twice, and their memory is a cursor', () => {
  const sign = fc.oneof(
    fc.record({
      is: fc.constant('counter' as const),
      counter: fc.nat({ max: 70_000 }),
      sinceS: fc.oneof(fc.nat({ max: 70_000 }), fc.constant(null), fc.constant(undefined)),
    }),
    fc.record({
      is: fc.constant('stamp' as const),
      button: fc.constantFrom('button1', 'button2'),
      pushed: fc.boolean(),
      pressedAt: fc.oneof(fc.constant(null), fc.integer({ min: start - 100_000, max: start + 100_000 })),
    }),
    fc.record({
      is: fc.constant('event' as const),
      id: fc.string({ maxLength: 3 }),
      sameMs: fc.nat(100_000),
    }),
    fc.constant({ is: 'advert' as const }),
  )
  const heard = fc.tuple(sign, fc.integer({ min: 1, max: 30_000 }), fc.boolean())
  fc.assert(
    fc.property(fc.array(heard, { maxLength: 60 }), (all) => {
      const badge = new Badge()
      let now = start
      for (const [each, after, retained] of all) {
        now += after
        badge.hear(each, { now, retained })
        expect(memoryOf(cursorOf(badge.memory))).toEqual(memoryOf(cursorOf(memoryOf(cursorOf(badge.memory)))))
      }
      expect(new Set(badge.keys).size).toBe(badge.keys.length)
    }),
  )
})
