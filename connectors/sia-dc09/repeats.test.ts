import { describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import { stampOf } from './codec.ts'
import { Repeats, type Sent } from './repeats.ts'

const noon = Date.UTC(2026, 10, 22, 12)
const minute = 60_000

const sent = (over: Partial<Sent> = {}, at = noon): Sent => ({
  account: '0809',
  seq: '0007',
  body: 'SIA-DCS\n#0809|Nri1/PA005',
  timestamp: stampOf(at),
  cipher: null,
  ...over,
})

const fresh = () => new Repeats(new Map())

describe('a repeat has the key of the first', () => {
  test.each([
    ['at once', {}, 0],
    ['after 4 min', {}, 4 * minute],
    ['stamped anew 40 s later', { timestamp: stampOf(noon + 40_000) }, 40_000],
  ])('%s', (_name, over, laterMs) => {
    const repeats = fresh()
    expect(repeats.keyOf(sent(over), noon + laterMs).key).toBe(repeats.keyOf(sent(), noon).key)
  })

  test('each attempt starts the time anew', () => {
    const repeats = fresh()
    const first = repeats.keyOf(sent({ timestamp: null }), noon).key
    for (let n = 1; n <= 20; n++)
      expect(repeats.keyOf(sent({ timestamp: null }), noon + n * 4 * minute).key).toBe(first)
  })

  test('of the same bytes, also when nothing is remembered', () => {
    expect(fresh().keyOf(sent(), noon + 9 * minute).key).toBe(fresh().keyOf(sent(), noon).key)
  })
})

describe('a new press has a key of its own', () => {
  test.each([
    ['another sequence', { seq: '0008' }, 0],
    ['another zone', { body: 'SIA-DCS\n#0809|Nri1/PA006' }, 0],
    ['another account', { account: '0810' }, 0],
    [
      'a panel that restarted and counts from the start',
      { timestamp: stampOf(noon + 3 * minute) },
      3 * minute,
    ],
    ['the sequence came round', { timestamp: stampOf(noon + 180 * minute) }, 180 * minute],
  ])('%s', (_name, over, laterMs) => {
    const repeats = fresh()
    const first = repeats.keyOf(sent(), noon).key
    expect(repeats.keyOf(sent(over), noon + laterMs).key).not.toBe(first)
  })

  test('without a time, after 5 min of silence', () => {
    const repeats = fresh()
    const first = repeats.keyOf(sent({ timestamp: null }), noon).key
    expect(repeats.keyOf(sent({ timestamp: null }), noon + 5 * minute + 1).key).not.toBe(first)
  })

  test('without sequence and time, after 30 s', () => {
    const repeats = fresh()
    const bare = sent({ timestamp: null, seq: '0000' })
    const first = repeats.keyOf(bare, noon).key
    expect(repeats.keyOf(bare, noon + 25_000).key).toBe(first)
    expect(repeats.keyOf(bare, noon + 56_000).key).not.toBe(first)
  })

  test('a clock that stands still tells nothing', () => {
    const repeats = fresh()
    const stuck = sent({ timestamp: '00:00:01,01-01-2000' })
    const first = repeats.keyOf(stuck, noon).key
    expect(repeats.keyOf(stuck, noon + minute).key).toBe(first)
    expect(repeats.keyOf(stuck, noon + 10 * minute).key).not.toBe(first)
  })
})

describe('over a restart', () => {
  const after = (before: Repeats, one: Sent, at: number) =>
    new Repeats(new Map([['button', before.cursorOf('button', before.keyOf(one, at).entry)]]))

  test.each([
    ['the same bytes', sent(), sent()],
    ['without a time', sent({ timestamp: null }), sent({ timestamp: null })],
    ['stamped anew', sent(), sent({ timestamp: stampOf(noon + 50_000) })],
    ['played back under another sequence', sent({ cipher: 'AB12' }), sent({ cipher: 'ab12', seq: '0099' })],
  ])('%s', (_name, one, again) => {
    const before = fresh()
    const { key } = before.keyOf(one, noon)
    expect(after(before, one, noon).keyOf(again, noon + 50_000).key).toBe(key)
  })

  test('a cursor holds the last 8, and nonsense in one does no harm', () => {
    const repeats = fresh()
    let cursor: Json = []
    for (let n = 1; n <= 20; n++)
      cursor = repeats.cursorOf('button', repeats.keyOf(sent({ seq: `00${10 + n}` }), noon).entry)
    expect(cursor).toHaveLength(8)
    for (const bad of [null, 'x', 7, [null], [{ like: 1 }], [{ like: 'x', key: 'y' }], { a: [] }] as Json[])
      expect(() => new Repeats(new Map([['button', bad]]))).not.toThrow()
  })
})

test('with 50,000 others in between the first is forgotten: memory is bounded', () => {
  // Across the end of a stretch, where only what is remembered gives the same key.
  const rememberedAfter = (others: number): boolean => {
    const repeats = fresh()
    const first = sent({ timestamp: null })
    const { key } = repeats.keyOf(first, noon - 1)
    for (let n = 0; n < others; n++) repeats.keyOf(sent({ body: `other ${n}` }), noon)
    return repeats.keyOf(first, noon + 1).key === key
  }
  expect(rememberedAfter(49_000)).toBe(true)
  expect(rememberedAfter(51_000)).toBe(false)
})
