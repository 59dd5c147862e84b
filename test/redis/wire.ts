import { connect, createServer, type Server, type Socket } from 'node:net'
import { Flow } from './flow.ts'
import { freePort } from './port.ts'
import type { RedisServer } from './server.ts'

/** What goes to Redis, and what comes from it. */
export type Direction = 'requests' | 'answers'

/** What a wire leads to: a Redis, or anything else that listens on this machine. */
type Far = Pick<RedisServer, 'port' | 'url'>

interface Line {
  readonly client: Socket
  readonly redis: Socket
  readonly flows: Flow[]
  /** Names of commands that the client has sent over it. */
  readonly said: Set<string>
  isStranded: boolean
}

/** The wire between clients and a Redis, that can be disturbed; several of them make several networks. */
export class Wire {
  readonly host = '127.0.0.1'
  #redis: Far
  #server: Server | null = null
  #port = 0
  #delayMs = 0
  #swallows: readonly Direction[] = []
  readonly #lines = new Set<Line>()

  constructor(redis: Far) {
    this.#redis = redis
  }

  get port(): number {
    return this.#port
  }

  /** That of the Redis, by this wire. */
  get url(): string {
    return this.#redis.url.replace(/\d+$/, String(this.#port))
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#lines.size
  }

  async open(): Promise<void> {
    this.#port = await freePort()
    await this.#listen()
  }

  /** Connections are reset and new ones refused. */
  async cut(): Promise<void> {
    const server = this.#server
    this.#server = null
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
    this.reset()
    await closed
  }

  /** Connections are reset; new ones get through. */
  reset(): void {
    for (const { client, redis } of this.#lines) {
      client.resetAndDestroy()
      redis.resetAndDestroy()
    }
  }

  /** Connections stay and are accepted, but nothing gets through, or nothing one way; no side hears of the other's end. */
  halfOpen(...directions: readonly Direction[]): void {
    this.#swallows = directions.length === 0 ? ['requests', 'answers'] : directions
  }

  /** Connections over which this command has been sent become half-open; the others, and new ones, go on. How many they are. */
  strand(command: string): number {
    const lines = [...this.#lines].filter(({ said }) => said.has(command))
    for (const line of lines) line.isStranded = true
    return lines.length
  }

  /** Each byte is so much later, each way; Infinity holds them until `heal`. */
  slow(ms: number): void {
    this.#delayMs = ms
  }

  /**
   * All gets through again: what was slow at once and in order; a connection that lost something is reset, since TCP
   * never leaves bytes out.
   */
  async heal(): Promise<void> {
    this.#swallows = []
    this.#delayMs = 0
    for (const { client, redis, flows } of this.#lines) {
      if (flows.some((flow) => flow.isTorn)) {
        client.resetAndDestroy()
        redis.resetAndDestroy()
      } else for (const flow of flows) flow.flush()
    }
    if (!this.#server) await this.#listen()
  }

  /** New connections go to this one: an address that has moved, as in a fail-over. */
  lead(to: Far): void {
    this.#redis = to
  }

  /** Again is no error. */
  close(): Promise<void> {
    return this.cut()
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = createServer((client) => this.#join(client))
      this.#server = server
      server.once('error', reject)
      server.listen(this.#port, this.host, resolve)
    })
  }

  #join(client: Socket): void {
    const redis = connect({ port: this.#redis.port, host: this.host })
    const line: Line = { client, redis, flows: [], said: new Set(), isStranded: false }
    const flow = (direction: Direction, from: Socket, to: Socket): Flow =>
      new Flow(from, to, () => (line.isStranded || this.#swallows.includes(direction) ? null : this.#delayMs))
    // The first word of a command (RESP).
    client.on('data', (bytes) => {
      for (const [, word] of bytes.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi))
        line.said.add((word as string).toLowerCase())
    })
    line.flows.push(flow('requests', client, redis), flow('answers', redis, client))
    this.#lines.add(line)
    for (const socket of [client, redis])
      socket.on('close', () => {
        if (client.destroyed && redis.destroyed) this.#lines.delete(line)
      })
  }
}

/** Lays one before a Redis; it must be closed. */
export const startWire = async (redis: Far): Promise<Wire> => {
  const wire = new Wire(redis)
  await wire.open()
  return wire
}
