import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { storeFiles } from './files.ts'
import { cleanups, place } from './fixtures/place.ts'
import { command, options, press, receipt } from './fixtures/sets.ts'
import { inlineStore } from './inline.ts'

const start = async (dir: string) => {
  const store = inlineStore(options(dir).all)
  cleanups.push(() => store.close())
  return { store, opened: await store.open() }
}
/** What a foreign program or a defect may do to a file. */
const spoil = (dir: string, sql: string) => {
  const db = new DatabaseSync(storeFiles(dir).at(-1)!)
  db.exec(sql)
  db.close()
}

const message = { message: { about: 'press', lines: ['Duress, room 2'] } }
const pages = (name: string) => [
  { ...command(name, 'first', 1), body: { target: 'first', args: message } },
  ...['second', 'third'].map((target) => ({
    ...command(name, target, 1),
    body: { target, args: { sameAs: `${name}/0/first` } },
  })),
]
const argsOf = ({ unfinishedCommands }: { unfinishedCommands: readonly { body: unknown }[] }) =>
  unfinishedCommands.map(({ body }) => (body as { args: unknown }).args)

test('a message that commands share is taken along when the one that carries it has ended', async () => {
  const dir = place()
  const { store } = await start(dir)
  await store.commit(press('i1', { commands: pages('i1') }))
  await store.commit(receipt('i1/0/first', 1))
  await store.close()
  spoil(dir, 'DROP TABLE register')
  const salvaged = await start(dir)
  expect(salvaged.opened.unread).toHaveLength(1)
  expect(argsOf(salvaged.opened)).toEqual([message, message])
  await salvaged.store.close()
  const again = await start(dir)
  expect(again.opened.unread).toEqual([])
  expect(argsOf(again.opened)).toEqual([message, message])
  expect(argsOf({ unfinishedCommands: await again.store.due(null, 10) })).toEqual([message, message])
})

test('a message that can not be read is said to be missing, and costs no other its own', async () => {
  const dir = place()
  const { store } = await start(dir)
  for (const name of ['i1', 'i2']) await store.commit(press(name, { commands: pages(name) }))
  for (const name of ['i1', 'i2']) await store.commit(receipt(`${name}/0/first`, 1))
  await store.close()
  spoil(dir, "UPDATE command SET body = '{' WHERE id = 'i1/0/first'")
  const salvaged = await start(dir)
  expect(salvaged.opened.health.why).toMatch(/messages that commands share: 1 not read/)
  const lost = { sameAs: 'i1/0/first' }
  expect(argsOf(salvaged.opened)).toEqual([lost, lost, message, message])
})

test('a message is found however many commands its incident has had before', async () => {
  const dir = place()
  const { store } = await start(dir)
  const before = Array.from({ length: 1_100 }, (_, n) => command('i1', `early-${n}`, 1))
  await store.commit(press('i1', { commands: [...before, ...pages('i1')] }))
  for (const { id } of before) void store.commit(receipt(id, 1))
  await store.commit(receipt('i1/0/first', 1))
  await store.close()
  const again = await start(dir)
  expect(argsOf(again.opened)).toEqual([message, message])
  expect(argsOf({ unfinishedCommands: await again.store.due(null, 10) })).toEqual([message, message])
})
