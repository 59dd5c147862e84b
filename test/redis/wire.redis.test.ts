import { expect, test } from 'vitest'
import { certificateOf, testClient, testRedis, testWire } from './client.ts'

/** Long enough that something on loopback would have come. */
const AWHILE_MS = 200

const awhile = () => new Promise((resolve) => setTimeout(resolve, AWHILE_MS))

const isOver = async (promise: Promise<unknown>): Promise<boolean> => {
  let over = false
  promise.then(
    () => {
      over = true
    },
    () => {
      over = true
    },
  )
  await awhile()
  return over
}

test('carries what is said, with TLS, too', async () => {
  const plain = await testWire(await testRedis())
  expect(await (await testClient(plain)).set('press', 'triage-2')).toBe('OK')
  expect(plain.connections).toBe(1)
  expect(plain.url).toBe(`redis://127.0.0.1:${plain.port}`)
  const redis = await testRedis({ tls: true })
  const secure = await testWire(redis)
  expect(await (await testClient(secure, { tls: await certificateOf(redis) })).ping()).toBe('PONG')
  expect(secure.url).toBe(`rediss://127.0.0.1:${secure.port}`)
})

test('cut: connections are reset, new ones refused, until it is healed', async () => {
  const wire = await testWire(await testRedis())
  const client = await testClient(wire)
  const gone = new Promise((resolve) => client.once('close', resolve))
  await wire.cut()
  await gone
  expect(wire.connections).toBe(0)
  await expect(testClient(wire)).rejects.toThrow()
  await wire.heal()
  expect(await (await testClient(wire)).ping()).toBe('PONG')
})

test('a client that dies is gone for Redis, too, and a Redis that dies for its clients', async () => {
  const redis = await testRedis()
  const wire = await testWire(redis)
  const one = await testClient(wire)
  one.disconnect()
  await expect.poll(() => wire.connections).toBe(0)
  const other = await testClient(wire)
  const gone = new Promise((resolve) => other.once('close', resolve))
  await redis.kill()
  await gone
  await expect(testClient(wire)).rejects.toThrow()
})

test('half-open: accepts and says nothing; Redis never hears of it', async () => {
  const redis = await testRedis()
  const wire = await testWire(redis)
  const client = await testClient(wire)
  wire.halfOpen()
  const asked = client.set('press', 'triage-2')
  const dialled = testClient(wire)
  expect(await Promise.all([isOver(asked), isOver(dialled)])).toEqual([false, false])
  expect(await redis.cli('EXISTS', 'press')).toBe('0')
  await wire.heal()
  await expect(asked).rejects.toThrow()
  await expect(dialled).rejects.toThrow()
  expect(await redis.cli('EXISTS', 'press')).toBe('0')
  expect(await (await testClient(wire)).ping()).toBe('PONG')
})

test('half-open one way: Redis does what it is asked, and nobody hears it', async () => {
  const redis = await testRedis()
  const wire = await testWire(redis)
  const client = await testClient(wire)
  wire.halfOpen('answers')
  const asked = client.set('press', 'triage-2')
  await expect.poll(() => redis.cli('EXISTS', 'press')).toBe('1')
  expect(await isOver(asked)).toBe(false)
  await wire.heal()
  await expect(asked).rejects.toThrow()
})

test('half-open: the end of one side is hidden from the other', async () => {
  const redis = await testRedis()
  const wire = await testWire(redis)
  const client = await testClient(wire)
  wire.halfOpen()
  client.disconnect()
  await awhile()
  expect(await redis.cli('CLIENT', 'LIST', 'TYPE', 'normal')).toMatch(/^id=.*\nid=/)
  await wire.heal()
  await expect.poll(() => redis.cli('CLIENT', 'LIST', 'TYPE', 'normal')).not.toMatch(/\n/)
})

test('slow: everything comes, so much later each way', async () => {
  const wire = await testWire(await testRedis())
  const client = await testClient(wire)
  wire.slow(60)
  const started = performance.now()
  expect(await client.ping()).toBe('PONG')
  // Timers may be a millisecond early.
  expect(performance.now() - started).toBeGreaterThan(118)
})

test('slow: what comes after it is no faster', async () => {
  const wire = await testWire(await testRedis())
  const client = await testClient(wire)
  wire.slow(300)
  const first = client.set('press', 'triage-2')
  await awhile()
  wire.slow(1)
  const second = client.append('press', ', again')
  expect(await Promise.all([first, second])).toEqual(['OK', 15])
})

test('slow without end: what was said arrives when it is healed, late', async () => {
  const redis = await testRedis()
  const wire = await testWire(redis)
  const client = await testClient(wire)
  wire.slow(Number.POSITIVE_INFINITY)
  const asked = client.set('press', 'triage-2')
  expect(await isOver(asked)).toBe(false)
  expect(await redis.cli('EXISTS', 'press')).toBe('0')
  await wire.heal()
  expect(await asked).toBe('OK')
})

test('leads to another Redis after a fail-over', async () => {
  const [one, other] = await Promise.all([testRedis(), testRedis()])
  const wire = await testWire(one)
  await other.cli('SET', 'who', 'other')
  wire.lead(other)
  wire.reset()
  expect(await (await testClient(wire)).get('who')).toBe('other')
})
