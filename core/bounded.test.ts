import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundedMap } from './bounded.ts'

const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('set'), key: fc.nat(12) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('delete'), key: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('clear'), key: fc.nat(12) }) },
)

test('it holds what a plain map would whose first entry is deleted whenever there is one too many', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.array(move, { maxLength: 200 }), (max, moves) => {
      const bounded = new BoundedMap<number, number>(max)
      const plain = new Map<number, number>()
      for (const [nth, { is, key }] of moves.entries()) {
        for (const map of [bounded, plain])
          if (is === 'set') map.set(key, nth)
          else if (is === 'delete') map.delete(key)
          else map.clear()
        if (plain.size > max) plain.delete([...plain.keys()][0] as number)
        expect([...bounded]).toEqual([...plain])
      }
    }),
  )
})
