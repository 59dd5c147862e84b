import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { SimulatedClock } from '../core/clock.ts'
import { type Heard, type Hospital, hospital, listenTo, quiet, until } from './fixtures/hospital.ts'

let at: Hospital
const listeners: { stop(): Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.stop()))
  await at.close()
})

const listen = async (query = '', headers: Record<string, string> = {}) => {
  const listener = await listenTo(`${at.api.url}/v1/stream${query}`, headers)
  listeners.push(listener)
  return listener
}

const press = async (from: string) => (await at.ask('/v1/presses', { from, kind: 'assist' })).body

/** The whole trail as the stream should tell it. */
const trail = async () => {
  const rows = await at.machine.store.trail(0, 1_000)
  return rows.flatMap(({ at: when, entries }) =>
    (entries ?? []).map((entry) => ({ ...(entry as object), at: when })),
  )
}

const datas = (heard: readonly Heard[]) => heard.map(({ data }) => data)

test('every entry of the trail comes as it happens, named by what it is', async () => {
  at = await hospital()
  const { heard } = await listen()
  const { id, incident } = await press('one')
  await until(
    () => heard.length,
    () => heard.some(({ event, data }) => event === 'receipt' && data.incident === incident),
  )
  expect(heard.find(({ event }) => event === 'press')!.data).toMatchObject({
    what: 'press',
    event: id,
    incident,
  })
  expect(heard.map(({ event }) => event)).toEqual(
    expect.arrayContaining(['press', 'opened', 'command', 'receipt']),
  )
  for (const { event, data } of heard) expect(event).toBe(data.what)
})

test('replay and live fit together without a gap or a double, wherever a client was cut off', async () => {
  at = await hospital()
  for (let n = 0; n < 5; n++) await press(`before ${n}`)
  const whole = await listen('?from=0')
  await Promise.all(Array.from({ length: 20 }, (_, n) => press(`during ${n}`)))
  await until(
    () => at.machine.dispatch.size,
    (left) => left === 0,
  )
  await press('last')
  await quiet(at)
  const expected = await until(trail, (entries) => entries.length === whole.heard.length)
  expect(datas(whole.heard)).toEqual(expected)
  expect(new Set(whole.heard.map(({ id }) => id)).size).toBe(expected.length)
  for (const cut of [0, 1, 2, 3, 7, 20, expected.length - 2]) {
    const resumed = await listen('', { 'last-event-id': whole.heard[cut]!.id! })
    await until(
      () => resumed.heard.length,
      (count) => count >= expected.length - cut - 1,
    )
    expect(datas(resumed.heard)).toEqual(expected.slice(cut + 1))
  }
})

test('clients that join in the middle of a storm miss and double nothing', async () => {
  at = await hospital()
  const clients: Awaited<ReturnType<typeof listen>>[] = []
  for (let n = 0; n < 60; n++) {
    await press(`storm ${n}`)
    if (n % 6 === 0) clients.push(await listen('?from=0'))
  }
  await press('last')
  await quiet(at)
  const expected = await until(trail, (entries) =>
    clients.every(({ heard }) => heard.length >= entries.length),
  )
  for (const { heard } of clients) expect(datas(heard)).toEqual(expected)
})

test('what is more than one read takes comes whole, live and replayed', async () => {
  at = await hospital()
  const live = await listen()
  await quiet(at)
  const { clock, store } = at.machine
  const all = Array.from({ length: 700 }, (_, count) => count)
  const rows = all.map((count) => {
    const entries = [{ what: 'summary', incident: null, words: 'w', count }]
    return store.commit({ at: clock.now(), waits: true, trail: { incident: null, entries } })
  })
  await Promise.all(rows)
  const replayed = await listen('?from=0')
  for (const { heard } of [live, replayed]) {
    const counts = () => heard.filter(({ event }) => event === 'summary').map(({ data }) => data.count)
    expect(await until(counts, ({ length }) => length >= all.length)).toEqual(all)
  }
})

test('without a position a client hears only what is new; below zero it goes back from the end', async () => {
  at = await hospital()
  await press('old')
  await quiet(at)
  const fresh = await listen()
  const back = await listen('?from=-1')
  await press('new')
  await until(
    () => fresh.heard.length,
    () => fresh.heard.some(({ event }) => event === 'press'),
  )
  expect(fresh.heard.find(({ event }) => event === 'press')!.data.words).toBe('new')
  await until(
    () => back.heard.length,
    () => back.heard.some(({ event }) => event === 'press'),
  )
  expect(Number.parseInt(back.heard[0]!.id!, 10)).toBeLessThan(Number.parseInt(fresh.heard[0]!.id!, 10))
})

test('the hundred-and-first client is told to come later, and a place that is given back is free', async () => {
  at = await hospital()
  const all = await Promise.all(Array.from({ length: 100 }, () => listen()))
  expect(all.every(({ status }) => status === 200)).toBe(true)
  expect(await at.ask('/v1/stream')).toMatchObject({ status: 503, body: { error: { code: 'TOO_BUSY' } } })
  await all[0]!.stop()
  await until(
    async () => (await listen()).status,
    (status) => status === 200,
  )
})

test('a client that does not read is dropped, the others hear everything', async () => {
  at = await hospital()
  const closed = new Promise<void>((gone) => {
    const socket = connect(Number(new URL(at.api.url).port), '127.0.0.1')
    socket.write('GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
    // Not one byte is read until the other end has given up, which a broken pipe tells.
    socket.on('error', () => {})
    socket.on('close', () => gone())
    const poke = setInterval(() => socket.write('\r\n'), 100)
    socket.on('close', () => clearInterval(poke))
  })
  const { heard } = await listen()
  const words = 'x'.repeat(50_000)
  for (let n = 0; n < 400; n++) {
    const trail = { incident: null, entries: [{ what: 'summary', incident: null, words, count: n }] }
    await at.machine.store.commit({ at: at.machine.clock.now(), waits: true, trail })
  }
  await closed
  const counts = () => heard.filter(({ event }) => event === 'summary').map(({ data }) => data.count)
  expect(await until(counts, (all) => all.length === 400)).toEqual(Array.from({ length: 400 }, (_, n) => n))
}, 30_000)

test('the bridge shows that it lives by a comment every 15 seconds', async () => {
  const clock = new SimulatedClock()
  at = await hospital({ clock })
  const { comments } = await listen()
  await clock.advance(14_900)
  expect(comments).toEqual([])
  await clock.advance(200)
  await until(
    () => comments.length,
    (count) => count === 1,
  )
  await clock.advance(15_000)
  await until(
    () => comments.length,
    (count) => count === 2,
  )
})

test('closing ends streams and answers promptly', async () => {
  at = await hospital()
  const some = await Promise.all(Array.from({ length: 10 }, () => listen()))
  await at.api.close()
  await Promise.all(some.map(({ ended }) => ended))
  await expect(fetch(`${at.api.url}/healthz`)).rejects.toThrow()
})
