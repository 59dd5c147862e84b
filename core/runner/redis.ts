import { createRequire } from 'node:module'
import type * as bullmq from 'bullmq'
import { Redis, ReplyError } from 'ioredis'
import { type Clock, sleep } from '../clock.ts'
import type { Log } from '../connector.ts'
import { messageOf } from '../error.ts'
import { type Carrier, type Marks, NotSent, type Receiver } from './carrier.ts'

// By file: as a whole it brings its way to PostgreSQL along, and much else, 70 files at each start.
const load = createRequire(import.meta.url)
const Queue: typeof bullmq.Queue = load('bullmq/dist/cjs/classes/queue.js').Queue
const Worker: typeof bullmq.Worker = load('bullmq/dist/cjs/classes/worker.js').Worker

/** Where Redis is, with everything that was read from files already. */
export interface RedisAddress {
  /** `redis://USER@HOST:PORT/DB` or `rediss://…`. */
  readonly url: string
  readonly password?: string | undefined
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined
  /** What all keys begin with; one bridge each. */
  readonly namespace: string
}

/** Where Redis listens unless the URL says otherwise (IANA). */
const defaultPort = 6_379
/** A command of Redis that takes longer has failed, ms: below it a frozen Redis would look alive for too long. */
const commandMs = 1_000
const connectMs = 2_000
/** Pauses between two tries to connect, ms: what is back is used within a second. */
const reconnectMs = (times: number): number => Math.min(100 * times, 1_000) * (0.5 + Math.random() / 2)
/** A connection that waits for parcels hears at least this often from Redis, s; twice as long without a byte, it is dead. */
const waitS = 2
/** Marks outlive the grace of their parcel, whatever the clocks say, ms. */
const markMs = 60_000
/** Parcels taken at once: each waits only until its mark is set, and none for another's. 4 cost a twentieth more time of the processor. */
const atOnce = 16
/** Reports taken at once. */
const reportsMax = 100
/** Pause after a connection that waits for reports has failed, ms. */
const againMs = 500
/** BullMQ keeps a diary of each queue; nobody reads it. */
const diaryLines = 10

/** Parcels over BullMQ on Redis. The only file that knows either. */
export const redisCarrier = (address: RedisAddress, clock: Clock, log: Log): Carrier =>
  new RedisCarrier(address, clock, log)

class RedisCarrier implements Carrier {
  readonly #address: RedisAddress
  readonly #clock: Clock
  readonly #log: Log
  readonly #client: MarkingRedis
  readonly #queues = new Map<string, bullmq.Queue>()
  readonly #receivers = new Set<Receiver>()
  why: string | null = 'not yet connected'
  connections = 0

  constructor(address: RedisAddress, clock: Clock, log: Log) {
    this.#address = address
    this.#clock = clock
    this.#log = log
    this.#client = connect(address, {
      commandTimeout: commandMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: null,
    }) as MarkingRedis
    this.#client.defineCommand('setMark', { numberOfKeys: 1, lua: setMark })
    this.#client.on('ready', () => {
      this.connections++
      this.why = null
    })
    this.#client.on('close', () => {
      this.why ??= 'connection lost'
    })
    this.#client.on('error', (error) => {
      this.why = messageOf(error)
    })
  }

  isUp(): boolean {
    return this.#client.status === 'ready'
  }

  async send(box: string, bytes: Uint8Array): Promise<void> {
    await this.#certain(async () => {
      await this.#queue(box).add('parcel', { sealed: toText(bytes) }, once)
    })
  }

  receive(box: string, take: (bytes: Buffer) => Promise<void>): Receiver {
    return this.#receiver(() => runParcels(box, this.#address, this.#log, take))
  }

  async tell(box: string, bytes: Uint8Array): Promise<void> {
    await this.#certain(() => this.#client.rpush(`${this.#address.namespace}:${box}`, Buffer.from(bytes)))
  }

  listen(box: string, take: (bytes: Buffer) => Promise<void>): Receiver {
    return this.#receiver(() =>
      runReports(`${this.#address.namespace}:${box}`, this.#address, this.#clock, this.#log, take),
    )
  }

  async clear(box: string): Promise<void> {
    await this.#certain(() => this.#queue(box).drain())
  }

  async mark(parcel: string, field: string, value: Uint8Array): Promise<Marks> {
    const key = `${this.#address.namespace}:mark:${parcel}`
    const [first, flat] = await this.#certain(() =>
      this.#client.setMarkBuffer(key, field, Buffer.from(value), markMs),
    )
    const all = new Map<string, Buffer>()
    for (let i = 0; i + 1 < flat.length; i += 2) all.set(String(flat[i]), flat[i + 1] as Buffer)
    return { first: first === 1, all }
  }

  async leave(box: string, bytes: Uint8Array): Promise<void> {
    await this.#certain(() => this.#client.set(`${this.#address.namespace}:left:${box}`, Buffer.from(bytes)))
  }

  fetch(box: string): Promise<Buffer | null> {
    return this.#certain(() => this.#client.getBuffer(`${this.#address.namespace}:left:${box}`))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#receivers].map((receiver) => receiver.close()))
    for (const queue of this.#queues.values()) await queue.close().catch(() => {})
    this.#client.disconnect()
  }

  #receiver(run: () => Running): Receiver {
    const receiver = new Renewed(run, () => this.#receivers.delete(receiver))
    this.#receivers.add(receiver)
    return receiver
  }

  #queue(box: string): bullmq.Queue {
    const known = this.#queues.get(box)
    if (known) return known
    const queue = new Queue(box, {
      connection: this.#client,
      prefix: this.#address.namespace,
      skipVersionCheck: true,
      skipMetasUpdate: true,
      streams: { events: { maxLen: diaryLines } },
    })
    queue.on('error', (error: Error) => this.#log.debug({ box, error: messageOf(error) }, 'queue'))
    this.#queues.set(box, queue)
    return queue
  }

  /** What Redis refuses, or never got, is certainly not there; of a reply that does not come nothing is known. */
  async #certain<T>(ask: () => Promise<T>): Promise<T> {
    if (!this.isUp()) throw new NotSent(`Redis is not connected: ${this.why ?? 'unknown reason'}`)
    try {
      return await ask()
    } catch (error) {
      throw error instanceof ReplyError ? new NotSent(messageOf(error), { cause: error }) : error
    }
  }
}

