import { describe, expect, test } from 'vitest'
import { cleanups, place } from './fixtures/place.ts'
import { options, press, quiet } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'
import { threadStore } from './thread.ts'

describe.each([
  ['in a thread of its own', threadStore],
  ['in the same process', inlineStore],
] as const)('a press key, in a store %s', (_, make) => {
  const start = async (dir: string) => {
    const store = make(options(dir).all)
    cleanups.push(() => store.close())
    return { store, opened: await store.open() }
  }

  test('of more than a day ago is no repeat: counters begin again', async () => {
    const dir = place()
    const day = 86_400_000
    const first = await start(dir)
    await first.store.commit(press('i1', { at: 1_000 }))
    await first.store.commit(quiet({ at: 1_001 + day, trail: { incident: null, entries: ['later'] } }))
    await first.store.close()
    const { store, opened } = await start(dir)
    expect(opened.keys).toEqual([])
    const again = press('i2', { at: 1_002 + day })
    const acts: string[] = []
    const fact = { ...again.fact!, key: 'key-i1' }
    expect(await store.commit({ ...again, fact }, () => acts.push('act'))).toEqual({ recorded: true })
    expect(acts).toEqual(['act'])
    expect((await store.incidents({}, null)).rows.map(({ id }) => id)).toEqual(['i2', 'i1'])
    await store.close()
    const last = await start(dir)
    expect(last.opened.keys.map(({ key, id }) => [key, id])).toEqual([['key-i1', 'fact-i2']])
  })

  test('that is still on its way is repeated by whatever comes with it', async () => {
    const dir = place()
    const { store } = await start(dir)
    const again = press('i2')
    const acts: string[] = []
    const ends = [
      store.commit(press('i1'), () => acts.push('i1')),
      store.commit({ ...again, fact: { ...again.fact!, key: 'key-i1' } }, () => acts.push('i2')),
    ]
    const duplicate = { id: 'fact-i1', incident: 'i1', answer: { told: 'i1' } }
    expect(await Promise.all(ends)).toEqual([{ recorded: true }, { recorded: true, duplicate }])
    expect(acts).toEqual(['i1'])
    expect((await store.incidents({}, null)).rows.map(({ id }) => id)).toEqual(['i1'])
  })
})
