import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { directory } from '../store/fixtures/sets.ts'
import { Evidence } from './evidence.ts'

let dir: ReturnType<typeof directory>
beforeEach(() => {
  dir = directory()
})
afterEach(() => dir.remove())

const files = () => readdirSync(join(dir.path, 'evidence'))

test('keeps bytes under their hash, once', async () => {
  const evidence = new Evidence(dir.path)
  const bytes = randomBytes(10_000)
  const hash = await evidence.keep(bytes)
  expect(hash).toBe(createHash('sha256').update(bytes).digest('hex'))
  expect(await evidence.keep(bytes)).toBe(hash)
  expect(files()).toEqual([hash])
  expect(Buffer.from((await new Evidence(dir.path).read(hash))!)).toEqual(bytes)
  expect(await evidence.read('0'.repeat(64))).toBeNull()
  expect(await evidence.read('../trail.key')).toBeNull()
})

test('refuses a new piece when the quota is full, and never removes an old one for it', async () => {
  const evidence = new Evidence(dir.path, { quotaBytes: 2_500 })
  const pieces = Array.from({ length: 10 }, () => randomBytes(1_000))
  const ends = await Promise.allSettled(pieces.map((piece) => evidence.keep(piece)))
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
  expect(ends.at(-1)).toMatchObject({ reason: { code: 'TOO_LARGE' } })
  // Another start counts the same.
  const again = new Evidence(dir.path, { quotaBytes: 2_500 })
  await expect(again.keep(randomBytes(1_000))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  expect(await again.remove(files()[0]!, Number.POSITIVE_INFINITY)).toBe(true)
  await again.keep(randomBytes(1_000))
  expect(files()).toHaveLength(2)
})

test('retention removes what was last kept before its time, not what something younger has kept again', async () => {
  const evidence = new Evidence(dir.path)
  const bytes = randomBytes(100)
  const hash = await evidence.keep(bytes)
  const path = join(dir.path, 'evidence', hash)
  const longAgo = new Date('2020-01-01')
  utimesSync(path, longAgo, longAgo)
  const before = Date.parse('2021-01-01')
  await evidence.keep(bytes)
  expect(await evidence.remove(hash, before)).toBe(false)
  utimesSync(path, longAgo, longAgo)
  expect(await evidence.remove(hash, before)).toBe(true)
  expect(await evidence.remove(hash, before)).toBe(false)
  expect(files()).toEqual([])
})

test('the same bytes twice at once are one piece, and count once', async () => {
  const evidence = new Evidence(dir.path, { quotaBytes: 2_000 })
  const bytes = randomBytes(1_000)
  await Promise.all([evidence.keep(bytes), evidence.keep(bytes), evidence.keep(bytes)])
  await evidence.keep(randomBytes(1_000))
  expect(files()).toHaveLength(2)
})

test('refuses a piece that is too large', async () => {
  const evidence = new Evidence(dir.path, { pieceBytes: 100 })
  await expect(evidence.keep(randomBytes(101))).rejects.toMatchObject({ code: 'TOO_LARGE' })
})

test('sees that a piece was changed', async () => {
  const evidence = new Evidence(dir.path)
  const hash = await evidence.keep(randomBytes(100))
  writeFileSync(join(dir.path, 'evidence', hash), 'something else')
  await expect(evidence.read(hash)).rejects.toMatchObject({ code: 'CHAIN_BROKEN' })
})

test('removes what a crash left unfinished', async () => {
  await new Evidence(dir.path).keep(randomBytes(100))
  writeFileSync(join(dir.path, 'evidence', `${'a'.repeat(64)}.x.new`), 'half of it')
  await new Evidence(dir.path).keep(randomBytes(100))
  expect(files().filter((name) => name.endsWith('.new'))).toEqual([])
})
