import { afterEach, describe, expect, test } from 'vitest'
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

describe('an order', () => {
  test('goes to the first worker that its connector names', async () => {
    outpost = await Outpost.open()
    const page = outpost.page()
    const lock = outpost.lock()
    await outpost.clock.advance(50)
    expect(begunBy(page)).toEqual(['one'])
    expect(begunBy(lock)).toEqual(['two'])
    expect([page.outcome?.ok, lock.outcome?.ok]).toEqual([true, true])
  })

  test('goes to the next one while the link of the first is down', async () => {
    outpost = await Outpost.open()
    outpost.fleet.crew('one').way.cut()
    await outpost.clock.advance(1_000)
    const page = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(page)).toEqual(['two'])
  })

  test('is acted on by the bridge while no worker has the link', async () => {
    outpost = await Outpost.open()
    for (const crew of outpost.fleet.crews.values()) crew.kill()
    await outpost.clock.advance(2_500)
    const page = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(page)).toEqual(['bridge'])
    expect(page.outcome?.ok).toBe(true)
  })

  test('of a link that went down after the last canary is refused, and the next goes another way', async () => {
    outpost = await Outpost.open()
    await outpost.clock.advance(20)
    outpost.fleet.crew('two').way.cut()
    const lock = outpost.lock()
    await outpost.clock.advance(50)
    expect(lock.outcome).toMatchObject({
      ...notBegun,
      failure: { message: expect.stringContaining('doors is not connected here') },
    })
    const next = outpost.lock()
    await outpost.clock.advance(50)
    expect(begunBy(next)).toEqual(['one'])
  })

  test('that is given up before it has left never leaves', async () => {
    outpost = await Outpost.open()
    const abort = new AbortController()
    const lock = outpost.lock(abort.signal)
    abort.abort()
    const late = outpost.lock(abort.signal)
    await outpost.clock.advance(700)
    expect([...begunBy(lock), ...begunBy(late)]).toEqual([])
    const outcome = { ok: false, failure: { code: 'ABORTED' }, effect: 'none' }
    expect([lock.outcome, late.outcome]).toMatchObject([outcome, outcome])
  })

  test('whose answer is lost ends when its time is over, with an effect that is possible', async () => {
    outpost = await Outpost.open()
    const { carrier } = outpost.fleet
    outpost.fleet.onStart = () => {
      carrier.weather = { ...fair, lost: 1 }
    }
    const page = outpost.page()
    await outpost.clock.advance(30)
    carrier.weather = { ...fair }
    await outpost.clock.advance(4_500)
    expect(page.outcome).toBeNull()
    await outpost.clock.advance(1_500)
    expect(page.outcome).toMatchObject({ ok: false, failure: { code: 'TIMEOUT' }, effect: 'possible' })
    // It is forgotten: there is nothing left to take back.
    outpost.fleet.redis.marks.clear()
    outpost.runner.recall(page.id)
    await outpost.clock.advance(50)
    expect(outpost.fleet.redis.marks.size).toBe(0)
  })
})

describe('orders while a parcel is on its way to Redis', () => {
  /** Everybody's parcels are claimed once, with their first mark. */
  const parcels = () => outpost.fleet.redis.marks.size

  test('travel together once it has arrived', async () => {
    outpost = await Outpost.open()
    weatherAt('one', { delayMs: [1, 1] })
    outpost.fleet.carrier.weather = { ...fair, delayMs: [1.5, 1.5] }
    const pages = [outpost.page()]
    for (let n = 0; n < 4; n++) {
      await outpost.clock.advance(0.5)
      pages.push(outpost.page())
    }
    await outpost.clock.advance(20)
    expect(pages.map(({ outcome }) => outcome?.ok)).toEqual([true, true, true, true, true])
    expect(parcels()).toBe(2)
  })

  test('wait 5 ms for it at most', async () => {
    outpost = await Outpost.open()
    outpost.fleet.carrier.weather = { ...fair, delayMs: [1, 1], unanswered: 1 }
    const first = outpost.page()
    await outpost.clock.advance(1)
    const second = outpost.page()
    await outpost.clock.advance(20)
    expect([first, second].map(({ outcome }) => outcome?.ok)).toEqual([true, true])
    const [start] = outpost.startsOf(second)
    // To Redis, to the worker, and there and back for its claim.
    expect(start?.at).toBeLessThanOrEqual(second.at + 5 + 1 + 3 + 6)
    expect(parcels()).toBe(2)
  })

  test('that are taken back meanwhile never leave', async () => {
    outpost = await Outpost.open()
    outpost.fleet.carrier.weather = { ...fair, delayMs: [2, 2] }
    outpost.page()
    await outpost.clock.advance(1)
    const page = outpost.page()
    outpost.runner.recall(page.id)
    await outpost.clock.advance(50)
    expect(outpost.startsOf(page)).toEqual([])
    expect(page.outcome).toMatchObject(notBegun)
  })
})

describe('an order that a worker misses', () => {
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

  test('is begun by nobody until its time is up by both clocks; then it goes another way', async () => {
    outpost = await Outpost.open()
    const { clock } = outpost.fleet.crew('two')
    clock.freeze()
    const lock = outpost.lock()
    await outpost.clock.advance(500)
    expect(lock.outcome).toBeNull()
    await outpost.clock.advance(30)
    expect(lock.outcome).toMatchObject(notBegun)
    const next = outpost.lock()
    await outpost.clock.advance(50)
    expect(begunBy(next)).toEqual(['one'])
    clock.thaw()
    await outpost.clock.advance(2_000)
    expect(begunBy(lock)).toEqual([])
  })

  test('makes it suspect until it answers a canary that was sent later', async () => {
    outpost = await Outpost.open()
    weatherAt('two', { marks: 'lost' })
    const lock = outpost.lock()
    await outpost.clock.advance(520)
    expect(lock.outcome).toMatchObject(notBegun)
    weatherAt('two', {})
    const elsewhere = outpost.lock()
    await outpost.clock.advance(600)
    const again = outpost.lock()
    await outpost.clock.advance(50)
    expect([...begunBy(elsewhere), ...begunBy(again)]).toEqual(['one', 'two'])
  })
})

describe('an order that is taken back', () => {
  test('before the worker has claimed it is not begun', async () => {
    outpost = await Outpost.open()
    weatherAt('two', { delayMs: [100, 100] })
    const lock = outpost.lock()
    await outpost.clock.advance(20)
    outpost.runner.recall(lock.id)
    await outpost.clock.advance(600)
    expect(begunBy(lock)).toEqual([])
    expect(lock.outcome).toMatchObject(notBegun)
  })

  test('before it has left never leaves', async () => {
    outpost = await Outpost.open()
    const page = outpost.page()
    outpost.runner.recall(page.id)
    await outpost.clock.advance(600)
    expect(begunBy(page)).toEqual([])
    expect(page.outcome).toMatchObject(notBegun)
  })
})
