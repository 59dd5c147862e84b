import { readFile } from 'node:fs/promises'
import { resolveSecret } from '../config/secret.ts'
import { type Clock, sleep } from '../core/clock.ts'
import type { Log } from '../core/connector.ts'
import { BridgeError, messageOf } from '../core/error.ts'
import type { Carrier } from '../core/runner/carrier.ts'
import { LateCarrier, noCarrier } from '../core/runner/late-carrier.ts'
import type { RedisAddress } from '../core/runner/redis.ts'
import type { Workers } from '../core/runner/remote.ts'
import type { Site } from '../core/site/site.ts'

/**
 * BullMQ takes 100 ms to load. Right after a start the bridge has better to do: it sends what its last life has left, itself
 * where it can, since no worker can be fit yet. ms
 */
const loadedAfterMs = 400

/** Paths of certificates and key, PEM. */
type TlsPaths = NonNullable<NonNullable<Site['queue']>['tls']>

/** The way to the workers. What can't be read keeps them unused, and the bridge running: it acts itself. */
export const openWorkers = async (
  queue: NonNullable<Site['queue']>,
  clock: Clock,
  log: Log,
): Promise<Workers> => {
  const keys = new Map(
    await Promise.all(
      Object.entries(queue.workers).map(
        async ([name, { key }]) =>
          [name, await resolveSecret(key).catch((error: unknown) => new Error(messageOf(error)))] as const,
      ),
    ),
  )
  const open = async () => {
    await sleep(clock, loadedAfterMs)
    return openCarrier(queue, clock, log)
  }
  return { carrier: new LateCarrier(open), keys }
}

const openCarrier = async (queue: NonNullable<Site['queue']>, clock: Clock, log: Log): Promise<Carrier> => {
  const { redis: url, namespace } = queue
  try {
    const password = queue.password && (await resolveSecret(queue.password))
    const tls = queue.tls && (await readTls(queue.tls))
    const { redisCarrier } = await import('../core/runner/redis.ts')
    return redisCarrier({ url, namespace, password, tls }, clock, log)
  } catch (error) {
    return noCarrier(messageOf(error))
  }
}

/** Certificates and key from their files. Rejects with SECRET_MISSING, naming the path. */
export const readTls = async ({ ca, cert, key }: TlsPaths): Promise<NonNullable<RedisAddress['tls']>> => {
  const read = async (name: string, path: string | undefined) => (path ? { [name]: await pem(path) } : {})
  return { ...(await read('ca', ca)), ...(await read('cert', cert)), ...(await read('key', key)) }
}

const pem = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    throw new BridgeError('SECRET_MISSING', `the file ${path} can't be used: ${messageOf(error)}`)
  })
