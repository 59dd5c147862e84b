import { describe, expect, test } from 'vitest'
import { BACKEND } from './backend.ts'
import { certificateOf, testClient, testRedis } from './client.ts'
import { startRedis } from './server.ts'

describe('a real Redis', () => {
  test('is Redis 7 with the settings that the bridge asks for', async () => {
    const redis = await testRedis()
    expect(await redis.cli('INFO', 'server')).toMatch(/redis_version:7\./)
    expect(await redis.cli('CONFIG', 'GET', 'append*')).toMatch(/appendonly\nyes/)
    expect(await redis.cli('CONFIG', 'GET', 'maxmemory-policy')).toMatch(/noeviction/)
  })

  test('runs where the run of the tests says', async () => {
    // In a container it is the first process.
    const isContained = /process_id:1\r/.test(await (await testRedis()).cli('INFO', 'server'))
    expect(isContained ? 'containers' : 'local').toBe(process.env[BACKEND])
  })

  test('has what it answered for after a power cut, on the same port', async () => {
    const redis = await testRedis()
    const before = await testClient(redis)
    await before.set('press', 'triage-2')
    const gone = new Promise((resolve) => before.once('end', resolve))
    const url = redis.url
    await redis.kill()
    await gone
    await expect(testClient(redis)).rejects.toThrow()
    await redis.start()
    expect(redis.url).toBe(url)
    expect(await (await testClient(redis)).get('press')).toBe('triage-2')
  })

  test('answers nothing while it is frozen, and everything after it', async () => {
    const redis = await testRedis()
    const one = await testClient(redis)
    await redis.freeze()
    let answered = false
    const asked = one.set('press', 'triage-2').finally(() => {
      answered = true
    })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(answered).toBe(false)
    await redis.thaw()
    expect(await asked).toBe('OK')
  })

  test('is killed while it is frozen, and never does what it was told meanwhile', async () => {
    const redis = await testRedis()
    const one = await testClient(redis)
    await one.set('press', 'triage-2')
    await redis.freeze()
    const asked = one.set('press', 'triage-3')
    const failed = expect(asked).rejects.toThrow()
    await redis.kill()
    await failed
    await redis.start()
    expect(await redis.cli('GET', 'press')).toBe('triage-2')
  })

  test('reads, but refuses to write as somebody that follows another', async () => {
    const redis = await testRedis()
    const one = await testClient(redis)
    await one.set('press', 'triage-2')
    await redis.readOnly()
    await expect(one.set('press', 'triage-3')).rejects.toThrow('READONLY')
    expect(await one.get('press')).toBe('triage-2')
    await redis.writable()
    expect(await one.set('press', 'triage-3')).toBe('OK')
  })

  test('refuses to write when it is full', async () => {
    const redis = await testRedis({ maxmemory: '50mb' })
    const one = await testClient(redis)
    await redis.fill()
    await expect(one.set('press', 'triage-2')).rejects.toThrow('OOM')
    await redis.empty()
    expect(await one.set('press', 'triage-2')).toBe('OK')
    expect(await redis.cli('CONFIG', 'GET', 'maxmemory')).toContain(String(50 << 20))
  })

  test('shows every byte that it holds, and in its files what was overwritten', async () => {
    const redis = await testRedis()
    const first = 'Ada Lovelace, '.repeat(20)
    await redis.cli('HSET', 'who', 'name', first)
    await redis.cli('HSET', 'who', 'name', 'nobody')
    await redis.cli('-n', '1', 'SET', 'other', 'elsewhere')
    const held = await redis.dump()
    expect(held.includes(first)).toBe(false)
    for (const there of ['who', 'name', 'nobody', 'other', 'elsewhere'])
      expect(held.includes(there)).toBe(true)
    const written = await redis.aof()
    expect(written.includes(first) && written.includes('nobody')).toBe(true)
  })

  test('says why it does not start', async () => {
    await expect(startRedis({ lines: ['maxmemory plenty'] })).rejects.toThrow('maxmemory plenty')
  })

  test('leaves nothing behind, and stops twice', async () => {
    const redis = await testRedis()
    await redis.stop()
    await redis.stop()
    await expect(testClient(redis)).rejects.toThrow()
  })
})

describe('TLS and users', () => {
  test('a client with a certificate of the authority gets in, another does not', async () => {
    const redis = await testRedis({ tls: true })
    expect(redis.url).toMatch(/^rediss:/)
    const tls = await certificateOf(redis)
    expect(await (await testClient(redis, { tls })).ping()).toBe('PONG')
    const stranger = await testRedis({ tls: true })
    await expect(testClient(redis, { tls: { ca: tls.ca } })).rejects.toThrow()
    await expect(
      testClient(redis, { tls: { ...(await certificateOf(stranger)), ca: tls.ca } }),
    ).rejects.toThrow()
    await expect(testClient(redis, { tls: await certificateOf(stranger) })).rejects.toThrow()
  })

  test('a user does what its line allows, and nobody else anything', async () => {
    const users = ['user default off', 'user bridge on >secret ~bull:* +@all -flushall']
    const redis = await testRedis({ tls: true, users })
    const tls = await certificateOf(redis)
    const bridge = await testClient(redis, { tls, username: 'bridge', password: 'secret' })
    expect(await bridge.set('bull:press', 'x')).toBe('OK')
    await expect(bridge.set('press', 'x')).rejects.toThrow('NOPERM')
    await expect(bridge.flushall()).rejects.toThrow('NOPERM')
    await expect(testClient(redis, { tls, username: 'bridge', password: 'guess' })).rejects.toThrow()
    await expect(testClient(redis, { tls })).rejects.toThrow()
  })
})

test.each([{}, { tls: true as const }])(
  'a replica takes over with all that its primary had (%o)',
  async (how) => {
    const primary = await testRedis({ ...how, users: ['user bridge on >secret ~* +@all'] })
    const replica = await testRedis({ replicaOf: primary })
    const at = how.tls ? { tls: await certificateOf(replica) } : {}
    const link = await testClient(primary, { ...at, username: 'bridge', password: 'secret' })
    await link.set('press', 'triage-2')
    expect(await link.wait(1, 5_000)).toBe(1)
    const spare = await testClient(replica, { ...at, username: 'bridge', password: 'secret' })
    await expect(spare.set('press', 'triage-3')).rejects.toThrow('READONLY')
    await primary.kill()
    await replica.writable()
    expect(await spare.get('press')).toBe('triage-2')
    expect(await spare.set('press', 'triage-3')).toBe('OK')
  },
)
