import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../fact.ts'
import { entriesIn, payloadOf } from './payload.ts'

const incident = '01a2088c-5dbd-71f1-b2ed-c39d77ec826d'
const command = (n: number): Json => ({
  what: 'command',
  incident,
  command: `${incident}/step.0.${n}/system-${n}`,
  target: `system-${n}`,
  capability: 'event.send',
})

test('what ten targets are told takes a fourth of its text, and comes back as it was', () => {
  const entries = [
    { what: 'press', incident, trace: [1] },
    ...Array.from({ length: 10 }, (_, n) => command(n)),
  ]
  const payload = payloadOf(entries)
  expect(payload.split(incident)).toHaveLength(3)
  expect(payload.length).toBeLessThan(JSON.stringify(entries).length / 3)
  expect(JSON.stringify(entriesIn(payload))).toBe(JSON.stringify(entries))
})

test('entries of an earlier version, one by one, are read as they are', () => {
  const entries = [command(0), command(1), 'words', null, [1]]
  expect(entriesIn(JSON.stringify(entries))).toEqual(entries)
})

test('entries that say the same stay as many as they were', () => {
  const entry = { what: 'summary', incident: null, words: 'again', count: 1 }
  expect(entriesIn(payloadOf([entry, entry, entry]))).toEqual([entry, entry, entry])
})

test('any entries come back as JSON itself would bring them', () => {
  const id = fc.oneof(fc.constantFrom('a', 'b', '', '/', 'a/b'), fc.constant(null))
  const like = fc.record(
    {
      what: fc.constantFrom('command', 'receipt'),
      incident: id,
      command: fc.oneof(id, fc.constantFrom('a/step/x', 'b/step/x', '/step/x', 'step')),
      more: fc.oneof(fc.constant(undefined), fc.constantFrom(1, 2), fc.jsonValue()),
    },
    { requiredKeys: ['what'] },
  )
  const entry = fc.oneof({ weight: 5, arbitrary: like }, fc.jsonValue())
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const all = entries as Json[]
      expect(JSON.stringify(entriesIn(payloadOf(all)))).toBe(JSON.stringify(all))
    }),
    { numRuns: 2_000 },
  )
})
