import { afterEach, expect, test } from 'vitest'
import { Outpost } from '../../test/simulation/fleet.ts'

let outpost: Outpost
afterEach(() => outpost.close())

test('an order goes to the first worker that its connector names', async () => {
  outpost = await Outpost.open()
  const page = outpost.page()
  const lock = outpost.lock()
  await outpost.clock.advance(50)
  expect(outpost.startsOf(page)).toMatchObject([{ by: 'one' }])
  expect(outpost.startsOf(lock)).toMatchObject([{ by: 'two' }])
  expect([page.outcome?.ok, lock.outcome?.ok]).toEqual([true, true])
})
