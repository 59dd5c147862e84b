import { createSecretKey } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { directory, incident, options, press, quiet } from '../store/fixtures/sets.ts'
import { inlineStore } from '../store/inline.ts'
import { Reader } from '../store/reader.ts'
import { readTrailKey } from './key.ts'
import { verifyTrail } from './verify.ts'

let dir: ReturnType<typeof directory>
beforeEach(() => {
  dir = directory()
})
afterEach(() => dir.remove())

const path = () => join(dir.path, 'duress.db')
const verify = (expected?: { seq: number; chain: string }) =>
  verifyTrail([path()], readTrailKey(dir.path)!, expected)
const tamper = (sql: string) => {
  const db = new DatabaseSync(path())
  db.exec(sql)
  db.close()
}
const presses = async (from: number, to: number) => {
  const store = inlineStore(options(dir.path).all)
  await store.open()
  for (let n = from; n <= to; n++) await store.commit(press(`i${n}`, { at: n }))
  const head = store.health().trailHead
  return { store, head }
}

test('follows a trail over many pages, and over several starts', async () => {
  await (await presses(1, 1_200)).store.close()
  const { store, head } = await presses(1_201, 2_500)
  // While the store is in use, too.
  expect(verify(head)).toEqual({ rows: 2_500, erased: 0, head, broken: null, afterFailure: 0 })
  await store.close()
})

test.each([
  ["UPDATE trail SET payload = '[]' WHERE seq = 3", 3, 'payload'],
  ["UPDATE trail SET payload = '[]', digest = zeroblob(32) WHERE seq = 3", 3, 'payload'],
  ['UPDATE trail SET payload = NULL, digest = zeroblob(32) WHERE seq = 3', 3, 'digest'],
  ['UPDATE trail SET at = 7 WHERE seq = 4', 4, 'time'],
  ['DELETE FROM trail WHERE seq = 2', 2, 'missing'],
  ['UPDATE trail SET seq = 99 WHERE seq = 5', 5, 'missing'],
  ['UPDATE anchor SET chain = zeroblob(31)', 1, 'place'],
  ['DELETE FROM anchor', 1, 'follows'],
])('finds the first break after %s', async (sql, seq, why) => {
  await (await presses(1, 5)).store.close()
  tamper(sql)
  expect(verify().broken).toMatchObject({ file: 'duress.db', seq, why: expect.stringContaining(why) })
})

test('a missing end is seen against a head that was exported, and only so', async () => {
  const { store, head } = await presses(1, 5)
  await store.close()
  tamper('DELETE FROM trail WHERE seq > 3')
  expect(verify().broken).toBeNull()
  expect(verify(head).broken).toMatchObject({ seq: 4, why: expect.stringContaining('cut off') })
  expect(verify({ seq: 3, chain: head.chain }).broken).toMatchObject({ seq: 3 })
})

test('another key follows nothing', async () => {
  await (await presses(1, 2)).store.close()
  const other = createSecretKey(Buffer.alloc(32, 1))
  expect(verifyTrail([path()], other).broken).toMatchObject({ seq: 1 })
})

test('retention erases payloads and persons, keeps the chain, what is open, held or kept', async () => {
  const { store } = await presses(1, 400)
  const hold = { door: 'd', mode: 'secure', until: 1, by: 'plan', body: {} }
  const close = Array.from({ length: 398 }, (_, n) => incident(`i${n + 1}`, { open: false }))
  close[9] = incident('i10', { open: false, kept: true })
  await store.commit(quiet({ at: 500, incidents: close }))
  const holds = [{ ...hold, id: 'h', incident: 'i20', ended: null }]
  await store.commit(quiet({ at: 500, holds, register: [{ kind: 'test', name: 'button', body: 1 }] }))
  await store.commit(
    quiet({ at: 501, trail: { incident: null, entries: [{ incident: 'i1' }, { incident: 'i399' }] } }),
  )
  await store.commit(quiet({ at: 502, trail: { incident: null, entries: [{ is: 'log-in', who: 'ann' }] } }))
  const young = { ...press('i401'), at: 900 }
  await store.commit(young)

  expect(await store.prune(400, 60_000)).toEqual({ erased: 0, more: false, evidence: [] })
  const first = await store.prune(800, 0)
  expect(first.more).toBe(true)
  expect(first.erased).toBeLessThan(300)
  expect(await store.prune(800, 60_000)).toMatchObject({ more: false })
  expect(await store.prune(800, 60_000)).toEqual({ erased: 0, more: false, evidence: [] })

  const left = ['i10', 'i20', 'i399', 'i400', 'i401']
  const { rows } = await store.incidents({}, null)
  expect(rows.map(({ id }) => id).sort()).toEqual(left)
  const reader = Reader.open(path())
  expect(reader.trailOf('i1').map(({ entries }) => entries === null)).toEqual([true, false])
  expect(reader.trailOf('i10')[0]?.entries).not.toBeNull()
  expect(reader.trail(402, 1)[0]?.entries).toBeNull()
  expect(reader.holds().map(({ id }) => id)).toEqual(['h'])
  reader.close()
  const counts = new DatabaseSync(path(), { readOnly: true })
  const count = (table: string) => Object.values(counts.prepare(`SELECT count(*) FROM ${table}`).get()!)[0]
  expect([count('fact'), count('command')]).toEqual([5, 10])
  counts.close()
  await store.close()
  expect(verify(store.health().trailHead)).toMatchObject({ rows: 403, erased: 397, broken: null })
})

test('no incident number is given twice, even when retention has erased the newest', async () => {
  const { store } = await presses(1, 3)
  await store.commit(quiet({ incidents: [3, 2, 1].map((n) => incident(`i${n}`, { open: false })) }))
  await store.prune(2_000, 60_000)
  await store.close()
  const again = inlineStore(options(dir.path).all)
  expect((await again.open()).nextIncidentNumber).toBe(4)
  await again.close()
})
