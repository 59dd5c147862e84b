import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../clock.ts'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { storeFiles } from './files.ts'
import { cleanups, place } from './fixtures/place.ts'
import { command, incident, options, press, quiet, recordingAgain, until } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'
import type { ChangeSet, Store, StoreOptions } from './port.ts'
import { threadStore } from './thread.ts'

const start = async (
  make: (options: StoreOptions) => Store,
  dir: string,
  more: Partial<StoreOptions> = {},
) => {
  const { all, told } = options(dir, more)
  const store = make(all)
  cleanups.push(() => store.close())
  return { store, opened: await store.open(), told }
}
const verify = (dir: string) => verifyTrail(storeFiles(dir), readTrailKey(dir)!)
const inFile = (path: string, sql: string): unknown[] => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    return db
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0])
  } finally {
    db.close()
  }
}

/** A disk of its own, a few megabytes large. */
const smallDisk = (size: string): string => {
  const dir = place()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch (error) {
    throw new Error(
      `this test fills a small disk of its own and needs the right to mount one: run it as root, in a container with --cap-add SYS_ADMIN (${(error as Error).message.trim()})`,
    )
  }
  cleanups.push(() => execFileSync('umount', ['-l', dir]))
  return dir
}

const big = (name: string, kilobytes: number): ChangeSet => {
  const set = press(name)
  return { ...set, fact: { ...set.fact!, body: 'x'.repeat(kilobytes * 1024) } }
}

/** Presses until the store no longer records; the name of the first that was not recorded. */
const fill = async (store: Store, kilobytes: number): Promise<number> => {
  for (let n = 1; n < 1_000; n++) if (!(await store.commit(big(`i${n}`, kilobytes))).recorded) return n
  throw new Error('the disk did not get full')
}

describe.each([
  ['in a thread of its own', threadStore],
  ['in the same process', inlineStore],
] as const)('a full disk, under a store %s', (_, make) => {
  test('takes the ballast first and says so, and makes it again when there is room', async () => {
    const dir = smallDisk('8m')
    const clock = new SimulatedClock()
    const { store, told } = await start(make, dir, { ballastBytes: 2_000_000, clock })
    await until('the ballast is there', () => existsSync(join(dir, 'ballast')))
    const filler = join(dir, 'filler')
    writeFileSync(filler, Buffer.alloc(4_100_000))
    let n = 0
    while (existsSync(join(dir, 'ballast')))
      expect(await store.commit(big(`i${++n}`, 100))).toEqual({ recorded: true })
    await until('it is told', () => told.some(({ ballastGone, recording }) => ballastGone && recording))
    rmSync(filler)
    await clock.advance(60_000)
    await until('it is told', () => !told.at(-1)!.ballastGone)
    expect(statSync(join(dir, 'ballast')).size).toBe(2_000_000)
    expect(verify(dir)).toMatchObject({ rows: n, broken: null })
  })

  test('goes on from memory, tells nobody it is recorded, and puts all into a fresh file later', async () => {
    const dir = smallDisk('16m')
    const filler = join(dir, 'filler')
    writeFileSync(filler, Buffer.alloc(12_000_000))
    const state = () => [quiet({ incidents: [incident('i1')], commands: [command('i1', 'open', 2)] })]
    const { store, told } = await start(make, dir, { state })
    const first = await fill(store, 100)
    let acts = 0
    for (let n = first + 1; n <= first + 5; n++) {
      const committed = store.commit(press(`i${n}`), () => acts++)
      expect(acts).toBe(n - first)
      expect(await committed).toMatchObject({ recorded: false, because: 'not recording' })
    }
    // A repeat is known in memory: of what is on disk, and of what is not.
    expect(await store.commit(press('i1'), () => acts++)).toMatchObject({
      recorded: true,
      duplicate: { id: 'fact-i1' },
    })
    expect(await store.commit(press(`i${first + 1}`), () => acts++)).toMatchObject({
      recorded: false,
      duplicate: { id: `fact-i${first + 1}` },
    })
    expect(acts).toBe(5)
    expect(store.health()).toMatchObject({ recording: false, why: expect.stringContaining('full'), lost: 0 })
    expect(store.health().buffered).toBeGreaterThan(5)

    rmSync(filler)
    await recordingAgain(store)
    expect(told.map(({ recording }) => recording)).toContain(false)
    expect(await store.commit(press(`i${first + 1}`))).toMatchObject({ recorded: true, duplicate: {} })
    expect(await store.commit(press(`i${first + 6}`))).toEqual({ recorded: true })
    await store.close()

    const [old, fresh] = storeFiles(dir) as [string, string]
    expect(basename(fresh)).toMatch(/^duress-\d+\.db$/)
    const facts = [old, fresh].flatMap((file) =>
      inFile(file, "SELECT id FROM fact WHERE body <> 'null' ORDER BY n"),
    )
    expect(facts).toEqual(Array.from({ length: first + 6 }, (_, n) => `fact-i${n + 1}`))
    expect(inFile(fresh, 'SELECT payload FROM trail ORDER BY seq LIMIT 1')[0]).toContain('store.continues')
    const verified = verify(dir)
    expect(verified).toMatchObject({ broken: null, afterFailure: 0, rows: first - 1 + 1 + 7 })
    const { opened } = await start(make, dir)
    expect(opened.health).toMatchObject({ recording: true, file: basename(fresh) })
    expect(opened.epoch).toBe(2)
    expect(opened.unfinishedCommands.map(({ id }) => id)).toContain('i1/0/open')
    expect(opened.keys.map(({ key }) => key)).toContain('key-i1')
  })

  test('at the start, still gives back what it knows', async () => {
    const dir = smallDisk('4m')
    const first = await start(make, dir)
    await first.store.commit(press('i1'))
    await first.store.close()
    const filler = join(dir, 'filler')
    const room = Number(execFileSync('stat', ['-f', '-c', '%f', dir], { encoding: 'utf8' })) * 4_096
    writeFileSync(filler, Buffer.alloc(room))
    const { store, opened } = await start(make, dir)
    expect(opened.health).toMatchObject({ recording: false })
    expect(await store.commit(press('i2'))).toMatchObject({ recorded: false })
    rmSync(filler)
    await recordingAgain(store)
    expect(await store.commit(press('i3'))).toEqual({ recorded: true })
  })
})

