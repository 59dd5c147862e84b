import { afterEach, expect, test } from 'vitest'
import { startSnppPager } from '../snpp-pager/index.ts'
import { snppSender } from './index.ts'

const pagers: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(pagers.splice(0).map((pager) => pager.close()))
})

const start = async (options: Partial<Parameters<typeof startSnppPager>[0]> = {}) => {
  const pager = await startSnppPager({ pagers: ['1', '2'], ...options })
  pagers.push(pager)
  return pager
}

test('the dialogue of RFC 1861: greeting, pager, message, send', async () => {
  const pager = await start()
  const returned = await snppSender({ port: pager.port }).page({ pagers: ['1', '2'], text: 'CODE GRAY ED 2' })
  expect(returned.replies).toEqual(['220', 'PAGER 250', 'PAGER 250', 'MESSAGE 250', 'SEND 250'])
  expect(pager.journal.all.map(({ detail }) => detail)).toEqual([
    { id: '1', text: 'CODE GRAY ED 2' },
    { id: '2', text: 'CODE GRAY ED 2' },
  ])
})

test('level 2: login, options, and a text of several lines with dots', async () => {
  const pager = await start({ login: { id: 'rtls', password: 'open' } })
  const sender = snppSender({ port: pager.port, login: { id: 'rtls', password: 'open' } })
  await sender.page({ pagers: ['1'], text: 'first\n.second', by: 'data', subject: 'ED', level: 0, alert: 1 })
  expect(pager.journal.all[0]?.detail).toEqual({
    id: '1',
    text: 'first\n.second',
    subject: 'ED',
    level: 0,
    alert: true,
  })
})

test('a refusal ends the dialogue and is told; a busy terminal is asked again', async () => {
  const pager = await start()
  expect(await snppSender({ port: pager.port }).page({ pagers: ['9'], text: 'x' })).toMatchObject({
    code: 550,
  })
  pager.busy()
  const returned = await snppSender({ port: pager.port }).page({ pagers: ['1'], text: 'x', insist: 2 })
  expect(returned.replies.slice(-3)).toEqual(['SEND 554', 'SEND 554', 'SEND 554'])
})

test('without a gateway nothing comes, and nothing is thrown', async () => {
  const pager = await start()
  await pager.close()
  expect(await snppSender({ port: pager.port }).page({ pagers: ['1'], text: 'x' })).toEqual({
    code: 0,
    text: '',
    replies: [],
  })
})
