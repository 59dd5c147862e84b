import { readFile } from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, type ErrorCode, messageOf } from '../../core/error.ts'
import type { Config } from './index.ts'

// Imported by name, node:http would load all of Node's own fetch and WebSocket: 50 ms of processor time at each start.
const { createServer, request } = process.getBuiltinModule('node:http')
export const httpRequest = request

/** Takes the requests to one path. */
export type Receive = (request: IncomingMessage, response: ServerResponse) => void

/** Against senders that never finish: all headers, and the whole request, must be here by then, ms. */
const requestMs = 10_000
const socketsMax = 1_024
/** How long requests under way may still take when the last path is closed, ms. */
const lastWordsMs = 500

/** One port, shared by the webhooks that name the same address. */
class Listener {
  readonly paths = new Map<string, Receive>()
  readonly server: Server
  readonly secured: string
  /** Settles when it no longer listens, with the reason. */
  readonly lost: Promise<unknown>
  readonly #clock: Clock

  constructor(server: Server, secured: string, clock: Clock) {
    this.server = server
    this.secured = secured
    this.#clock = clock
    this.lost = new Promise((resolve) => {
      server.once('error', resolve)
      server.once('close', () => resolve(new BridgeError('NOT_LISTENING', 'closed')))
    })
    server.maxConnections = socketsMax
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      const url = request.url ?? ''
      const query = url.indexOf('?')
      const receive = this.paths.get(query < 0 ? url : url.slice(0, query))
      if (receive) receive(request, response)
      else refuse(response, 404, 'NOT_FOUND', 'there is no webhook at this path')
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
      if (!socket.writable) socket.destroy()
      else socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
    })
  }

  get address(): AddressInfo {
    return this.server.address() as AddressInfo
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(lastWordsMs, () => this.server.closeAllConnections())
      this.server.close(() => {
        timer.cancel()
        resolve()
      })
      this.server.closeIdleConnections()
    })
  }
}

const listeners = new Map<string, Promise<Listener>>()

/** One webhook's share of a port. */
export interface Share {
  readonly address: AddressInfo
  readonly lost: Promise<unknown>
  close(): Promise<void>
}

/** Listens at `config.listen` and `config.path`. Rejects with NOT_LISTENING. */
export const listen = async (config: Config, receive: Receive, clock: Clock): Promise<Share> => {
  const secured = config.tls ? `${config.tls.cert} ${config.tls.key}` : ''
  // Port 0 is a port of its own each time.
  const shared = !config.listen.endsWith(':0')
  let opening = shared ? listeners.get(config.listen) : undefined
  if (!opening) {
    opening = start(config, secured, clock)
    if (shared) listeners.set(config.listen, opening)
    const forget = () => {
      if (listeners.get(config.listen) === opening) listeners.delete(config.listen)
    }
    opening.then(({ lost }) => lost.then(forget), forget)
  }
  const listener = await opening
  if (listener.secured !== secured)
    throw new BridgeError('NOT_LISTENING', `${config.listen} is shared with a webhook that has other \`tls\``)
  if (listener.paths.has(config.path))
    throw new BridgeError('NOT_LISTENING', `${config.listen}${config.path} is taken by another webhook`)
  listener.paths.set(config.path, receive)
  let closing: Promise<void> | null = null
  return {
    address: listener.address,
    lost: listener.lost,
    close: () => {
      closing ??= leave(config, listener, opening)
      return closing
    },
  }
}

const leave = async (config: Config, listener: Listener, opening: Promise<Listener>): Promise<void> => {
  listener.paths.delete(config.path)
  if (listener.paths.size > 0) return
  if (listeners.get(config.listen) === opening) listeners.delete(config.listen)
  await listener.close()
}

const start = async (config: Config, secured: string, clock: Clock): Promise<Listener> => {
  const times = { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: 1_000 }
  const server = config.tls
    ? (createTlsServer({
        ...times,
        cert: await readPem(config.tls.cert),
        key: await readPem(config.tls.key),
      }) as unknown as Server)
    : createServer(times)
  const colon = config.listen.lastIndexOf(':')
  const host = config.listen.slice(0, colon).replace(/^\[|\]$/g, '')
  await new Promise<void>((resolve, reject) => {
    const refused = (error: Error) =>
      reject(new BridgeError('NOT_LISTENING', `${config.listen}: ${messageOf(error)}`, { cause: error }))
    server.once('error', refused)
    server.listen(Number(config.listen.slice(colon + 1)), host, () => {
      server.off('error', refused)
      resolve()
    })
  })
  return new Listener(server, secured, clock)
}

const readPem = (path: string): Promise<Buffer> =>
  readFile(path).catch((error: unknown) => {
    throw new BridgeError('NOT_LISTENING', `\`tls\`: ${messageOf(error)}`)
  })

/** Answers with JSON. */
export const answer = (
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string | number> = {},
): void => {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

/** Answers with an error. */
export const refuse = (
  response: ServerResponse,
  status: number,
  code: ErrorCode,
  message: string,
  headers: Record<string, string | number> = {},
): void => answer(response, status, { error: { code, message } }, headers)
