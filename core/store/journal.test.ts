import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readTrailKey } from '../trail/key.ts'
import { verifyTrail } from '../trail/verify.ts'
import { storeFiles } from './files.ts'
import { hold } from './fixtures/hold.ts'
import { cleanups, place } from './fixtures/place.ts'
import { directory, options, press, quiet, recordingAgain, until } from './fixtures/sets.ts'
import { Journal, journalPath, packed, unfiled } from './journal.ts'
import { threadStore } from './thread.ts'

const store = 77
const half = 4 * 1_048_576
const append = (journal: Journal, n: number, bytes: Uint8Array, filed: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const isTaken = journal.append(n, bytes, filed, (error) => (error ? reject(error) : resolve(true)))
    if (!isTaken) resolve(false)
  })
const numbers = (dir: string, upTo: number) => unfiled(dir, { store, upTo }).map(({ n }) => n)

/** Appends with the file so far behind as it is said each time; the numbers that found room, and how far the file is. */
const fill = async (dir: string, moves: readonly { kilobytes: number; behind: number }[]) => {
  const journal = await Journal.open(dir, store)
  const written: number[] = []
  let filed = 0
  for (const [index, { kilobytes, behind }] of moves.entries()) {
    const n = index + 1
    filed = Math.max(filed, index - behind)
    const bytes = packed([n, 'x'.repeat(kilobytes * 1_024)])
    // As the store does: what finds no room goes into the file at once, after all that came before.
    if (await append(journal, n, bytes, filed)) written.push(n)
    else filed = n
  }
  return { journal, filed, left: written.filter((n) => n > filed) }
}
const moves = fc.array(fc.record({ kilobytes: fc.integer({ min: 0, max: 1_500 }), behind: fc.nat(8) }), {
  minLength: 1,
  maxLength: 20,
})

describe('a journal', () => {
  test('whatever is written, and however far the file is behind: it has what the file has not, in order', async () => {
    await fc.assert(
      fc.asyncProperty(moves, async (moves) => {
        const dir = directory()
        try {
          const { journal, filed, left } = await fill(dir.path, moves)
          expect(numbers(dir.path, filed)).toEqual(left)
          expect(unfiled(dir.path, { store, upTo: filed }).map(({ flat }) => flat[0])).toEqual(left)
          expect(statSync(journalPath(dir.path)).size).toBeLessThanOrEqual(2 * half)
          await journal.close(0)
        } finally {
          dir.remove()
        }
      }),
      { numRuns: 60 },
    )
  })

  test('cut off or spoilt anywhere: what was before that place in its half is there, and nothing is made up', async () => {
    const dir = place()
    const count = 30
    const { journal } = await fill(dir, Array(count).fill({ kilobytes: 1, behind: count }))
    await journal.close(0)
    const whole = readFileSync(journalPath(dir))
    const all = numbers(dir, 0)
    expect(all).toEqual(Array.from({ length: count }, (_, n) => n + 1))
    const size = whole.length / count
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.boolean(), fc.integer({ min: 1, max: 255 }), (at, cut, by) => {
        const bytes = cut ? whole.subarray(0, at) : Buffer.from(whole)
        if (!cut) bytes[at]! ^= by
        writeFileSync(journalPath(dir), bytes)
        const left = numbers(dir, 0)
        expect(left).toEqual(all.slice(0, left.length))
        expect(left.length).toBe(Math.floor(at / size))
      }),
      { numRuns: 300 },
    )
  })

  test('has room again once the file has what one half holds; more than a half holds goes elsewhere', async () => {
    const journal = await Journal.open(place(), store)
    const big = packed(['x'.repeat(3 * 1_048_576)])
    expect(await append(journal, 1, big, 0)).toBe(true)
    expect(await append(journal, 2, big, 0)).toBe(true)
    expect(await append(journal, 3, big, 0)).toBe(false)
    expect(await append(journal, 3, big, 1)).toBe(true)
    expect(await append(journal, 4, packed(['x'.repeat(half)]), 3)).toBe(false)
    await journal.close(3)
  })

  test('of another store, or none of ours at all, is nobody’s', async () => {
    const dir = place()
    expect(unfiled(dir, null)).toEqual([])
    const { journal } = await fill(dir, [{ kilobytes: 1, behind: 9 }])
    await journal.close(0)
    expect(unfiled(dir, { store: store + 1, upTo: 0 })).toEqual([])
    expect(unfiled(dir, null).map(({ n }) => n)).toEqual([1])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        writeFileSync(journalPath(dir), bytes)
        expect(unfiled(dir, null)).toEqual([])
      }),
    )
  })

  test('with a gap after the file gives nothing: that is not what the file was left with', async () => {
    const dir = place()
    const journal = await Journal.open(dir, store)
    for (const n of [5, 6]) await append(journal, n, packed([n]), 0)
    await journal.close(0)
    expect(numbers(dir, 3)).toEqual([])
    expect(numbers(dir, 4)).toEqual([5, 6])
  })

  test('wiped or closed, keeps nothing that the file has', async () => {
    const dir = place()
    const journal = await Journal.open(dir, store)
    await append(journal, 1, packed(['a name']), 0)
    await journal.wipe(0)
    expect(readFileSync(journalPath(dir), 'latin1')).toContain('a name')
    await journal.wipe(1)
    expect(statSync(journalPath(dir)).size).toBe(0)
    await append(journal, 2, packed(['a name']), 1)
    expect(numbers(dir, 1)).toEqual([2])
    await journal.close(2)
    expect(statSync(journalPath(dir)).size).toBe(0)
  })
})