/** A parcel is tried once: what went wrong with it is the bridge's affair. */
const once = { attempts: 1, removeOnComplete: true, removeOnFail: true } as const

/** Sets a field of a hash unless it is set, and reads them all: one step, one passage. */
const setMark = `
local first = redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { first, redis.call('HGETALL', KEYS[1]) }`

interface MarkingRedis extends Redis {
  setMarkBuffer(key: string, field: string, value: Buffer, ms: number): Promise<[number, Buffer[]]>
}

/** Something that takes out of a box, with connections of its own. */
interface Running {
  end(): Promise<void>
}

class Renewed implements Receiver {
  readonly #run: () => Running
  readonly #closed: () => void
  #running: Running

  constructor(run: () => Running, closed: () => void) {
    this.#run = run
    this.#closed = closed
    this.#running = run()
  }

  restart(): void {
    void this.#running.end()
    this.#running = this.#run()
  }

  async close(): Promise<void> {
    this.#closed()
    await this.#running.end()
  }
}

/** A blocking command has no time limit of its own: the socket has. */
const waiting = { maxRetriesPerRequest: null, socketTimeout: waitS * 2_000 } as const

type Take = (bytes: Buffer) => Promise<void>

const runParcels = (box: string, address: RedisAddress, log: Log, take: Take): Running => {
  const client = connect(address, waiting)
  const worker = new Worker<{ sealed: string }>(box, ({ data }) => take(toBytes(data.sealed)), {
    connection: client,
    prefix: address.namespace,
    skipVersionCheck: true,
    concurrency: atOnce,
    drainDelay: waitS,
    // BullMQ never runs anything again; the bridge does.
    maxStalledCount: 0,
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    runRetryDelay: againMs,
  })
  worker.on('error', (error) => log.debug({ box, error: messageOf(error) }, 'box'))
  return {
    async end() {
      await worker.close(true).catch(() => {})
      client.disconnect()
    },
  }
}

/** Nobody does anything upon a report, so it needs no more than a list. */
const runReports = (key: string, address: RedisAddress, clock: Clock, log: Log, take: Take): Running => {
  const client = connect(address, waiting)
  let ended = false
  const run = async () => {
    while (!ended)
      try {
        const [, reports] = (await client.blmpopBuffer(waitS, 1, key, 'LEFT', 'COUNT', reportsMax)) ?? []
        for (const report of reports ?? []) await take(report)
      } catch (error) {
        log.debug({ key, error: messageOf(error) }, 'reports')
        if (!ended) await sleep(clock, againMs)
      }
  }
  void run()
  return {
    async end() {
      ended = true
      client.disconnect()
    },
  }
}

interface Limits {
  readonly maxRetriesPerRequest: null
  readonly commandTimeout?: number
  readonly socketTimeout?: number
  readonly enableOfflineQueue?: boolean
}

const connect = ({ url, password, tls }: RedisAddress, more: Limits): Redis => {
  const { protocol, hostname, port, username, pathname } = new URL(url)
  // Given as a whole, a URL with a user and no password would overrule the password.
  const client = new Redis({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? defaultPort : Number(port),
    db: Number(pathname.slice(1)),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === undefined ? {} : { password }),
    ...(protocol === 'rediss:' ? { tls: { ...tls } } : {}),
    connectTimeout: connectMs,
    keepAlive: 5_000,
    retryStrategy: reconnectMs,
    // A fail-over leaves us on what is a replica now: the address has another master by then.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...more,
  })
  client.on('error', () => {})
  return client
}

const toText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
const toBytes = (text: unknown): Buffer => Buffer.from(typeof text === 'string' ? text : '', 'base64')
