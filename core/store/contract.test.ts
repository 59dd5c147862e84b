import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { Json } from '../fact.ts'
import { cleanups, place } from './fixtures/place.ts'
import { command, incident, options, press, quiet, receipt } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'
import type { ChangeSet, Store, StoreOptions } from './port.ts'
import { threadStore } from './thread.ts'

const kinds: readonly [string, (options: StoreOptions) => Store][] = [
  ['in a thread of its own', threadStore],
  ['in the same process', inlineStore],
]

describe.each(kinds)('a store %s', (_, make) => {
  const start = async (dir: string, more: Partial<StoreOptions> = {}) => {
    const { all, told } = options(dir, more)
    const store = make(all)
    cleanups.push(() => store.close())
    return { store, opened: await store.open(), told }
  }

  test('gives back what was open, after it was closed', async () => {
    const dir = place()
    const first = await start(dir)
    await first.store.commit(press('i1', { cursors: [{ device: 'button', value: 7 }], at: 5_000 }))
    await first.store.commit(
      quiet({
        holds: [
          {
            id: 'h1',
            door: 'd',
            incident: 'i1',
            mode: 'secure',
            until: 9_000,
            by: 'plan',
            ended: null,
            body: {},
          },
          {
            id: 'h2',
            door: 'd',
            incident: 'i1',
            mode: 'secure',
            until: 9_000,
            by: 'plan',
            ended: 1,
            body: {},
          },
        ],
        register: [{ kind: 'test', name: 'button', body: { at: 80 } }],
        faults: [
          { id: 'f1', openedAt: 1, closedAt: null, body: { of: 'panel' } },
          { id: 'f2', openedAt: 1, closedAt: 2, body: {} },
        ],
        revision: { id: 'r1', config: { site: 'x' } },
      }),
    )
    await first.store.close()

    const { opened, store } = await start(dir)
    expect(opened.epoch).toBe(2)
    expect(opened.clockFloor).toBe(5_000)
    expect(opened.trailHead.seq).toBe(1)
    expect(opened.openIncidents).toEqual([incident('i1', { kept: false })])
    expect(opened.nextIncidentNumber).toBe(2)
    expect(opened.unfinishedCommands).toEqual([
      { ...command('i1', 'camera', 0), inFlight: false, crashed: 0, effect: 'none' },
      { ...command('i1', 'pager', 1), inFlight: true, crashed: 1, effect: 'none' },
    ])
    expect(opened.moreCommands).toBeNull()
    expect(opened.liveHolds.map(({ id }) => id)).toEqual(['h1'])
    expect(opened.keys.map(({ key }) => key)).toEqual(['key-i1'])
    expect(opened.cursors).toEqual([{ device: 'button', value: 7 }])
    expect(opened.register).toEqual([{ kind: 'test', name: 'button', body: { at: 80 } }])
    expect(opened.openFaults.map(({ id }) => id)).toEqual(['f1'])
    expect(opened.revisions).toEqual([{ id: 'r1', config: { site: 'x' } }])
    expect(opened.unread).toEqual([])
    expect(opened.health).toMatchObject({ recording: true, why: null, file: 'duress.db' })
    expect(store.answered('panel', 'key-i1')).toEqual({
      id: 'fact-i1',
      incident: 'i1',
      answer: { told: 'i1' },
    })
  })

  test('lets the response run once the set is on disk, once, and before it says so', async () => {
    const dir = place()
    const killed = join(place(), 'killed')
    const { store } = await start(dir)
    const seen: string[] = []
    const committed = store.commit(press('i1'), () => {
      // What a kill at this moment leaves behind; by another process, since reading the files here would drop their locks.
      execFileSync('cp', ['-r', dir, killed])
      seen.push('act')
    })
    expect(seen).toEqual([])
    expect(await committed).toEqual({ recorded: true })
    expect(seen).toEqual(['act'])
    const next = await start(killed)
    expect(next.opened.keys.map(({ key }) => key)).toEqual(['key-i1'])
    expect(next.opened.openIncidents.map(({ id }) => id)).toEqual(['i1'])
    expect(next.opened.unfinishedCommands.map(({ id, crashed }) => [id, crashed])).toEqual([
      ['i1/0/camera', 0],
      ['i1/0/pager', 1],
    ])
  })

  test('answers a used press key as before, and applies nothing of it', async () => {
    const { store } = await start(':memory:')
    let acts = 0
    const act = () => acts++
    const again = press('i1', { incidents: [incident('other2')], commands: [command('other2', 'x', 1)] })
    const [first, atOnce] = await Promise.all([store.commit(press('i1'), act), store.commit(again, act)])
    const later = await store.commit(again, act)
    const duplicate = { id: 'fact-i1', incident: 'i1', answer: { told: 'i1' } }
    expect(first).toEqual({ recorded: true })
    expect(atOnce).toEqual({ recorded: true, duplicate })
    expect(later).toEqual({ recorded: true, duplicate })
    expect(acts).toBe(1)
    expect(await store.incident('other2')).toBeNull()
    expect(await store.due(null, 10)).toHaveLength(2)
    // The same key of another connector is another press.
    const elsewhere = { ...press('i2').fact!, source: 'webhook', key: 'key-i1' }
    expect(await store.commit(press('i2', { fact: elsewhere }))).toEqual({ recorded: true })
  })

  test('knows a press key from the moment of its commit, and forgets it when the set was refused', async () => {
    const { store } = await start(':memory:')
    const bad = press('i1', { settles: [{ command: 'none', attempt: 1, receipt: {} }] })
    const refused = store.commit(bad)
    expect(store.answered('panel', 'key-i1')).toEqual({
      id: 'fact-i1',
      incident: 'i1',
      answer: { told: 'i1' },
    })
    expect(await refused).toMatchObject({ recorded: false, because: 'refused' })
    expect(store.answered('panel', 'key-i1')).toBeNull()
    expect(await store.commit(press('i1'))).toEqual({ recorded: true })
  })

  test('a set that does not fit fails alone, whole, and out of the trail', async () => {
    const { store } = await start(':memory:')
    let acts = 0
    const bad: ChangeSet[] = [
      press('i2', { settles: [{ command: 'i1/0/pager', attempt: 2, receipt: {} }] }),
      press('i3', { starts: [{ command: 'i1/0/pager', attempt: 1, at: 1 }] }),
      press('i4', { retries: [{ command: 'nobody', attempt: 1, dueAt: 1, effect: 'none' }] }),
      press('i5', { register: [{ kind: 'k', name: null as unknown as string, body: 1 }] }),
      press('i6', { cursors: [{ device: { not: 'text' } as unknown as string, value: 1 }] }),
    ]
    const all = [press('i1'), ...bad, press('i7')]
    const ends = await Promise.all(all.map((set) => store.commit(set, () => acts++)))
    expect(ends.map(({ recorded }) => recorded)).toEqual([true, false, false, false, false, false, true])
    expect(ends[1]).toEqual({
      recorded: false,
      because: 'refused',
      why: 'command i1/0/pager is not at attempt 2, has ended, or is not in the store',
    })
    expect(acts).toBe(2)
    const { rows } = await store.incidents({}, null)
    expect(rows.map(({ id }) => id)).toEqual(['i7', 'i1'])
    const trail = await store.trail(1, 100)
    expect(trail.map(({ seq, incidents }) => [seq, ...incidents])).toEqual([
      [1, 'i1'],
      [2, 'i7'],
    ])
    expect(store.health().recording).toBe(true)
  })

  test('an attempt ends as it was started: retried, settled once, and counted when its end is missing', async () => {
    const { store } = await start(':memory:')
    const id = 'i1/0/pager'
    const row = async () => (await store.due(null, 10)).find((one) => one.id === id)
    const end = (set: Partial<ChangeSet>) => store.commit(quiet(set))
    await store.commit(press('i1'))
    await end({ retries: [{ command: id, attempt: 1, dueAt: 3_000.4, effect: 'possible' }] })
    expect(await row()).toMatchObject({
      attempt: 1,
      inFlight: false,
      crashed: 0,
      dueAt: 3_000,
      effect: 'possible',
    })
    await end({ starts: [{ command: id, attempt: 2, at: 3_000 }] })
    await end({ starts: [{ command: id, attempt: 3, at: 4_000 }] })
    expect(await row()).toMatchObject({ attempt: 3, inFlight: true, crashed: 2 })
    expect(await end({ settles: [{ command: id, attempt: 2, receipt: {} }] })).toMatchObject({
      recorded: false,
    })
    expect(await end({ settles: [{ command: id, attempt: 3, receipt: { end: 'done' } }] })).toEqual({
      recorded: true,
    })
    expect(await end({ settles: [{ command: id, attempt: 3, receipt: {} }] })).toMatchObject({
      recorded: false,
    })
    expect(await row()).toBeUndefined()
    const { rows } = await store.commandsOf('i1', null)
    expect(rows.map(({ receipt }) => receipt)).toEqual([{ end: 'done' }, null])
  })

  test('a command that exists is left as it is', async () => {
    const { store } = await start(':memory:')
    await store.commit(press('i1'))
    await store.commit(quiet({ commands: [{ ...command('i1', 'camera', 1), body: 'changed' }] }))
    expect((await store.due(null, 10))[0]).toMatchObject({ attempt: 0, body: { target: 'camera' } })
  })

  test('a set that nobody waits for rides with the next one, and within 5 ms without one', async () => {
    const { store } = await start(':memory:')
    const order: string[] = []
    const riding = store.commit(receiptless('a'), () => order.push('riding'))
    await Promise.all([riding, store.commit(receiptless('b', true), () => order.push('waiting'))])
    expect(order).toEqual(['riding', 'waiting'])
    expect(await store.commit(receiptless('c'))).toEqual({ recorded: true })
  })

  test('sets are applied in the order of the calls, however they are gathered', async () => {
    const { store } = await start(':memory:')
    const count = 3_000
    const ends: Promise<unknown>[] = []
    for (let n = 1; n <= count; n++) {
      ends.push(store.commit(receiptless(`${n}`, n % 3 === 0)))
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(ends)
    const names: unknown[] = []
    for (let from = 1; from <= count; from += 1_000)
      for (const { entries } of await store.trail(from, 1_000)) names.push(((entries ?? [])[0] as any).name)
    expect(names).toEqual(Array.from({ length: count }, (_, n) => `${n + 1}`))
    expect(store.health().trailHead.seq).toBe(count)
  })

  test('what a response throws reaches its own caller only', async () => {
    const { store } = await start(':memory:')
    const [bad, good] = await Promise.allSettled([
      store.commit(press('i1'), () => {
        throw new Error('no such lamp')
      }),
      store.commit(press('i2')),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'no such lamp' } })
    expect(good).toEqual({ status: 'fulfilled', value: { recorded: true } })
  })

  test('keeps the newest of a register entry; what was erased is gone after a restart', async () => {
    const dir = place()
    const first = await start(dir)
    const row = (kind: string, name: string, body: Json) => ({ kind, name, body })
    await first.store.commit(
      quiet({ register: [row('test', 'a', 1), row('test', 'b', 1), row('service', 'a', 1)] }),
    )
    await first.store.commit(quiet({ register: [row('test', 'a', 2), row('test', 'b', null)] }))
    await first.store.close()
    const { opened } = await start(dir)
    expect(opened.register).toEqual([row('service', 'a', 1), row('test', 'a', 2)])
  })

  test('commands of heartbeats are kept for a day, others for as long as incidents are', async () => {
    const dir = place()
    const { store } = await start(dir)
    const day = 86_400_000
    for (const [at, mark] of [
      [1_000, 'old'],
      [2 * day, 'new'],
    ] as const) {
      const beat = { ...command('heartbeat', mark, 1), incident: null, dueAt: at }
      const page = { ...command('maintenance', mark, 1), incident: null, dueAt: at }
      await store.commit(quiet({ at, commands: [beat, page] }))
      await store.commit({ ...receipt(beat.id, 1), at, waits: true })
      await store.commit({ ...receipt(page.id, 1), at, waits: true })
    }
    await store.commit(press('i1', { at: 2 * day + 10_000 }))
    await store.prune(0, 1_000)
    await store.close()
    const db = new DatabaseSync(join(dir, 'duress.db'), { readOnly: true })
    const kept = db.prepare('SELECT id FROM command WHERE incident IS NULL ORDER BY n').all()
    db.close()
    expect(kept.map(({ id }) => id)).toEqual(['maintenance/0/old', 'heartbeat/0/new', 'maintenance/0/new'])
  })

  test('retention names the evidence that went with its incidents, and not that of others', async () => {
    const { store } = await start(':memory:')
    for (const name of ['i1', 'i2']) {
      await store.commit(press(name, { at: name === 'i1' ? 1_000 : 9_000 }))
      const settle = {
        ...receipt(`${name}/0/pager`, 1).settles![0]!,
        receipt: { result: { evidence: `${name}-hash` } },
      }
      await store.commit(quiet({ at: 9_000, settles: [settle] }))
    }
    await store.commit(quiet({ at: 2_000, incidents: [incident('i1', { open: false })] }))
    await store.commit(quiet({ at: 9_000, incidents: [incident('i2', { open: false })] }))
    expect(await store.prune(5_000, 1_000)).toMatchObject({ more: false, evidence: ['i1-hash'] })
  })

  test('reads in pages', async () => {
    const { store } = await start(':memory:')
    const many = Array.from({ length: 1_100 }, (_, n) => n + 1)
    await store.commit(
      quiet({
        incidents: many.map((n) => incident(`i${n}`, { open: n % 2 === 0 })),
        commands: many.map((n) => ({ ...command('i1', `t${n}`, 0), dueAt: n >> 1 })),
      }),
    )
    const first = await store.incidents({ open: true }, null)
    expect(first.rows.map(({ number }) => number).slice(0, 3)).toEqual([1_100, 1_098, 1_096])
    expect(first.next).toBe(902)
    expect((await store.incidents({ open: true }, first.next)).rows[0]?.number).toBe(900)
    const due = await store.due(null, 5_000)
    expect(due).toHaveLength(1_000)
    const { dueAt, id } = due.at(-1)!
    const rest = await store.due({ dueAt, id }, 5_000)
    expect(new Set([...due, ...rest].map(({ id }) => id)).size).toBe(1_100)
    expect(rest[0]!.dueAt).toBeGreaterThanOrEqual(dueAt)
  })

  test('commits what is waiting before it closes, and takes nothing afterwards', async () => {
    const dir = place()
    const { store } = await start(dir)
    const waiting = [store.commit(press('i1')), store.commit(receipt('i1/0/pager', 1))]
    await Promise.all([store.close(), store.close()])
    expect(await Promise.all(waiting)).toEqual([{ recorded: true }, { recorded: true }])
    expect(await store.commit(press('i2'))).toMatchObject({ recorded: false, because: 'refused' })
    expect((await start(dir)).opened.trailHead.seq).toBe(2)
  })

  test('a data directory has one owner', async () => {
    const dir = place()
    await start(dir)
    await expect(start(dir)).rejects.toMatchObject({
      code: 'DATA_IN_USE',
      message: expect.stringContaining(dir),
    })
  })

  test('refuses a file of a newer version, and leaves it alone', async () => {
    const dir = place()
    const { store } = await start(dir)
    await store.close()
    const db = new DatabaseSync(join(dir, 'duress.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    await expect(start(dir)).rejects.toMatchObject({ code: 'SCHEMA_TOO_NEW' })
    expect(readdirSync(dir).filter((name) => name.startsWith('duress-'))).toEqual([])
  })

  test('says which directory can not be used', async () => {
    const dir = join(place(), 'file')
    const db = new DatabaseSync(dir)
    db.exec('CREATE TABLE x (y)')
    db.close()
    await expect(start(dir)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining(dir),
    })
  })

  test('keeps its files to itself', async () => {
    const dir = place()
    const { store } = await start(dir)
    await store.commit(press('i1'))
    for (const name of ['duress.db', 'duress.db-wal', 'trail.key'])
      expect([name, statSync(join(dir, name)).mode & 0o077]).toEqual([name, 0])
  })

  test('backs itself up while it works', async () => {
    const dir = place()
    const { store } = await start(dir)
    await store.commit(press('i1'))
    const copy = join(dir, 'copy')
    await Promise.all([store.backup(copy), store.commit(press('i2'))])
    const db = new DatabaseSync(copy, { readOnly: true })
    expect(db.prepare('PRAGMA quick_check').get()).toEqual({ quick_check: 'ok' })
    expect(db.prepare("SELECT id FROM incident WHERE id = 'i1'").get()).toEqual({ id: 'i1' })
    db.close()
    expect(existsSync(copy)).toBe(true)
  })
})

const receiptless = (name: string, waits = false): ChangeSet => ({
  at: 1_000,
  waits,
  trail: { incident: null, entries: [{ is: 'x', name }] },
})