test('memory for a missing disk is bounded, and what found no room is counted on the trail', async () => {
  const dir = place()
  const clock = new SimulatedClock()
  const { store } = await start(inlineStore, dir, { clock })
  await store.commit(press('i1'))
  spoil(dir)
  await store.commit(touching('i2'))
  expect(store.health().recording).toBe(false)
  let acts = 0
  const sets = 60_000
  for (let n = 0; n < sets; n++)
    await store.commit({ at: n, waits: true, trail: { incident: null, entries: [n] } }, () => acts++)
  expect(acts).toBe(sets)
  const { buffered, lost } = store.health()
  expect(buffered).toBe(50_000)
  // The set that failed has six rows.
  expect(lost).toBe(sets - 50_000 + 6)
  await clock.advance(1_000)
  await recordingAgain(store)
  const gap = (await store.trail(store.health().trailHead.seq, 1))[0]
  expect(gap?.entries).toEqual([
    { what: 'store.gap', incident: null, sets: lost, from: sets - lost, to: sets - 1 },
  ])
  await store.close()
  expect(verify(dir)).toMatchObject({ broken: null })
})

/** What a foreign program or a defect may do to a file: a table is gone. */
const spoil = (dir: string) => {
  const db = new DatabaseSync(storeFiles(dir).at(-1)!)
  db.exec('DROP TABLE register')
  db.close()
}
const touching = (name: string) => press(name, { register: [{ kind: 'k', name: 'd', body: 1 }] })

