import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { cases } from '../connectors/conformance/kit.ts'
import { catalogue } from '../connectors/index.ts'
import good, { bell, type Mistake } from './conformance/bell/index.ts'
import { bellTower } from './conformance/bell/tower.ts'

test.each([...catalogue.values()])('$type runs the conformance kit', async ({ module }) => {
  const source = await readFile(new URL('conformance.test.ts', module), 'utf8')
  expect(source).toMatch(/import \{[^}]*\bcases\b[^}]*\} from '(\.\.\/)+conformance\/kit\.ts'/)
  expect(source).toMatch(/from '\.\/index\.ts'/)
  expect(source, 'no case is left out').not.toMatch(/\.(skip|todo|only|fails)\b|skipIf|runIf/)
})

describe('a connector without a mistake', async () => {
  for (const { name, run } of await cases(bellTower(good))) test(name, run)
})

/** The case that each mistake must fail. */
const found: Record<Mistake, string> = {
  'takes unknown fields': 'an unknown field is refused wherever it stands',
  'describes nothing': 'every field is described, and unknown ones are refused',
  'leaks its socket': '20 times opened and closed leaves nothing behind',
  'closes for ever': 'close is prompt, and closing again does nothing',
  'never gives up opening': 'opening to a peer that is half-open ends, and works once the peer does',
  'rejects with anything': 'opening to a peer that is refusing ends, and works once the peer does',
  throws: 'an order to a peer that is half-open has an outcome, and the next one works',
  'waits for ever': 'an order to a peer that is half-open has an outcome, and the next one works',
  'calls the effect none': 'an order to a peer that is half-open has an outcome, and the next one works',
  'acts though given up': 'an order that is given up before it starts does nothing',
  'acts when closed': 'a closed link does nothing any more',
  'tells the secret': 'close is prompt, and closing again does nothing',
  'acknowledges first': 'the wire is told when a press is on disk, not before',
  'numbers presses anew': 'over a restart of ours no press is lost or doubled',
  'takes every press for another': 'a press that is told twice is one',
  'lets a rejection go': 'a press that could not be recorded comes again as the same',
}

test.each(Object.entries(found))('a connector that %s fails', async (mistake, name) => {
  const all = await cases(bellTower(bell(mistake as Mistake)))
  const one = all.find((each) => each.name === name)
  await expect(one?.run()).rejects.toThrow()
})
