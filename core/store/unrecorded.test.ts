import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cleanups, place } from './fixtures/place.ts'
import { command, directory, incident, options, press, quiet, recordingAgain } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'
import type { ChangeSet, HoldRow, Store } from './port.ts'
import { threadStore } from './thread.ts'
import { Notes } from './unrecorded.ts'

const smallDisk = (): string => {
  const path = place()
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', path], { stdio: 'pipe' })
  cleanups.push(() => execFileSync('umount', ['-l', path]))
  return path
}
const hold = (door: string, more: Partial<HoldRow> = {}): HoldRow => ({
  id: `i9/lock/${door}`,
  door,
  incident: 'i9',
  mode: 'lockdown',
  until: 900_000,
  by: 'plan',
  ended: null,
  body: { door },
  ...more,
})
const start = async (make: typeof inlineStore, dir: string) => {
  const store = make(options(dir).all)
  cleanups.push(() => store.close())
  return { store, opened: await store.open() }
}
const fill = async (store: Store, dir: string): Promise<void> => {
  for (const bytes of [65_536, 512])
    try {
      for (;;) writeFileSync(join(dir, 'filler'), Buffer.alloc(bytes), { flag: 'a' })
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  for (let n = 100; store.health().recording; n++)
    await store.commit({ ...press(`i${n}`), incidents: [], commands: [] })
}

for (const [where, make] of [
  ['in a thread of its own', threadStore],
  ['in the same process', inlineStore],
] as const) {
  test(`a full disk, a store ${where}: what was done without it, the next start knows, once`, async () => {
    const dir = smallDisk()
    const first = await start(make, dir)
    expect(first.opened.unrecorded).toBeNull()
    await first.store.commit(press('i1'))
    await first.store.commit(quiet({ holds: [hold('north', { id: 'i1/lock/north', incident: 'i1' })] }))
    await fill(first.store, dir)
    let acted = 0
    await first.store.commit(press('i9', { at: 5_000 }), () => acted++)
    await first.store.commit(quiet({ holds: [hold('south')] }), () => acted++)
    // As if read back: the newer row counts.
    await first.store.commit(quiet({ holds: [hold('south', { body: { confirmed: true } })] }))
    // On disk from before; begun now, and resolved.
    await first.store.commit(quiet({ starts: [{ command: 'i1/0/camera', attempt: 1, at: 5_000 }] }))
    await first.store.commit(quiet({ incidents: [incident('i1', { open: false })] }))
    await first.store.commit(quiet({ holds: [hold('north', { id: 'i1/lock/north', ended: 5_000 })] }))
    expect(acted).toBe(2)
    await first.store.close()

    // Still full: what is known is told all the same, and kept for the next one.
    const second = await start(make, dir)
    expect(second.opened.unrecorded?.incidents.map(({ id }) => id)).toEqual(['i9', 'i1'])
    await second.store.close()

    rmSync(join(dir, 'filler'))
    const third = await start(make, dir)
    const { unrecorded } = third.opened
    expect(unrecorded?.isWhole).toBe(true)
    expect([...(unrecorded?.commands ?? [])].sort()).toEqual(['i1/0/camera', 'i9/0/camera', 'i9/0/pager'])
    expect(third.opened.openIncidents.map(({ id, open }) => [id, open])).toEqual([
      ['i1', false],
      ['i9', true],
    ])
    expect(third.opened.liveHolds.map(({ door, body }) => [door, body])).toEqual([
      ['south', { confirmed: true }],
    ])
    // No number is given to two incidents, and time does not run backwards.
    expect(third.opened.nextIncidentNumber).toBe(10)
    expect(third.opened.clockFloor).toBeGreaterThanOrEqual(5_000)
    const { incidents, holds, adopted } = unrecorded!
    await third.store.commit(quiet({ incidents, holds, register: [adopted] }))
    await third.store.close()

    const fourth = await start(make, dir)
    expect(fourth.opened.unrecorded).toMatchObject({ incidents: [], holds: [] })
    // Its incident is open: the command may still be made again.
    expect(fourth.opened.unrecorded?.commands.has('i9/0/pager')).toBe(true)
    expect(fourth.opened.openIncidents.map(({ id }) => id)).toEqual(['i9'])
  })

  test(`a full disk, a store ${where}: what a fresh file has taken over is told to nobody`, async () => {
    const dir = smallDisk()
    const { store } = await start(make, dir)
    await fill(store, dir)
    await store.commit(press('i9'))
    rmSync(join(dir, 'filler'))
    await recordingAgain(store)
    await store.close()
    expect((await start(make, dir)).opened.unrecorded).toBeNull()
  })
}

const note = async (dir: string, sets: readonly ChangeSet[]) => {
  const notes = new Notes(dir)
  await notes.open({ adopted: 0, floor: 0 })
  await notes.makeRoom()
  for (const set of sets) notes.note(set)
  await notes.close()
}
const read = async (dir: string, floor = 0) => {
  const notes = new Notes(dir)
  const unrecorded = await notes.open({ adopted: 0, floor })
  await notes.close()
  return unrecorded
}

test('noted while a commit took long, and on record since: the record is the newer one', async () => {
  const dir = place()
  const notes = new Notes(dir)
  await notes.makeRoom()
  notes.note(press('i1'))
  notes.landed()
  notes.note(press('i2', { at: 2_000 }))
  await notes.close()
  expect((await read(dir, 2_000))?.incidents.map(({ id }) => id)).toEqual(['i2'])
  const later = await read(dir, 2_001)
  expect(later).toMatchObject({ incidents: [], holds: [] })
  expect(later?.commands.has('i1/0/pager')).toBe(true)
})

test('what was noted and then emptied is nothing', async () => {
  const dir = place()
  const notes = new Notes(dir)
  await notes.makeRoom()
  notes.note(press('i1'))
  notes.clear()
  await notes.close()
  expect(await read(dir)).toBeNull()
})

test('more than there is room for: the doors that are locked come before all else, and it says that more was done', async () => {
  const dir = place()
  const busy = (n: number) =>
    quiet({
      at: n,
      commands: Array.from({ length: 500 }, (_, i) => command(`i${n}`, `target-number-${i}`, 1)),
    })
  await note(dir, [
    quiet({ holds: [hold('north')] }),
    ...Array.from({ length: 60 }, (_, n) => busy(n)),
    quiet({ at: 50, holds: [hold('south', { id: 'i9/lock/south' })], incidents: [incident('i7')] }),
  ])
  const unrecorded = await read(dir)
  expect(unrecorded).toMatchObject({ isWhole: false, until: 1_000 })
  expect(unrecorded?.holds.map(({ door }) => door)).toEqual(['north', 'south'])
  expect(unrecorded?.incidents.map(({ id }) => id)).toEqual(['i7'])
})

test('cut off anywhere, the notes before that place are read, or none', async () => {
  const names = Array.from({ length: 12 }, (_, n) => `i${n}`)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 6_000 }), async (at) => {
      const { path, remove } = directory()
      try {
        await note(
          path,
          names.map((name) => press(name)),
        )
        const file = join(path, 'unrecorded')
        const bytes = readFileSync(file)
        // The first half stays empty: the first notes are in the second.
        const from = bytes.length / 2 + at
        bytes.fill(0, from, from + 100_000)
        writeFileSync(file, bytes)
        const known = (await read(path))?.incidents.map(({ id }) => id) ?? []
        expect(known).toEqual(names.slice(0, known.length))
      } finally {
        remove()
      }
    }),
    { numRuns: 60 },
  )
})

test('a file that is none of ours keeps nobody from starting', async () => {
  const dir = place()
  for (const text of ['hello', '{}', '[]', '{"of":1}', 'null', '{"of":1,"at":0,"incidents":5}']) {
    writeFileSync(join(dir, 'unrecorded'), text)
    expect(await read(dir)).toBeNull()
  }
})
