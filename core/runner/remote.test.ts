import { afterEach, describe, expect, test } from 'vitest'
import { fair, type Weather } from '../../test/simulation/carrier.ts'
import { Outpost, type Sent } from '../../test/simulation/fleet.ts'
import { done } from '../command.ts'

let outpost: Outpost
afterEach(() => outpost.close())

const weatherAt = (crew: string, weather: Partial<Weather>) => {
  outpost.fleet.crew(crew).carrier.weather = { ...fair, ...weather }
}
const redisIs = (weather: Partial<Weather>) => {
  const { carrier, crews } = outpost.fleet
  for (const one of [carrier, ...[...crews.values()].map((crew) => crew.carrier)]) {
    one.weather = { ...fair, ...weather }
    if (weather.down) one.cut()
    one.look()
  }
}
const faults = () => outpost.faults.open().map(({ id }) => id)
const begunBy = (sent: Sent) => outpost.startsOf(sent).map(({ by }) => by)
const perhapsBegun = {
  ok: false,
  failure: { code: 'WORKER_LATE', retry: { afterMs: 0 } },
  effect: 'possible',
}

describe('a worker', () => {
  test('that is started anew is used again within 2 s; what it had begun may have had an effect', async () => {
    outpost = await Outpost.open()
    outpost.world.behaves('p1', 'hangs')
    const page = outpost.page()
    await outpost.clock.advance(600)
    const crew = outpost.fleet.crew('one')
    crew.kill()
    crew.start()
    await outpost.clock.advance(2_000)
    expect(page.outcome).toMatchObject(perhapsBegun)
    outpost.world.behaves('p1', 'well')
    const next = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(next)).toEqual(['one'])
  })

  test('that is started anew after Redis has forgotten everything still learns what to open', async () => {
    outpost = await Outpost.open()
    outpost.fleet.redis.empty()
    const crew = outpost.fleet.crew('one')
    crew.kill()
    crew.start()
    await outpost.clock.advance(3_000)
    const page = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(page)).toEqual(['one'])
  })

  test('whose machine stood still is measured anew: nothing is begun late by its old clock', async () => {
    outpost = await Outpost.open()
    const { clock } = outpost.fleet.crew('one')
    clock.freeze()
    await outpost.clock.advance(10_000)
    clock.thaw(true)
    await outpost.clock.advance(1_500)
    // It gets no answer about its mark: by a clock that is 10 s behind it would wait for one all the time.
    weatherAt('one', { marks: 'lost' })
    const page = outpost.page()
    await outpost.clock.advance(3_000)
    expect(outpost.startsOf(page).map(({ at }) => at - page.at <= 510)).toEqual([true])
  })

  test('whose machine has just stood still for a moment may begin a page later by as much, and no lock', async () => {
    outpost = await Outpost.open()
    await outpost.clock.advance(20)
    for (const name of ['one', 'two']) {
      const { clock } = outpost.fleet.crew(name)
      clock.freeze()
      await outpost.clock.advance(150)
      clock.thaw(true)
      weatherAt(name, { marks: 'lost' })
    }
    const page = outpost.page()
    const lock = outpost.lock()
    await outpost.clock.advance(3_000)
    const begunAfter = outpost.startsOf(page).map(({ at }) => Math.round(at - page.at))
    expect(begunAfter).toEqual([500 + 150])
    expect(page.outcome).toMatchObject(perhapsBegun)
    expect(begunBy(lock)).toEqual([])
  })

  test('that freezes with an order begun is given up after 2 s, and not believed later', async () => {
    outpost = await Outpost.open()
    outpost.world.behaves('p1', 'hangs')
    const page = outpost.page()
    await outpost.clock.advance(600)
    outpost.fleet.crew('one').clock.freeze()
    await outpost.clock.advance(2_500)
    expect(page.outcome).toMatchObject(perhapsBegun)
    outpost.fleet.crew('one').clock.thaw()
    await outpost.clock.advance(6_000)
    expect(page.outcome).toMatchObject(perhapsBegun)
  })

  test('whose link says in a thousand words why it is down is fit all the same', async () => {
    outpost = await Outpost.open()
    const { way } = outpost.fleet.crew('two')
    way.why = 'no route '.repeat(1_000)
    way.cut()
    await outpost.clock.advance(3_000)
    const health = outpost.runner.health().find(({ name }) => name === 'doors on two')
    expect(health).toMatchObject({ up: false, why: expect.stringMatching(/^no route/) })
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['what is no Json', done('confirmed', 1n as never)],
    ['no outcome', { done: true }],
  ])('whose connector returns %s tells so, and holds up no other order', async (_, returned) => {
    outpost = await Outpost.open()
    outpost.world.answers('page.send', 'p1', async () => returned as never)
    const page = outpost.page()
    const picture = outpost.order('cam', {}, new AbortController().signal)
    const other = outpost.send('pagers', 'camera.snapshot', picture)
    await outpost.clock.advance(100)
    expect(page.outcome).toMatchObject({ ok: false, failure: { code: 'CRASHED' }, effect: 'possible' })
    expect(other.outcome?.ok).toBe(true)
  })

  test('that is being stopped begins nothing, not even what it is just claiming', async () => {
    outpost = await Outpost.open()
    weatherAt('two', { delayMs: [50, 50] })
    const lock = outpost.lock()
    await outpost.clock.advance(100)
    void outpost.fleet.crew('two').worker.stop(1_000)
    await outpost.clock.advance(1_000)
    expect(begunBy(lock)).toEqual([])
  })

  test('tells what it notes of its own devices, and of no others; and its pictures are kept', async () => {
    outpost = await Outpost.open()
    const ctx = outpost.world.contextOf('doors of two')
    ctx.note('door', { quality: 'good' })
    ctx.note('fire-panel', { quality: 'good', active: false })
    await ctx.keep(Buffer.from('a picture'), { mediaType: 'image/jpeg', capturedAt: 1 })
    await outpost.clock.advance(50)
    expect(outpost.notes).toEqual([{ device: 'door', state: { quality: 'good' } }])
    expect(outpost.kept.map(String)).toEqual(['a picture'])
  })
})

