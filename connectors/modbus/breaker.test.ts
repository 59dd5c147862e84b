import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Breaker, breakerOf } from './breaker.ts'
import modbus from './index.ts'

const hourMs = 3_600_000
/** What they cost before they are known to be dead is no longer counted, ms. */
const knownMs = 600_000

/** Units on one line, asked in turn for hours: one that lives, and dead ones, which take all the time that they are given. */
const share = (timeoutMs: number, dead: number, usualMs = 0): { lost: number; longestPause: number } => {
  const config = modbus.config.parse({ line: { path: '/dev/ttyS0' } })
  const alive = breakerOf(config, 1)
  const silent: Breaker[] = Array.from({ length: dead }, (_, n) => breakerOf(config, n + 2))
  if (usualMs > 0) for (const breaker of silent) breaker.answered(usualMs, 0)
  let now = 0
  let lost = 0
  let askedAt = 0
  let longestPause = 0
  while (now < hourMs) {
    now += 20
    alive.answered(5, now)
    for (const breaker of silent) {
      if (now < breaker.restUntil) continue
      const took = breaker.limit(timeoutMs)
      now += took
      if (now > knownMs) lost += took
      breaker.failed(took, now, true)
      longestPause = Math.max(longestPause, now - askedAt)
      askedAt = now
    }
  }
  return { lost: lost / (hourMs - knownMs), longestPause }
}

test('row 9: dead units cost the others less than a tenth of the poll time, however many and slow they are', () => {
  const timeout = fc.integer({ min: 50, max: 3_000 })
  fc.assert(
    fc.property(
      timeout,
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(0, 20),
      (timeoutMs, dead, usualMs) => {
        expect(share(timeoutMs, dead, usualMs).lost).toBeLessThan(0.1)
      },
    ),
    { numRuns: 30 },
  )
})

test('one dead unit is asked often enough to be back within 5 s', () => {
  expect(share(500, 1, 20).longestPause).toBeLessThan(5_000)
})

test('a slow unit that was silent once is still given the time that it needs', () => {
  const breaker = breakerOf(modbus.config.parse({ host: 'module' }), 1)
  breaker.answered(450, 1_000)
  breaker.failed(500, 2_000, true)
  expect(breaker.limit(500)).toBe(500)
})

test('one that is silent every other time costs no more', () => {
  const config = modbus.config.parse({ host: 'gateway' })
  const [flapping, other] = [breakerOf(config, 1), breakerOf(config, 2)]
  let now = 0
  let lost = 0
  for (let asked = 0; now < hourMs; ) {
    now += 20
    other.answered(5, now)
    if (now < flapping.restUntil) continue
    if (asked++ % 2 === 0) flapping.answered(5, now)
    else {
      const took = flapping.limit(500)
      now += took
      lost += took
      flapping.failed(took, now, true)
    }
  }
  expect(lost / now).toBeLessThan(0.1)
})

test('when nobody else waits, it is asked again at once', () => {
  const breaker = breakerOf(modbus.config.parse({ host: 'module' }), 1)
  breaker.failed(500, 1_000, true)
  breaker.failed(500, 1_500, true)
  expect(breaker.restUntil - 1_500).toBeLessThanOrEqual(250)
  breaker.answered(5, 2_100)
  expect(breaker.isOpen).toBe(false)
  expect(breaker.limit(500)).toBe(500)
})
