import { randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import type { Behaviour } from './mock.ts'

/** How often a port that another socket still holds is asked for again. */
const AGAIN_MS = 20

/** Bytes of no protocol: the top bit of the first is set, so it is neither a digit nor a small number. */
const garbage = (): Buffer => {
  const bytes = randomBytes(24)
  bytes[0] = (bytes[0] ?? 0) | 0x80
  return bytes
}

/**
 * The loopback port of a mock device and how it behaves there. The device gives `talk`, called for each new
 * connection, and answers by `answer`, which makes the behaviours slow, half-open and garbage of it.
 */
export class TcpPort {
  behaviour: Behaviour = { is: 'normal' }
  readonly sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0
  #away = false
  #closed = false
  #timers = new Set<NodeJS.Timeout>()
  readonly #talk: (socket: Socket) => void

  constructor(talk: (socket: Socket) => void) {
    this.#talk = talk
  }

  get port(): number {
    return this.#port
  }

  /** Listens on 127.0.0.1; rejects when the port is taken. */
  open(port = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      const server = createServer((socket) => this.#accept(socket))
      this.#server = server
      server.once('error', reject)
      server.listen({ port, host: '127.0.0.1', backlog: 128 }, () => {
        server.removeListener('error', reject)
        server.on('error', () => {})
        const address = server.address()
        if (address && typeof address === 'object') this.#port = address.port
        if (this.#closed) server.close()
        resolve()
      })
    })
  }

  behave(behaviour: Behaviour): void {
    this.behaviour = behaviour
    this.#follow()
  }

  /** Gives `bytes` back in the way the port behaves now. */
  answer(socket: Socket, bytes: Buffer | string): void {
    const { is } = this.behaviour
    if (is === 'half-open' || is === 'refusing' || !socket.writable) return
    socket.write(is === 'garbage' ? garbage() : bytes)
  }

  /** Runs after the time that the behaviour slow asks for, else at once; never after `close`. */
  inItsTime(run: () => void): void {
    if (this.behaviour.is === 'slow') this.later(this.behaviour.ms, run)
    else run()
  }

  later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  drop(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** Power off for `ms`: everything under way is forgotten, connections are dropped and new ones refused. */
  async away(ms: number): Promise<void> {
    this.#forget()
    this.#away = true
    this.#follow()
    await new Promise((resolve) => setTimeout(resolve, ms))
    this.#away = false
    this.#follow()
    while (!this.#closed && this.behaviour.is !== 'refusing' && !this.#server?.listening)
      await new Promise((resolve) => setTimeout(resolve, 1))
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#forget()
    const server = this.#server
    this.#server = undefined
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
    this.drop()
    await closed
  }

  #forget(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.sockets.delete(socket))
    this.#talk(socket)
  }

  /** Listens or not, as the behaviour, a reboot and `close` want it together. */
  #follow(): void {
    const wanted = !this.#closed && !this.#away && this.behaviour.is !== 'refusing'
    if (wanted && !this.#server)
      this.open(this.#port).then(
        () => this.#follow(),
        () => this.#retry(),
      )
    if (wanted || !this.#server) return
    if (this.#server.listening) {
      this.#server.close()
      this.#server = undefined
    }
    this.drop()
  }

  #retry(): void {
    this.#server = undefined
    this.later(AGAIN_MS, () => this.#follow())
  }
}
