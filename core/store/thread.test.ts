import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { expect, test, vi } from 'vitest'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { storeFiles } from './files.ts'
import { hold } from './fixtures/hold.ts'
import { cleanups, place } from './fixtures/place.ts'
import { incident, options, press, quiet, recordingAgain, until } from './fixtures/sets.ts'
import { keysInMemory } from './load.ts'
import type { Committed } from './port.ts'
import { migrate, migrations, openDatabase, versionOf } from './schema.ts'
import { threadStore } from './thread.ts'

const start = async (dir: string) => {
  const { all, told } = options(dir)
  const store = threadStore(all)
  cleanups.push(() => store.close())
  await store.open()
  return { store, told }
}

/** A store that can have no journal: what is in its place is none. */
const startWithoutJournal = (dir: string) => {
  mkdirSync(join(dir, 'journal'))
  return start(dir)
}

test('a file that is held for a while costs nobody anything: the journal has it, and the file gets it', async () => {
  const dir = place()
  const { store, told } = await start(dir)
  const letGo = hold(join(dir, 'duress.db'))
  const seen: string[] = []
  for (const name of ['i1', 'i2']) {
    expect(await store.commit(press(name), () => seen.push(name))).toEqual({ recorded: true })
    expect(await store.commit(press(name))).toMatchObject({
      recorded: true,
      duplicate: { id: `fact-${name}` },
    })
  }
  expect(seen).toEqual(['i1', 'i2'])
  letGo()
  expect((await store.incidents({}, null)).rows.map(({ id }) => id)).toEqual(['i2', 'i1'])
  expect(told).toEqual([])
})

test('without a journal, a commit that hangs holds up no response, and says the truth when it is known', async () => {
  const dir = place()
  const { store, told } = await startWithoutJournal(dir)
  const letGo = hold(join(dir, 'duress.db'))
  const seen: string[] = []
  const commit = async (name: string) => {
    const end = await store.commit(press(name), () => seen.push(`act ${name}`))
    seen.push(`recorded ${name}`)
    return end
  }
  const ends: Promise<Committed>[] = [commit('i1'), commit('i2')]
  await until('the responses run', () => seen.length === 2)
  ends.push(commit('i3'))
  expect(seen).toEqual(['act i1', 'act i2', 'act i3'])
  expect(store.health().inFlightMs).toBeGreaterThan(240)
  letGo()
  expect(await Promise.all(ends)).toEqual([{ recorded: true }, { recorded: true }, { recorded: true }])
  expect(seen.slice(3)).toEqual(['recorded i1', 'recorded i2', 'recorded i3'])
  expect(told.map(({ recording }) => recording)).not.toContain(false)
})

test('a file that stays held is given up for a fresh one', async () => {
  const dir = place()
  const { store, told } = await start(dir)
  const letGo = hold(join(dir, 'duress.db'))
  cleanups.push(letGo)
  expect(await store.commit(press('i1'))).toEqual({ recorded: true })
  await until('it gives up', () => told.some(({ recording }) => !recording))
  expect(await store.commit(press('i2'))).toMatchObject({
    recorded: false,
    why: expect.stringContaining('locked'),
  })
  await recordingAgain(store)
  expect(storeFiles(dir)).toHaveLength(2)
  expect((await store.trail(1, 10)).flatMap(({ incidents }) => incidents)).toEqual(['i1', 'i2'])
  expect(await store.commit(press('i1'))).toMatchObject({ recorded: true, duplicate: { id: 'fact-i1' } })
})

test('without a journal, a file that stays held: whoever waits is told that it is not recorded', async () => {
  const dir = place()
  const { store } = await startWithoutJournal(dir)
  cleanups.push(hold(join(dir, 'duress.db')))
  expect(await store.commit(press('i1'))).toMatchObject({
    recorded: false,
    why: expect.stringContaining('locked'),
  })
  await recordingAgain(store)
  expect((await store.trail(1, 10)).flatMap(({ incidents }) => incidents)).toEqual(['i1'])
})

test('what does not fit the records although it was told to be there is told, and costs nothing else', async () => {
  const misfits: string[] = []
  const { all } = options(place(), { misfit: (why) => misfits.push(why) })
  const store = threadStore(all)
  cleanups.push(() => store.close())
  await store.open()
  const settles = [{ command: 'nobody', attempt: 1, receipt: {} }]
  const ends = [store.commit(press('i1')), store.commit(press('i2', { settles })), store.commit(press('i3'))]
  expect((await Promise.all(ends)).map(({ recorded }) => recorded)).toEqual([true, true, true])
  expect((await store.incidents({}, null)).rows.map(({ id }) => id)).toEqual(['i3', 'i1'])
  expect(misfits).toEqual(['command nobody is not at attempt 1, has ended, or is not in the store'])
})

