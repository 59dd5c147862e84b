import { expect, test } from 'vitest'
import { cleanups } from './fixtures/place.ts'
import { command, options, press } from './fixtures/sets.ts'
import type { Page, RecordedCommand } from './port.ts'
import { threadStore } from './thread.ts'

test('the commands of an incident come by the thousand, their ids all at once', async () => {
  const store = threadStore(options(':memory:').all)
  cleanups.push(() => store.close())
  await store.open()
  const many = Array.from({ length: 2_001 }, (_, n) => command('i1', `t${n}`, 1))
  await store.commit({ ...press('i1'), commands: many })
  await store.commit(press('i2'))

  const pages: (readonly RecordedCommand[])[] = []
  for (let after: number | null = null; ; ) {
    const { rows, next }: Page<RecordedCommand, number> = await store.commandsOf('i1', after)
    pages.push(rows)
    if (next === null) break
    after = next
  }
  expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, 1])
  const ids = many.map(({ id }) => id)
  expect(pages.flat().map(({ id }) => id)).toEqual(ids)
  expect([...(await store.commandIdsOf('i1'))].sort()).toEqual(ids.sort())
  expect(await store.commandIdsOf('i3')).toEqual([])
})
