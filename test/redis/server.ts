import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { ownFolder } from '../leftovers.ts'
import { BACKEND, type Backend } from './backend.ts'
import { type Certificates, copyCertificates, makeCertificates } from './certificates.ts'
import { LocalRedis } from './local.ts'
import { freePort } from './port.ts'

const run = promisify(execFile)

/** How long a Redis may take to start, and a command of the test's own to be answered. */
const PATIENCE_MS = 20_000
const AGAIN_MS = 5

/** Nobody listens there (tcpmux, RFC 1078). */
const NOWHERE = '1'

/** The test's own way in, past every ACL; no client under test knows its password. */
const OWN_USER = 'control'

export interface RedisOptions {
  /** TLS only, and clients need a certificate of its authority. */
  readonly tls?: true
  /** Lines of an ACL file: `user bridge on >secret ~bull:* +@all`. Without one for `default`, anybody is in. */
  readonly users?: readonly string[]
  /** As Redis writes it: `10mb`. Unlimited by default. */
  readonly maxmemory?: string
  /** It starts with all that this one has, and follows it until `writable()`, with the same certificates and users. */
  readonly replicaOf?: RedisServer
  /** Further lines of redis.conf. */
  readonly lines?: readonly string[]
}

/** A real Redis for one test, on a port of its own, which keeps its data (AOF, every second) over `kill` and `start`. */
export class RedisServer {
  readonly host = '127.0.0.1'
  readonly #options: RedisOptions
  readonly #password = randomBytes(16).toString('hex')
  #folder = ''
  #port = 0
  #tls: Certificates | null = null
  #backend: Backend | null = null

  constructor(options: RedisOptions) {
    this.#options = options
  }

  get port(): number {
    return this.#port
  }

  /** Without user and password. */
  get url(): string {
    return `${this.#tls ? 'rediss' : 'redis'}://${this.host}:${this.#port}`
  }

  /** Paths of what a client needs; null without TLS. */
  get tls(): { readonly ca: string; readonly cert: string; readonly key: string } | null {
    return this.#tls
  }

