import { type AddressInfo, BlockList, connect, createServer, isIP, type Server, type Socket } from 'node:net'
import type { Context } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'

/** Connections at once; a further one takes the place of the one that has been silent longest. */
const callersMax = 64
/** What a caller leaves unread of our answers before it is let go, bytes. */
const unreadMax = 65_536
/** A caller whose machine is gone is noticed by probes after so long a silence, ms. */
const keepAliveMs = 30_000

/** Somebody who has connected. */
export interface Caller {
  /** We ourselves, for `Link.beat`: it proves nothing about the sender. */
  readonly own: boolean
  write(bytes: string | Uint8Array): void
  end(): void
}

/** What is done with what a caller says. */
export interface Conversation {
  hear(bytes: Buffer): void
  /** The caller is gone. */
  over(): void
}

/** A TCP port that a few senders dial whose protocol is a conversation. */
export class Callers {
  /** Settles when it no longer listens, with the reason. */
  readonly lost: Promise<unknown>
  readonly #server: Server
  readonly #heardAt = new Map<Socket, number>()
  readonly #own = new Set<number>()
  readonly #log: Context['log']
  #heard = 0

  private constructor(server: Server, log: Context['log']) {
    this.#server = server
    this.#log = log
    this.lost = new Promise((resolve) => {
      server.once('error', resolve)
      server.once('close', () => resolve(new BridgeError('NOT_LISTENING', 'closed')))
    })
  }

  /** Rejects with NOT_LISTENING. */
  static async at(
    listen: string,
    from: readonly string[],
    { log, signal }: Pick<Context, 'log' | 'signal'>,
    converse: (caller: Caller) => Conversation,
  ): Promise<Callers> {
    const allowed = listOf(from)
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs })
    const colon = listen.lastIndexOf(':')
    const host = listen.slice(0, colon).replace(/^\[|\]$/g, '')
    const callers = new Callers(server, log)
    server.on('connection', (socket) => callers.#take(socket, allowed, converse))
    await new Promise<void>((resolve, reject) => {
      const refused = (error: Error) =>
        reject(new BridgeError('NOT_LISTENING', `${listen}: ${messageOf(error)}`, { cause: error }))
      server.once('error', refused)
      server.listen(Number(listen.slice(colon + 1)), host, () => {
        server.off('error', refused)
        resolve()
      })
    })
    const close = () => void callers.close()
    signal.addEventListener('abort', close)
    server.once('close', () => signal.removeEventListener('abort', close))
    if (signal.aborted) await callers.close()
    return callers
  }

  get address(): string {
    const { address, port } = (this.#server.address() ?? { address: 'closed', port: 0 }) as AddressInfo
    return `${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  get open(): number {
    return this.#heardAt.size
  }

  /** Calls ourselves, as a sender would. Rejects when that does not work, or the signal aborts. */
  dial(signal: AbortSignal): Promise<Socket> {
    const { address, port } = this.#server.address() as AddressInfo
    const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, signal })
      socket.on('error', reject)
      socket.once('connect', () => {
        const { localPort = 0 } = socket
        this.#own.add(localPort)
        socket.once('close', () => this.#own.delete(localPort))
        resolve(socket)
      })
    })
  }

  /** Idempotent. */
  close(): Promise<void> {
    for (const socket of this.#heardAt.keys()) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #take(socket: Socket, allowed: BlockList | null, converse: (caller: Caller) => Conversation): void {
    const { remoteAddress = '', remotePort = 0, localAddress } = socket
    socket.on('error', () => socket.destroy())
    const own = remoteAddress === localAddress
    if (allowed && !own && !allowed.check(remoteAddress, isIP(remoteAddress) === 6 ? 'ipv6' : 'ipv4')) {
      this.#log.warn({ remoteAddress }, 'a caller that is not in `from` was turned away')
      socket.destroy()
      return
    }
    if (this.#heardAt.size >= callersMax) this.#dropOldest()
    this.#heardAt.set(socket, this.#heard++)
    const isOwn = () => own && this.#own.has(remotePort)
    const conversation = converse({
      // The dialling side knows its port only once it is connected: asked for when something is said.
      get own() {
        return isOwn()
      },
      write: (bytes) => {
        if (!socket.writable) return
        socket.write(bytes)
        if (socket.writableLength > unreadMax) socket.destroy()
      },
      end: () => socket.end(),
    })
    socket.on('data', (bytes: Buffer) => {
      this.#heardAt.set(socket, this.#heard++)
      conversation.hear(bytes)
    })
    socket.on('close', () => {
      this.#heardAt.delete(socket)
      conversation.over()
    })
  }

  #dropOldest(): void {
    let oldest: [Socket, number] | undefined
    for (const each of this.#heardAt) if (!oldest || each[1] < oldest[1]) oldest = each
    oldest?.[0].destroy()
    if (oldest) this.#heardAt.delete(oldest[0])
  }
}

const listOf = (from: readonly string[]): BlockList | null => {
  if (from.length === 0) return null
  const list = new BlockList()
  for (const each of from) {
    const [address = '', bits] = each.split('/')
    const family = address.includes(':') ? 'ipv6' : 'ipv4'
    try {
      if (bits === undefined) list.addAddress(address, family)
      else list.addSubnet(address, Number(bits), family)
    } catch (error) {
      throw new BridgeError('NOT_LISTENING', `\`from\`: ${each}: ${messageOf(error)}`)
    }
  }
  return list
}
