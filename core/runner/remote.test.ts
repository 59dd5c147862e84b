import { afterEach, expect, test } from 'vitest'
import { fair, type Weather } from '../../test/simulation/carrier.ts'
import { Outpost, type Sent } from '../../test/simulation/fleet.ts'

let outpost: Outpost
afterEach(() => outpost.close())

const weatherAt = (crew: string, weather: Partial<Weather>) => {
  outpost.fleet.crew(crew).carrier.weather = { ...fair, ...weather }
}
const begunBy = (sent: Sent) => outpost.startsOf(sent).map(({ by }) => by)
const notBegun = { ok: false, failure: { code: 'WORKER_LATE', retry: { afterMs: 0 } }, effect: 'none' }
const perhapsBegun = { ...notBegun, effect: 'possible' }

test('an order goes to the first worker that its connector names', async () => {
  outpost = await Outpost.open()
  const page = outpost.page()
  const lock = outpost.lock()
  await outpost.clock.advance(50)
  expect(begunBy(page)).toEqual(['one'])
  expect(begunBy(lock)).toEqual(['two'])
  expect([page.outcome?.ok, lock.outcome?.ok]).toEqual([true, true])
})

test('a page that a worker could not claim may have gone out: the bridge says so', async () => {
  outpost = await Outpost.open()
  weatherAt('one', { marks: 'lost' })
  outpost.world.behaves('p1', 'hangs')
  const page = outpost.page()
  await outpost.clock.advance(700)
  expect(begunBy(page)).toEqual(['one'])
  expect(page.outcome).toMatchObject(perhapsBegun)
})

test('a lock that a worker could not claim is not begun, and that is known', async () => {
  outpost = await Outpost.open()
  weatherAt('two', { marks: 'lost' })
  const lock = outpost.lock()
  await outpost.clock.advance(700)
  expect(begunBy(lock)).toEqual([])
  expect(lock.outcome).toMatchObject(notBegun)
})

test('a Redis that has forgotten who came first proves nothing', async () => {
  outpost = await Outpost.open()
  outpost.world.behaves('door', 'hangs')
  const lock = outpost.lock()
  await outpost.clock.advance(100)
  expect(begunBy(lock)).toEqual(['two'])
  outpost.fleet.redis.empty()
  await outpost.clock.advance(600)
  expect(lock.outcome).toMatchObject(perhapsBegun)
})
