import { Queue, Worker } from 'bullmq'
import { Redis, ReplyError } from 'ioredis'
import type { Log } from '../connector.ts'
import { messageOf } from '../error.ts'
import { type Carrier, type Marks, NotSent, type Receiver } from './carrier.ts'

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
/** Parcels taken at once: each waits only until its mark is set. */
const atOnce = 8
/** BullMQ keeps a diary of each queue; nobody reads it. */
const diaryLines = 10

/** Parcels over BullMQ on Redis. The only file that knows either. */
export const redisCarrier = (address: RedisAddress, log: Log): Carrier => new RedisCarrier(address, log)

class RedisCarrier implements Carrier {
  readonly #address: RedisAddress
  readonly #log: Log
  readonly #client: Redis
  readonly #queues = new Map<string, Queue>()
  readonly #receivers = new Set<BoxReceiver>()
  why: string | null = 'not yet connected'
  connections = 0

  constructor(address: RedisAddress, log: Log) {
    this.#address = address
    this.#log = log
    this.#client = connect(address, {
      commandTimeout: commandMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: null,
    })
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
    const receiver = new BoxReceiver(box, this.#address, this.#log, take, () =>
      this.#receivers.delete(receiver),
    )
    this.#receivers.add(receiver)
    return receiver
  }

  async clear(box: string): Promise<void> {
    await this.#certain(() => this.#queue(box).drain())
  }

  async mark(parcel: string, field: string, value: Uint8Array): Promise<Marks> {
    const key = `${this.#address.namespace}:mark:${parcel}`
    const replies = await this.#certain(() =>
      this.#client
        .multi()
        .hsetnx(key, field, Buffer.from(value))
        .hgetallBuffer(key)
        .pexpire(key, markMs)
        .exec(),
    )
    const [set, all] = replies ?? []
    if (!set || !all || set[0] || all[0]) throw new Error('Redis did not take the mark')
    return { first: set[1] === 1, all: new Map(Object.entries(all[1] as Record<string, Buffer>)) }
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

  #queue(box: string): Queue {
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

/** What comes out of one box. */
class BoxReceiver implements Receiver {
  readonly #box: string
  readonly #address: RedisAddress
  readonly #log: Log
  readonly #take: (bytes: Buffer) => Promise<void>
  readonly #closed: () => void
  #running: { readonly worker: Worker; readonly client: Redis }

  constructor(
    box: string,
    address: RedisAddress,
    log: Log,
    take: (bytes: Buffer) => Promise<void>,
    closed: () => void,
  ) {
    this.#box = box
    this.#address = address
    this.#log = log
    this.#take = take
    this.#closed = closed
    this.#running = this.#run()
  }

  restart(): void {
    const { worker, client } = this.#running
    this.#running = this.#run()
    void end(worker, client)
  }

  async close(): Promise<void> {
    this.#closed()
    await end(this.#running.worker, this.#running.client)
  }

  #run() {
    // A blocking command has no time limit of its own: the socket has.
    const client = connect(this.#address, { maxRetriesPerRequest: null, socketTimeout: waitS * 2_000 })
    const worker = new Worker<{ sealed: string }>(this.#box, ({ data }) => this.#take(toBytes(data.sealed)), {
      connection: client,
      prefix: this.#address.namespace,
      skipVersionCheck: true,
      concurrency: atOnce,
      drainDelay: waitS,
      // BullMQ never runs anything again; the bridge does.
      maxStalledCount: 0,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      runRetryDelay: 500,
    })
    worker.on('error', (error) => this.#log.debug({ box: this.#box, error: messageOf(error) }, 'box'))
    return { worker, client }
  }
}

const end = async (worker: Worker, client: Redis): Promise<void> => {
  await worker.close(true).catch(() => {})
  client.disconnect()
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