describe('what only the journal has', () => {
  const start = async (dir: string) => {
    const { all } = options(dir)
    const store = threadStore(all)
    cleanups.push(() => store.close())
    return { store, opened: await store.open() }
  }
  /** A data directory as a kill leaves it: i1 is in the file, i2 and the end of i1 only in the journal. */
  const killed = async () => {
    const dir = place()
    const { store } = await start(dir)
    await store.commit(press('i1'))
    expect(await store.incident('i1')).not.toBeNull()
    const release = hold(join(dir, 'duress.db'))
    expect(await store.commit(press('i2'))).toEqual({ recorded: true })
    const receipt = { command: 'i1/0/pager', attempt: 1, receipt: { end: 'done' } }
    const trail = { incident: 'i1', entries: [{ is: 'receipt', from: 'i1' }] }
    expect(await store.commit(quiet({ settles: [receipt], trail }))).toEqual({ recorded: true })
    const left = join(place(), 'left')
    execFileSync('cp', ['-r', dir, left])
    release()
    return left
  }
  const expectAll = ({ opened }: Awaited<ReturnType<typeof start>>) => {
    expect(opened.openIncidents.map(({ id }) => id)).toEqual(['i1', 'i2'])
    expect(opened.unfinishedCommands.map(({ id }) => id).sort()).toEqual([
      'i1/0/camera',
      'i2/0/camera',
      'i2/0/pager',
    ])
    expect(opened.keys.map(({ key }) => key)).toEqual(['key-i1', 'key-i2'])
    expect(opened.nextIncidentNumber).toBe(3)
  }
  const onTrail = (dir: string) => verifyTrail(storeFiles(dir), readTrailKey(dir)!)

  test('is in the file after the next start, once', async () => {
    const dir = await killed()
    for (const _ of [1, 2]) {
      const next = await start(dir)
      expectAll(next)
      await next.store.close()
    }
    expect(storeFiles(dir)).toHaveLength(1)
    expect(onTrail(dir)).toMatchObject({ broken: null, rows: 3 })
  })

  test('survives a file that gives nothing any more', async () => {
    const dir = await killed()
    for (const end of ['-wal', '-shm']) writeFileSync(join(dir, `duress.db${end}`), '')
    writeFileSync(join(dir, 'duress.db'), Buffer.alloc(8_192, 'spoilt'))
    const { store, opened } = await start(dir)
    expect(opened.openIncidents.map(({ id }) => id)).toContain('i2')
    expect(opened.keys.map(({ key }) => key)).toContain('key-i2')
    expect(await store.commit(press('i2'))).toMatchObject({ duplicate: { id: 'fact-i2' } })
    expect(await store.commit(press('i3'))).toEqual({ recorded: true })
  })

  test('is known to a start that finds the disk full, and is in the fresh file later', async () => {
    const left = await killed()
    const dir = place()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', dir])
    cleanups.push(() => execFileSync('umount', ['-l', dir]))
    execFileSync('cp', ['-r', `${left}/.`, dir])
    const filler = join(dir, 'filler')
    // So much is left that SQLite opens its file (32 KiB for the index of its log), and then has no room to write.
    const pages = Number(execFileSync('stat', ['-f', '-c', '%f', dir], { encoding: 'utf8' })) - 10
    writeFileSync(filler, Buffer.alloc(pages * 4_096))
    const next = await start(dir)
    expect(next.opened.health.recording).toBe(false)
    expectAll(next)
    truncateSync(filler, 0)
    await recordingAgain(next.store)
    expect(await next.store.commit(press('i4'))).toEqual({ recorded: true })
    await next.store.close()
    expect(storeFiles(dir)).toHaveLength(2)
    const payloads = storeFiles(dir).flatMap((file) => {
      const db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
      const rows = db.prepare('SELECT payload FROM trail ORDER BY seq').all()
      db.close()
      return rows.map(({ payload }) => payload as string)
    })
    for (const from of ['i1', 'i2', 'i4'])
      expect(payloads.filter((payload) => payload.includes(`"press","from":"${from}"`))).toHaveLength(1)
    expect(payloads.filter((payload) => payload.includes('receipt'))).toHaveLength(1)
    expect(onTrail(dir)).toMatchObject({ broken: null, afterFailure: 0 })
  })

  test('of a store that was taken away and begun anew is no part of the new one', async () => {
    const dir = await killed()
    for (const end of ['', '-wal', '-shm']) execFileSync('rm', ['-f', join(dir, `duress.db${end}`)])
    const { store, opened } = await start(dir)
    expect(opened.openIncidents).toEqual([])
    expect(await store.commit(press('i1'))).toEqual({ recorded: true })
    await until('it is filed', () => store.health().trailHead.seq === 1)
  })
})