test('a key of today that memory has forgotten: what was done is written down all the same, in its order', async () => {
  const misfits: string[] = []
  const store = threadStore(options(place(), { misfit: (why) => misfits.push(why) }).all)
  cleanups.push(() => store.close())
  await store.open()
  const only = (name: string) => ({ ...press(name), incidents: [], commands: [] })
  await store.commit(press('i0'))
  for (let from = 1; from <= keysInMemory; from += 1_000)
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => store.commit(only(`i${from + n}`))))
  expect(store.answered('panel', 'key-i0')).toBeNull()
  const again = press('i99999')
  const settles = again.commands!.map(({ id, attempt }) => ({ command: id, attempt, receipt: 'done' }))
  const fact = { ...again.fact!, key: press('i0').fact!.key }
  const ends = [store.commit({ ...again, fact }), store.commit(quiet({ settles }))]
  ends.push(store.commit(quiet({ incidents: [incident('i99999', { open: false })] })))
  expect((await Promise.all(ends)).map(({ recorded }) => recorded)).toEqual([true, true, true])
  expect(store.answered('panel', 'key-i0')).toMatchObject({ id: fact.id })
  const { rows } = await store.commandsOf('i99999', null)
  expect(rows.map(({ receipt }) => receipt)).toEqual(['done', 'done'])
  expect(await store.incident('i99999')).toMatchObject({ open: false })
  expect(misfits).toEqual([])
})

test('when its thread dies, the store goes on from memory and then in a fresh file, after the last row that was told', async () => {
  const dir = place()
  const posts = vi.spyOn(Worker.prototype, 'postMessage')
  cleanups.push(() => posts.mockRestore())
  const { store, told } = await start(dir)
  expect(await store.commit(press('i1'))).toEqual({ recorded: true })
  expect(await store.incident('i1')).not.toBeNull()
  await (posts.mock.contexts[0] as unknown as Worker).terminate()
  let acts = 0
  const ends = await Promise.all(['i2', 'i3'].map((name) => store.commit(press(name), () => acts++)))
  expect(ends.map(({ recorded }) => recorded)).toEqual([true, true])
  expect(acts).toBe(2)
  await until('it is noticed', () => told.some(({ recording }) => !recording))
  await recordingAgain(store)
  expect(await store.commit(press('i2'))).toMatchObject({ recorded: true, duplicate: { id: 'fact-i2' } })
  expect(await store.commit(press('i4'))).toEqual({ recorded: true })
  await store.close()
  const verified = verifyTrail(storeFiles(dir), readTrailKey(dir)!)
  expect(verified).toMatchObject({ broken: null, afterFailure: 0 })
})

test('a migration backs the file up first, and goes through whole or not at all', () => {
  const dir = place()
  mkdirSync(dir, { recursive: true })
  const path = join(dir, 'duress.db')
  const db = openDatabase(path)
  migrate(db, path)
  expect(versionOf(db)).toBe(migrations.length)
  db.exec("INSERT INTO register VALUES ('k', 'd', '1')")
  const broken = [...migrations, 'ALTER TABLE register ADD COLUMN seen INTEGER; SELECT * FROM nowhere']
  expect(() => migrate(db, path, broken)).toThrow('nowhere')
  expect(versionOf(db)).toBe(migrations.length)
  migrate(db, path, [...migrations, 'ALTER TABLE register ADD COLUMN seen INTEGER'])
  expect(db.prepare('SELECT * FROM register').get()).toEqual({ kind: 'k', name: 'd', body: '1', seen: null })
  expect(() => migrate(db, path)).toThrow(expect.objectContaining({ code: 'SCHEMA_TOO_NEW' }))
  db.close()
  const copy = new DatabaseSync(`${path}.v${migrations.length}.backup`, { readOnly: true })
  expect(copy.prepare('SELECT * FROM register').get()).toEqual({ kind: 'k', name: 'd', body: '1' })
  copy.close()
})

test('the answer leaves only after the disk has the press: the journal is written before the line is', async () => {
  const log = join(place(), 'strace')
  const writer = join(import.meta.dirname, 'fixtures/writer.ts')
  const presses = 30
  const child = spawn(
    'strace',
    [
      ...['-f', '-y', '-e', 'trace=openat,pwritev,write', '-s', '40', '-o', log],
      ...[process.execPath, writer, place(), '1', '1', 'thread', `${presses}`],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  child.stdout.resume()
  await new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error('this test needs strace: apt-get install -y strace')))
    child.once('exit', () => resolve())
  })
  // One press at a time: before each answer a write must have returned that returns only when the disk has it.
  const lines = readFileSync(log, 'utf8').split('\n')
  expect(lines.filter((line) => /openat\(.*\/journal", .*O_DSYNC/.test(line))).toHaveLength(1)
  let writing = ''
  let written = false
  let answers = 0
  for (const line of lines) {
    const thread = line.split(' ')[0]!
    if (/pwritev\(\d+<.*\/journal>/.test(line)) {
      if (/= \d+$/.test(line)) written = true
      else writing = thread
    } else if (thread === writing && /pwritev resumed.*= \d+$/.test(line)) written = true
    if (!/write\(.*"\+i\d+\\n"/.test(line)) continue
    expect([line, written]).toEqual([line, true])
    written = false
    answers++
  }
  expect(answers).toBe(presses)
})

test('nothing is written for a set that has nothing to say', async () => {
  const { store } = await start(place())
  expect(await store.commit(quiet({}))).toEqual({ recorded: true })
  expect(await store.trail(1, 10)).toEqual([])
})

test('the write-ahead log is carried into the file between commits, without waiting for one that fills it', async () => {
  const dir = place()
  const { store } = await start(dir)
  const megabyte = 1_048_576
  for (let n = 0; n < 6; n++) {
    const entries = [{ what: 'words', words: 'x'.repeat(megabyte) }]
    await store.commit(quiet({ trail: { incident: null, entries } }))
  }
  const inFile = () => statSync(join(dir, 'duress.db')).size
  await until('it is in the file', () => inFile() > 4 * megabyte)
})
