import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Message } from '../../core/message/message.ts'

/** One request as the sink had it. */
export interface Taken {
  /** Id of the command. */
  readonly id: string
  readonly path: string
  readonly message: Message
  /** Bearer token that it came with. */
  readonly by: string | null
  /** Date.now() of its arrival, and of our answer. */
  readonly at: number
  answeredAt: number | null
}

/** What takes pages and events over HTTP and remembers each: a monitoring centre of the test's own. */
export class Sink {
  readonly all: Taken[] = []
  /** What it answers, and how late, ms. */
  status = 200
  answersAfter: () => number = () => 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #held: ServerResponse[] | null = null

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk) => chunks.push(chunk))
      request.on('end', () => {
        const by = request.headers.authorization?.replace(/^Bearer /, '') ?? null
        void this.#take(request.url ?? '', by, Buffer.concat(chunks).toString(), response)
      })
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(): Promise<Sink> {
    const sink = new Sink()
    await new Promise<void>((resolve) => sink.#server.listen(0, '127.0.0.1', resolve))
    return sink
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  of(path: string): Taken[] {
    return this.all.filter((taken) => taken.path === path)
  }

  /** Takes requests and answers none, until `release`. */
  hold(): void {
    this.#held = []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const response of held) response.writeHead(this.status).end()
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#sockets) socket.destroy()
    return closed
  }

  async #take(path: string, by: string | null, body: string, response: ServerResponse): Promise<void> {
    const { id, message, data } = JSON.parse(body) as { id: string; message?: Message; data?: Message }
    const at = Date.now()
    const taken: Taken = { id, path, message: (message ?? data) as Message, by, at, answeredAt: null }
    this.all.push(taken)
    if (this.#held) return void this.#held.push(response)
    const ms = this.answersAfter()
    if (ms > 0) await wait(ms)
    if (response.destroyed) return
    taken.answeredAt = Date.now()
    response.writeHead(this.status).end()
  }
}
