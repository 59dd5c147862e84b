import { describe, expect, test } from 'vitest'
import type { Device } from '../site/site.ts'
import { type Known, standing, words } from './standing.ts'

const now = Date.UTC(2026, 10, 22, 12)
const minute = 60_000
const day = 86_400_000

const device = (over: Partial<Device> = {}): Device =>
  ({ name: 'b1', input: {}, worn: false, silentAfterMs: null, testEveryMs: null, ...over }) as Device

const known = (over: Partial<Known> = {}): Known => ({
  link: { good: true, why: '' },
  quality: 'good',
  heardAt: now,
  since: now - 400 * day,
  assigned: true,
  tested: undefined,
  service: undefined,
  inspection: undefined,
  ...over,
})

const proven = (at: number) => ({
  proof: { at, by: 'T. Ester', how: 'walk-test' as const, outputs: [] },
  failed: null,
})

const is = (of: Partial<Device>, what: Partial<Known> = {}) => standing(device(of), known(what), now).is

describe('a fixed device', () => {
  test.each([
    ['its link is down', { link: { good: false, why: 'panel is not connected' } }],
    ['it cannot be read', { quality: 'unknown' as const }],
    ['it has been silent too long', { heardAt: now - 146_000 }],
    ['it has never been heard since its link opened', { heardAt: null, since: now - 146_000 }],
  ])('is lost when %s', (_why, what) => {
    expect(is({ silentAfterMs: 145_000 }, what)).toBe('lost')
  })

  test('is not lost within its time', () => {
    expect(is({ silentAfterMs: 145_000 }, { heardAt: now - 145_000 })).toBe('fine')
  })

  test('counts its silence anew when its link has come back', () => {
    expect(is({ silentAfterMs: 145_000 }, { heardAt: now - day, since: now - minute })).toBe('fine')
  })

  test('that is silent by nature may be silent', () => {
    expect(is({}, { heardAt: null })).toBe('fine')
  })

  test('is fine when no test is demanded, whatever was tested', () => {
    expect(is({}, { tested: proven(now - 900 * day) })).toBe('fine')
  })

  test.each([
    ['never-tested', undefined],
    ['proven', proven(now - 30 * day)],
    ['late', proven(now - 30 * day - 1)],
  ] as const)('whose test is due every 30 days is %s', (expected, tested) => {
    expect(is({ testEveryMs: 30 * day }, { tested })).toBe(expected)
  })

  test('says why its last test failed, and stays proven by the one before', () => {
    const failed = { at: now, by: 'T. Ester', why: 'page.send security: unknown pager' }
    const stands = standing(
      device({ testEveryMs: 30 * day }),
      known({ tested: { ...proven(now - day), failed } }),
      now,
    )
    expect(stands).toEqual({
      is: 'proven',
      why: 'tested 24 h ago by T. Ester (walk-test); the last test failed: page.send security: unknown pager',
    })
  })
})

describe('a worn device', () => {
  test.each([
    ['never-tested', 13 * day],
    ['missing', 14 * day],
  ] as const)('unseen is %s after %i ms', (expected, unseen) => {
    expect(is({ worn: true }, { heardAt: now - unseen, since: now - unseen })).toBe(expected)
  })

  test('is not waited for while nobody carries it', () => {
    expect(is({ worn: true }, { assigned: false, heardAt: now - 90 * day })).toBe('fine')
  })

  test('is neither lost by its link nor by silence', () => {
    const what = {
      link: { good: false, why: 'broker away' },
      quality: 'unknown' as const,
      tested: proven(now),
    }
    expect(is({ worn: true, silentAfterMs: minute }, { ...what, heardAt: now - day })).toBe('proven')
  })

  test.each([
    ['proven', proven(now - 180 * day), now - 400 * day],
    ['late', proven(now - 181 * day), now - 400 * day],
    ['never-tested', undefined, now - 179 * day],
    ['late', undefined, now - 180 * day],
  ] as const)('is tested every 180 days: %s', (expected, tested, since) => {
    expect(is({ worn: true }, { tested, since })).toBe(expected)
  })
})

describe('what is known by somebody goes first', () => {
  const repair = { since: now - minute, until: now + minute, by: 'T. Ech', why: 'new cable' }
  const inspection = { damaged: true, note: 'torn off', photo: null, by: 'R. Ound', at: now - day }

  test('service mode, then damage, then silence', () => {
    const lost = { link: { good: false, why: 'down' } }
    expect(is({}, { ...lost, inspection, service: repair })).toBe('service')
    expect(is({}, { ...lost, inspection })).toBe('damaged')
    expect(is({}, { ...lost, inspection: { ...inspection, damaged: false } })).toBe('lost')
  })

  test('service mode ends at its time', () => {
    expect(is({}, { service: { ...repair, until: now } })).toBe('fine')
  })
})

test.each([
  [40_000, '40 s'],
  [600_000, '10 min'],
  [3 * 3_600_000, '3 h'],
  [14 * day, '14 days'],
])('%i ms are "%s"', (ms, said) => {
  expect(words(ms)).toBe(said)
})