describe('a damaged file', () => {
  const damage = (path: string, how: (file: Buffer) => void) =>
    execFileSync(process.execPath, [
      '-e',
      `const fs = require('node:fs'); const f = fs.readFileSync(process.argv[1]); (${how.toString()})(f); fs.writeFileSync(process.argv[1], f)`,
      path,
    ])
  const filled = async (dir: string) => {
    const { store } = await start(threadStore, dir)
    await Promise.all(Array.from({ length: 500 }, (_, n) => store.commit(press(`i${n + 1}`))))
    await store.close()
    return join(dir, 'duress.db')
  }

  test('is left as it is, named, and followed by a fresh one; nothing keeps the bridge from starting', async () => {
    const dir = place()
    const path = await filled(dir)
    damage(path, (file) => file.fill(0x5a, 0, 4_096))
    const { store, opened } = await start(threadStore, dir)
    expect(opened.health).toMatchObject({ recording: true, why: expect.stringContaining('not a database') })
    expect(opened.unread).toHaveLength(1)
    expect(await store.commit(press('i900'))).toEqual({ recorded: true })
    await store.close()
    expect(storeFiles(dir)).toHaveLength(2)
    expect(inFile(storeFiles(dir)[1]!, 'SELECT file FROM anchor')).toEqual(['duress.db'])
  })

  test('is found by a check of the whole file, also where nothing is read at the start', async () => {
    const dir = place()
    const path = await filled(dir)
    const healthy = await start(threadStore, dir)
    expect(await healthy.store.check()).toEqual([])
    await healthy.store.close()
    const leaf = "SELECT min(pageno) FROM dbstat WHERE name = 'trail' AND pagetype = 'leaf'"
    const page = Number(inFile(path, leaf)[0])
    damage(path, new Function('file', `file.fill(0x5a, ${(page - 1) * 4096}, ${page * 4096})`) as any)
    const { store } = await start(threadStore, dir)
    expect((await store.check()).length).toBeGreaterThan(0)
  })

  test('gives back what can still be read of it', async () => {
    const dir = place()
    const path = await filled(dir)
    const page = Number(inFile(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'fact'")[0])
    damage(path, new Function('file', `file.fill(0x5a, ${(page - 1) * 4096}, ${page * 4096})`) as any)
    const { store, opened } = await start(threadStore, dir)
    expect(opened.unread[0]).toContain('keys')
    expect(opened.openIncidents).toHaveLength(500)
    expect(opened.unfinishedCommands).toHaveLength(1_000)
    expect(opened.trailHead.seq).toBe(501)
    expect(await store.commit(press('i900'))).toEqual({ recorded: true })
    await store.close()
    const again = await start(threadStore, dir)
    expect(again.opened.unread).toEqual([])
    expect(again.opened.openIncidents).toHaveLength(501)
    expect(verify(dir)).toMatchObject({ broken: null, rows: 502 })
  })
})

/** Lines that a writer process says, as they come. */
const listen = (child: ChildProcess) => {
  const lines: string[] = []
  let rest = ''
  child.stdout!.on('data', (data) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  return lines
}
const writer = (dir: string, from: number, kind: string) => {
  const file = join(import.meta.dirname, 'fixtures/writer.ts')
  const child = spawn(process.execPath, [file, dir, `${from}`, '20', kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async () => {
    child.kill('SIGKILL')
    await gone
  }
  cleanups.push(kill)
  return { child, lines: listen(child), kill }
}

test('an I/O error in the middle of the load: nobody is told a press is recorded that is not', async () => {
  const dir = place()
  const { child, lines, kill } = writer(dir, 1, 'thread')
  await until('it commits', () => lines.filter((line) => line[0] === '+').length > 100)
  // Writes past this size fail with EFBIG, which SQLite reports as an I/O error.
  const size = statSync(join(dir, 'duress.db-wal')).size + 50_000
  execFileSync('prlimit', ['--pid', `${child.pid}`, `--fsize=${size}:unlimited`])
  await until('it stops recording', () => lines.some((line) => line.startsWith('!{"recording":false')))
  execFileSync('prlimit', ['--pid', `${child.pid}`, '--fsize=unlimited:unlimited'])
  await until('it records again', () => lines.some((line) => line.startsWith('!{"recording":true')))
  const told = lines.length
  await until('it goes on', () => lines.slice(told).filter((line) => line[0] === '+').length > 100)
  await kill()
  expect(lines.find((line) => line.startsWith('!{"recording":false'))).toContain('disk I/O error')
  await (await start(threadStore, dir)).store.close()
  const stored = new Set(storeFiles(dir).flatMap((path) => inFile(path, 'SELECT id FROM fact')))
  const missing = lines.filter((line) => line[0] === '+' && !stored.has(`fact-${line.slice(1)}`))
  expect(missing).toEqual([])
  expect(storeFiles(dir).length).toBeGreaterThan(1)
  expect(verify(dir)).toMatchObject({ broken: null })
})

test('kill -9 under load, ten times: nothing is lost that was told to be recorded', async () => {
  const dir = place()
  const told = new Set<string>()
  for (let round = 0; round < 10; round++) {
    const { lines, kill } = writer(dir, round * 1_000_000 + 1, round % 3 === 1 ? 'inline' : 'thread')
    const enough = 50 + ((round * 37) % 100)
    await until('it commits', () => lines.filter((line) => line[0] === '+').length > enough)
    await kill()
    for (const line of lines) if (line[0] === '+') told.add(`fact-${line.slice(1)}`)
  }
  const { store, opened } = await start(threadStore, dir)
  expect(opened.epoch).toBe(11)
  await store.close()
  expect(storeFiles(dir)).toHaveLength(1)
  const stored = inFile(storeFiles(dir)[0]!, 'SELECT id FROM fact')
  expect([...told].filter((id) => !stored.includes(id))).toEqual([])
  expect(inFile(storeFiles(dir)[0]!, 'SELECT count(*) FROM fact GROUP BY key HAVING count(*) > 1')).toEqual(
    [],
  )
  expect(verify(dir)).toMatchObject({ broken: null })
  expect(opened.unfinishedCommands).toHaveLength(2 * stored.length)
})

test('a continuation that a crash has cut off is set aside: the trail goes on in the file before it', async () => {
  const dir = smallDisk('8m')
  const first = await start(threadStore, dir)
  await first.store.commit(press('i1'))
  await first.store.close()
  // As a kill in the middle of taking over leaves it: it says what it follows, and not that it is complete.
  const old = storeFiles(dir)[0] as string
  const cut = join(dir, 'duress-9000000000000.db')
  execFileSync('cp', [old, cut])
  const db = new DatabaseSync(cut)
  db.exec("DELETE FROM trail; DELETE FROM meta WHERE key = 'complete'; UPDATE anchor SET seq = 0")
  db.close()
  const second = await start(threadStore, dir)
  expect(second.opened.health.file).toBe(basename(old))
  await second.store.commit(press('i2'))
  await second.store.close()
  expect(storeFiles(dir)).toEqual([old])
  expect(existsSync(`${cut}.cut-off`)).toBe(true)
  expect(verify(dir)).toMatchObject({ rows: 2, afterFailure: 0, broken: null })
})