  async open(): Promise<void> {
    this.#folder = await ownFolder('redis')
    const { tls, replicaOf } = this.#options
    if (replicaOf?.tls) this.#tls = await copyCertificates(dirname(replicaOf.tls.ca), this.#folder)
    else if (tls) this.#tls = await makeCertificates(this.#folder)
    const config = join(this.#folder, 'redis.conf')
    this.#port = await freePort()
    await writeFile(config, this.#config())
    this.#backend = await backendOf(this.#folder, config)
    await this.start()
    while (replicaOf && !(await this.cli('INFO', 'replication')).includes('master_link_status:up'))
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }

  /** Again after `kill`, on the same port with the same data; resolves when it answers. */
  async start(): Promise<void> {
    await this.#running.start()
    for (const end = Date.now() + PATIENCE_MS; ; ) {
      // LOADING is an error, so that it is ready once it says PONG.
      const answer = await this.cli('PING').catch((error: Error) => error.message)
      if (answer === 'PONG') return
      const failure = await this.#running.failure()
      if (failure !== null || Date.now() > end) throw new Error(await this.#why(failure ?? answer))
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }

  /** It stands still with its connections open: what it is told is answered after `thaw`. */
  freeze(): Promise<void> {
    return this.#running.freeze()
  }

  thaw(): Promise<void> {
    return this.#running.thaw()
  }

  /** SIGKILL, frozen or not. */
  kill(): Promise<void> {
    return this.#running.kill()
  }

  /** Writes are refused with READONLY, as after a fail-over to somebody else; until `writable`, or its next start. */
  async readOnly(): Promise<void> {
    await this.cli('REPLICAOF', this.host, NOWHERE)
  }

  /** Follows nobody any more. */
  async writable(): Promise<void> {
    await this.cli('REPLICAOF', 'NO', 'ONE')
  }

  /** Writes are refused with OOM, as when `maxmemory` is reached; until `empty`, or its next start. */
  async fill(): Promise<void> {
    await this.cli('CONFIG', 'SET', 'maxmemory', '1')
  }

  /** Has room again. */
  async empty(): Promise<void> {
    await this.cli('CONFIG', 'SET', 'maxmemory', this.#options.maxmemory ?? '0')
  }

  /** redis-cli with all rights; an error that Redis answers rejects. */
  async cli(...args: string[]): Promise<string> {
    const tls = this.#tls
    const secure = tls ? ['--tls', '--cacert', tls.ca, '--cert', tls.cert, '--key', tls.key] : []
    const login = ['-h', this.host, '-p', String(this.#port), '--user', OWN_USER, '--no-auth-warning']
    const { stdout } = await run('redis-cli', ['-e', ...login, ...secure, ...args], {
      env: { ...process.env, REDISCLI_AUTH: this.#password },
      timeout: PATIENCE_MS,
      maxBuffer: 64 << 20,
    }).catch((error: Error & { stdout?: string; stderr?: string }) => {
      const said = `${error.stderr ?? ''}${error.stdout ?? ''}`.trim()
      throw new Error(`redis-cli ${args[0]}: ${said || error.message}`)
    })
    return stdout.trimEnd()
  }

  /** All keys and values, uncompressed, to look for what must not be there. */
  async dump(): Promise<Buffer> {
    const redis = await this.#connect()
    try {
      const found: Buffer[] = []
      for (const [, database] of (await redis.info('keyspace')).matchAll(/^db(\d+):/gm)) {
        await redis.select(Number(database))
        for await (const keys of redis.scanBufferStream({ count: 1_000 }) as AsyncIterable<Buffer[]>)
          for (const key of keys) found.push(key, (await redis.dumpBuffer(key)) ?? Buffer.alloc(0))
      }
      return Buffer.concat(found)
    } finally {
      redis.disconnect()
    }
  }

  /** What its append-only files hold: whatever was answered, and all that was overwritten since the last rewrite. */
  async aof(): Promise<Buffer> {
    const folder = join(this.#folder, 'appendonlydir')
    const files = (await readdir(folder)).sort()
    return Buffer.concat(await Promise.all(files.map((file) => readFile(join(folder, file)))))
  }

  /** Ends it and removes its data; again is no error. */
  async stop(): Promise<void> {
    try {
      await this.#backend?.remove()
    } finally {
      if (this.#folder) await rm(this.#folder, { recursive: true, force: true })
    }
  }

  get #running(): Backend {
    if (!this.#backend) throw new Error('this Redis was never opened')
    return this.#backend
  }

  async #connect(): Promise<Redis> {
    const tls = this.#tls
    const files = tls && (await Promise.all([tls.ca, tls.cert, tls.key].map((path) => readFile(path))))
    const redis = new Redis({
      ...{ host: this.host, port: this.#port, username: OWN_USER, password: this.#password },
      ...{ lazyConnect: true, retryStrategy: () => null, commandTimeout: PATIENCE_MS },
      ...(files ? { tls: { ca: files[0], cert: files[1], key: files[2] } } : {}),
    })
    await redis.connect()
    return redis
  }

  async #why(reason: string): Promise<string> {
    const lines = (await this.#running.log()).trim().split('\n')
    return `redis did not start: ${reason}\n${lines.slice(-10).join('\n')}`
  }

  #config(): string {
    const { maxmemory, replicaOf, lines = [] } = this.#options
    const users = this.#options.users ?? (replicaOf ? replicaOf.#options.users : undefined) ?? []
    const tls = this.#tls
    return [
      'bind 127.0.0.1',
      'protected-mode no',
      ...(tls ? ['port 0', `tls-port ${this.#port}`, 'tls-auth-clients yes'] : [`port ${this.#port}`]),
      ...(tls ? [`tls-ca-cert-file ${tls.ca}`] : []),
      ...(tls ? [`tls-cert-file ${tls.server.cert}`, `tls-key-file ${tls.server.key}`] : []),
      `dir ${this.#folder}`,
      'save ""',
      // A replica has all at once, not after the 5 s in which others might ask for the same.
      'repl-diskless-sync-delay 0',
      'appendonly yes',
      'appendfsync everysec',
      // So that `dump` and `aof` show every byte as it was written.
      'rdbcompression no',
      'aof-use-rdb-preamble no',
      'maxmemory-policy noeviction',
      ...(maxmemory ? [`maxmemory ${maxmemory}`] : []),
      `user ${OWN_USER} on >${this.#password} ~* &* +@all`,
      ...users,
      ...(replicaOf ? replicaOf.#followed() : []),
      ...lines,
      '',
    ].join('\n')
  }

  /** Lines of one that follows this one. */
  #followed(): string[] {
    return [
      `replicaof ${this.host} ${this.#port}`,
      `masteruser ${OWN_USER}`,
      `masterauth ${this.#password}`,
      ...(this.#tls ? ['tls-replication yes'] : []),
    ]
  }
}

/** Only containers load what speaks to an engine. */
const backendOf = async (folder: string, config: string): Promise<Backend> => {
  if (process.env[BACKEND] !== 'containers') return new LocalRedis(config, join(folder, 'redis.log'))
  const { ContainerRedis } = await import('./container.ts')
  return new ContainerRedis(folder, config)
}

/** Starts one; it must be stopped. */
export const startRedis = async (options: RedisOptions = {}): Promise<RedisServer> => {
  const redis = new RedisServer(options)
  try {
    await redis.open()
    return redis
  } catch (error) {
    await redis.stop()
    throw error
  }
}
