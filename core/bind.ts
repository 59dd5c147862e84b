import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BlockList, connect, isIPv6, type Server, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from './clock.ts'
import type { Context } from './connector.ts'
import { BridgeError, messageOf } from './error.ts'
import { hostAndPort, type ListenTls } from './listen.ts'

/** What a connector that listens needs of sockets; never loaded by a declaration. */

/** A server that listens until it is closed, or its link must go. */
export interface Listening {
  /** Settles when it no longer listens, with the reason. */
  readonly lost: Promise<unknown>
  /** Idempotent and prompt: whoever is still connected is dropped, and has got no acknowledgement. */
  close(): Promise<void>
}

/** Starts to listen. Rejects with NOT_LISTENING. */
export const listenFor = async (
  server: Server,
  listen: string,
  sockets: Sockets,
  { signal }: Pick<Context, 'signal'>,
): Promise<Listening> => {
  await bind(server, listen)
  const lost = new Promise<unknown>((resolve) => {
    server.on('error', resolve)
    server.once('close', () => resolve(new BridgeError('NOT_LISTENING', 'closed')))
  })
  let closing: Promise<void> | null = null
  const close = (): Promise<void> => {
    signal.removeEventListener('abort', close)
    closing ??= new Promise((resolve) => {
      server.close(() => resolve())
      sockets.drop()
    })
    return closing
  }
  signal.addEventListener('abort', close)
  if (signal.aborted) await close()
  return { lost, close }
}

const bind = (server: Server, listen: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const refused = (error: Error) =>
      reject(new BridgeError('NOT_LISTENING', `${listen}: ${messageOf(error)}`, { cause: error }))
    server.once('error', refused)
    const { host, port } = hostAndPort(listen)
    server.listen(port, host, () => {
      server.off('error', refused)
      resolve()
    })
  })

/** Reads certificate and key. Rejects with NOT_LISTENING. */
export const readTls = async (tls: ListenTls): Promise<{ cert: Buffer; key: Buffer }> => {
  const [cert, key] = await Promise.all(
    [tls.cert, tls.key].map((path) =>
      readFile(path).catch((error: unknown) => {
        throw new BridgeError('NOT_LISTENING', `\`tls\`: ${messageOf(error)}`)
      }),
    ),
  )
  return { cert: cert as Buffer, key: key as Buffer }
}

/** Dials a listener of our own, even one that listens on every address. Rejects when that does not work or the signal aborts. */
export const dialOwn = (server: Server, signal: AbortSignal): Promise<Socket> => {
  const address = server.address()
  if (address === null || typeof address === 'string')
    return Promise.reject(new BridgeError('LINK_DOWN', 'it no longer listens'))
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[address.address] ?? address.address
  const socket = connect({ host, port: address.port, noDelay: true, signal })
  return connected(socket, 'connect')
}

/** Begins TLS with a listener of our own, which must show just this certificate, whatever name it is for. */
export const secureOwn = async (socket: Socket, cert: Buffer): Promise<TLSSocket> => {
  const secured = connectTls({ socket, rejectUnauthorized: false })
  await connected(secured, 'secureConnect')
  const shown = secured.getPeerX509Certificate()?.fingerprint256
  if (shown === new X509Certificate(cert).fingerprint256) return secured
  secured.destroy()
  throw new BridgeError('REFUSED', 'our own listener shows another certificate than that of `tls`')
}

const connected = <T extends Socket>(socket: T, event: string): Promise<T> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(new BridgeError('UNREACHABLE', `our own listener: ${messageOf(error)}`, { cause: error }))
    const gone = () => failed(new Error('closed the connection'))
    socket.once('error', failed)
    socket.once('close', gone)
    socket.once(event, () => {
      socket.off('error', failed)
      socket.off('close', gone)
      // Whoever reads it sees it end; an error of its own must not go unheard.
      socket.on('error', () => {})
      resolve(socket)
    })
  })

/** Whether an address is in one of the networks. */
export const withinNetworks = (networks: readonly string[]): ((address: string | undefined) => boolean) => {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address = '') => {
    // A listener for both families writes IPv4 callers as ::ffff:10.0.4.7.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
    return list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
  }
}

/** Bounds who is connected: how many, and for how long, however slowly they talk. */
export class Sockets {
  readonly #sockets = new Map<Socket, Timer>()
  readonly #clock: Clock
  readonly #max: number
  readonly #longestMs: number

  constructor(server: Server, clock: Clock, { max, longestMs }: { max: number; longestMs: number }) {
    this.#clock = clock
    this.#max = max
    this.#longestMs = longestMs
    server.prependListener('connection', (socket: Socket) => this.#join(socket))
  }

  drop(): void {
    for (const [socket, timer] of this.#sockets) {
      timer.cancel()
      socket.destroy()
    }
    this.#sockets.clear()
  }

  /** When there are too many, who came first gives way: nobody who holds connections keeps a caller in need out. */
  #join(socket: Socket): void {
    this.#sockets.set(
      socket,
      this.#clock.after(this.#longestMs, () => socket.destroy()),
    )
    socket.once('close', () => this.#forget(socket))
    // Whoever destroys a socket must not be told by an error that nobody hears.
    socket.on('error', () => {})
    if (this.#sockets.size <= this.#max) return
    // A library that takes a socket over for TLS may take our listeners off.
    for (const each of this.#sockets.keys()) if (each.destroyed) this.#forget(each)
    const [oldest] = this.#sockets.keys()
    if (oldest && this.#sockets.size > this.#max) oldest.destroy()
  }

  #forget(socket: Socket): void {
    this.#sockets.get(socket)?.cancel()
    this.#sockets.delete(socket)
  }
}
