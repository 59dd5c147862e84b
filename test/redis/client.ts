import { readFile } from 'node:fs/promises'
import { Redis, type RedisOptions } from 'ioredis'
import { onTestFinished } from 'vitest'
import { type RedisServer, startRedis } from './server.ts'
import { startWire, type Wire } from './wire.ts'

/** A Redis that goes with its test. */
export const testRedis: typeof startRedis = async (options) => {
  const redis = await startRedis(options)
  onTestFinished(() => redis.stop())
  return redis
}

/** A wire that goes with its test. */
export const testWire = async (redis: RedisServer): Promise<Wire> => {
  const wire = await startWire(redis)
  onTestFinished(() => wire.close())
  return wire
}

type Login = Pick<RedisOptions, 'tls' | 'username' | 'password'>

/** A client that says at once what is wrong, and goes with its test. */
export const testClient = async (
  { host, port }: { host: string; port: number },
  login: Login = {},
): Promise<Redis> => {
  const atOnce = { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5_000 }
  const client = new Redis({ host, port, ...atOnce, ...login })
  onTestFinished(() => client.disconnect())
  client.on('error', () => {})
  await client.connect()
  return client
}

/** What a client needs to get into a Redis with TLS. */
export const certificateOf = async ({
  tls,
}: RedisServer): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> => {
  if (!tls) throw new Error('this Redis has no TLS')
  return { ca: await readFile(tls.ca), cert: await readFile(tls.cert), key: await readFile(tls.key) }
}
