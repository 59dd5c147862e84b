import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { cleanUp, until } from './program.ts'
import { WorkerSite, workerNames } from './worker-site.ts'

/** The users of docs/workers.md, over TLS with certificates on both sides: all works, and nobody may do more. */
const docs = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'workers.md'), 'utf8')
const passwords = {
  bridge: 'hunter-2 of the bridge',
  'edge-1': 'hunter-2 of one',
  'edge-2': 'hunter-2 of two',
}
type User = keyof typeof passwords
let site: WorkerSite
let redis: RedisServer

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Paths of what a client needs. */
const pem = () => {
  const { ca, cert, key } = redis.tls as NonNullable<RedisServer['tls']>
  return { ca, cert, key }
}

/** The lines as they stand there, with passwords, and a second worker made of the first. */
const users = (): string[] => {
  const lines = (/```acl\n([^`]*)```/.exec(docs)?.[1] ?? '').trim().split('\n')
  const worker = lines.find((line) => line.startsWith('user edge-1 ')) ?? ''
  return [...lines, worker.replaceAll('edge-1', 'edge-2').replace('EDGE-1', 'EDGE-2')].map((line) =>
    line.replace(/#([A-Z0-9-]+)/, (_, name: string) => `#${digest(passwords[name.toLowerCase() as User])}`),
  )
}

beforeAll(async () => {
  redis = await startRedis({ users: users(), tls: true })
  site = await WorkerSite.lay({
    redis,
    queue: {
      redis: redis.url.replace('://', '://bridge@'),
      password: { env: 'REDIS_PASSWORD' },
      tls: pem(),
    },
    env: { REDIS_PASSWORD: passwords.bridge },
  })
  await site.program.start()
  for (const name of workerNames) {
    const file = join(site.dir, `${name}.password`)
    writeFileSync(file, `${passwords[name]}\n`)
    const { ca, cert, key } = pem()
    await site.work(name, {
      redis: redis.url.replace('://', `://${name}@`),
      args: ['--redis-password-file', file, '--ca', ca, '--cert', cert, '--cert-key', key],
    })
  }
  await site.fit(...workerNames)
})

afterAll(async () => {
  await site?.close()
  await cleanUp()
})

test('a press is told and a door locked through it; a worker that was killed and a box that was emptied, too', async () => {
  const room = site.room()
  const { id } = await site.press(room, 'weapon')
  await site.program.settled(id)
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])
  await site.worker('edge-1').kill()
  await site.unfit('edge-1')
  // Its box is emptied after 5 s.
  await until('edge-1 is silent for long', async () => /[6-9] s/.test(await site.unfit('edge-1')))
  await until('edge-2 acts', async () => (await site.paged((await site.press()).id)).by === 'edge-2')
})

test('nothing that the bridge and its workers do was refused', async () => {
  const refused = (await redis.cli('ACL', 'LOG')).split('\n').filter((line) => /^cmd=|cmd=/.test(line))
  expect(refused).toEqual([])
  expect(await redis.cli('INFO', 'commandstats')).not.toMatch(/rejected_calls=[1-9]/)
})

describe('refused', () => {
  const login = async (username: User): Promise<Redis> => {
    const { ca, cert, key } = pem()
    const client = new Redis({
      ...{ host: redis.host, port: redis.port, username, password: passwords[username] },
      ...{ lazyConnect: true, retryStrategy: () => null },
      tls: { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) },
    })
    await client.connect()
    return client
  }

  const boxes = 'duress-bridge:'
  const calls: readonly (readonly [User, ...string[]])[] = [
    ['edge-1', 'LRANGE', `${boxes}to-edge-2:wait`, '0', '-1'],
    ['edge-1', 'LPUSH', `${boxes}to-edge-2:wait`, 'x'],
    ['edge-1', 'RPUSH', `${boxes}from-edge-2`, 'x'],
    ['edge-1', 'LRANGE', `${boxes}from-edge-1`, '0', '-1'],
    ['edge-1', 'DEL', `${boxes}mark:edge-2:x`],
    ['edge-1', 'HGETALL', `${boxes}mark:edge-2:x`],
    ['edge-1', 'GET', `${boxes}left:to-edge-2`],
    ['edge-1', 'SET', `${boxes}left:to-edge-1`, 'x'],
    ['edge-1', 'EVAL', "return redis.call('GET', KEYS[1])", '1', `${boxes}left:to-edge-2`],
    ['edge-1', 'EVAL', `return redis.call('DEL', '${boxes}mark:edge-2:x')`, '0'],
    ['edge-1', 'KEYS', '*'],
    ['edge-1', 'MONITOR'],
    ['edge-1', 'FLUSHALL'],
    ['bridge', 'FLUSHALL'],
    ['bridge', 'FLUSHDB'],
    ['bridge', 'KEYS', '*'],
    ['bridge', 'SCAN', '0'],
    ['bridge', 'CONFIG', 'GET', '*'],
    ['bridge', 'ACL', 'LIST'],
    ['bridge', 'CLIENT', 'KILL', 'TYPE', 'normal'],
    ['bridge', 'SHUTDOWN'],
    ['bridge', 'GET', 'another:key'],
  ]
  test.each(calls.map(([user, ...call]) => [user, call.join(' '), call] as const))(
    '%s: %s',
    async (user, _, call) => {
      const client = await login(user)
      await expect(client.call(call[0] as string, ...call.slice(1))).rejects.toThrow(
        /NOPERM|No permission|can't access at least one of the keys/i,
      )
      client.disconnect()
    },
  )

  test('nobody is in without a certificate', async () => {
    const { ca } = pem()
    const client = new Redis({
      ...{ host: redis.host, port: redis.port, username: 'bridge', password: passwords.bridge },
      ...{ lazyConnect: true, retryStrategy: () => null, tls: { ca: readFileSync(ca) } },
    })
    client.on('error', () => {})
    await expect(client.connect().then(() => client.get(`${boxes}x`))).rejects.toThrow()
    client.disconnect()
  })
})
