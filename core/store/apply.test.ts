import { createSecretKey } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encode, type Value } from './encode.ts'
import { place } from './fixtures/place.ts'
import { command, incident, press, quiet } from './fixtures/sets.ts'
import { packed } from './journal.ts'
import type { ChangeSet } from './port.ts'
import { Engine } from './sqlite.ts'

const key = createSecretKey(Buffer.alloc(32))
const engine = (path = ':memory:'): Engine => {
  const made = new Engine(path, key)
  made.take()
  return made
}
const flatOf = (set: ChangeSet): Value[] => {
  const flat: Value[] = []
  encode({ ...set, trail: { incident: 'i', entries: ['said'] } }, flat)
  return flat
}

/** A part of the life of one of two commands, fitting or not. */
const part: fc.Arbitrary<ChangeSet> = fc
  .record({
    target: fc.constantFrom('a', 'b'),
    // Mostly what fits: one misfit sends the whole batch another way.
    attempt: fc.oneof({ weight: 6, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.nat(2) }),
    what: fc.nat(3),
  })
  .map(({ target, attempt, what }) => {
    const id = `i/0/${target}`
    if (what === 0) return quiet({ commands: [command('i', target, attempt)] })
    if (what === 1) return quiet({ starts: [{ command: id, attempt, at: 1 }] })
    if (what === 2) return quiet({ retries: [{ command: id, attempt, dueAt: 9, effect: 'possible' }] })
    return quiet({ settles: [{ command: id, attempt, receipt: { end: 'done' } }] })
  })

test('however a life is spread over batches, the records are the same, and what does not fit is refused', () => {
  const batches = fc.array(fc.array(part, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(batches, (batches) => {
      const [together, alone] = [engine(), engine()]
      for (const one of [together, alone]) one.write([flatOf(quiet({ incidents: [incident('i')] }))], 0)
      let n = 0
      for (const sets of batches) {
        const { refused } = together.write(sets.map(flatOf), ++n)
        const refusedAlone = sets.flatMap((set, index) =>
          alone.write([flatOf(set)], n).refused.map(([, why]) => [index, why]),
        )
        expect(refused).toEqual(refusedAlone)
        expect(together.reader.due(null, 10)).toEqual(alone.reader.due(null, 10))
        expect(together.head).toEqual(alone.head)
        expect(together.reader.commandsOf('i', null)).toEqual(alone.reader.commandsOf('i', null))
      }
      together.close()
      alone.close()
    }),
    { numRuns: 1_000 },
  )
})

test('a key that is used: who asks repeats a press, what is answered is another one, and both stay on record', () => {
  const again = press('i2')
  const flat: Value[] = []
  encode({ ...again, fact: { ...again.fact!, key: 'key-i1' } }, flat)
  const ways: readonly [string[], (one: Engine) => unknown][] = [
    [['i1'], (one) => one.write([flat], 2)],
    [['i1', 'i2'], (one) => one.write([packed(flat)], 2)],
    [['i1', 'i2'], (one) => one.catchUp([{ store: 1, n: 2, flat }])],
    [['i1'], (one) => one.replay(flat)],
  ]
  for (const [known, write] of ways) {
    const path = join(place(), 'duress.db')
    const one = engine(path)
    one.write([flatOf(press('i1'))], 1)
    write(one)
    one.close()
    const db = new DatabaseSync(path)
    expect(db.prepare('SELECT id FROM incident ORDER BY number').all()).toEqual(known.map((id) => ({ id })))
    const facts = known.map((name) => ({ id: `fact-${name}`, body: '{"is":"press"}' }))
    expect(db.prepare('SELECT id, body FROM fact ORDER BY n').all()).toEqual(facts)
    db.close()
  }
})