describe('a fault', () => {
  test('is a worker that is away: one, once, until it is back', async () => {
    outpost = await Outpost.open()
    outpost.fleet.crew('one').clock.freeze()
    await outpost.clock.advance(10_000)
    outpost.fleet.crew('one').clock.thaw()
    await outpost.clock.advance(3_000)
    expect(outpost.told).toEqual(['worker:one', '-worker:one'])
  })

  test('is a Redis that is away, and the workers behind it are none', async () => {
    outpost = await Outpost.open()
    redisIs({ down: true })
    const page = outpost.page()
    await outpost.clock.advance(10_000)
    expect(begunBy(page)).toEqual(['bridge'])
    redisIs({})
    await outpost.clock.advance(5_000)
    expect(outpost.told).toEqual(['queue', '-queue'])
    const next = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(next)).toEqual(['one'])
  })

  test('is a worker whose key is missing, and it is not used', async () => {
    outpost = new Outpost(
      () => 0.5,
      ({ workers: { carrier, keys } }) => ({
        carrier,
        keys: new Map([...keys, ['one', new Error('no such file')]]),
      }),
    )
    outpost.start()
    await outpost.clock.advance(3_000)
    const page = outpost.page()
    await outpost.clock.advance(50)
    expect(begunBy(page)).toEqual(['two'])
    expect(faults()).toEqual(['worker:one'])
    expect(outpost.faults.open()[0]?.what).toContain('no such file')
  })
})

test('a link that nobody has ever reached is told as down, and as up once a worker has it', async () => {
  outpost = new Outpost(() => 0.5)
  const crews = [...outpost.fleet.crews.values()]
  outpost.fleet.way.cut()
  for (const crew of crews) crew.way.cut()
  outpost.start()
  await outpost.clock.advance(3_000)
  const told = () => outpost.turned.filter(({ name }) => name === 'doors').map(({ up }) => up)
  expect(told()).toEqual([false])
  crews[0]?.way.mend()
  await outpost.clock.advance(6_000)
  expect(told()).toEqual([false, true])
})

test('health tells every link here, and every one at a worker', async () => {
  outpost = await Outpost.open()
  const up = outpost.runner.health().flatMap((link) => (link.up ? [link.name] : []))
  expect(up.toSorted()).toEqual([
    'doors',
    'doors on one',
    'doors on two',
    'pagers',
    'pagers on one',
    'pagers on two',
    'wire',
  ])
})

test('a bridge that stops leaves no order without its end', async () => {
  outpost = await Outpost.open()
  outpost.world.behaves('p1', 'hangs')
  const begun = outpost.page()
  await outpost.clock.advance(600)
  const unsent = outpost.lock()
  await outpost.close()
  expect(begun.outcome).toMatchObject({ ok: false, effect: 'possible' })
  expect(unsent.outcome).toMatchObject({ ok: false, effect: 'none' })
  expect(begunBy(unsent)).toEqual([])
})
