import { hash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { dialOwn, listenFor, readTls, Sockets, secureOwn } from '../../core/bind.ts'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Refusals } from '../../core/intake/refusals.ts'
import type { TextInput } from '../../core/intake/text.ts'
import { TextSource } from '../../core/intake/text-source.ts'
import { failure, type Page, readRequest, submitRequest, success, versionResponse } from './codec.ts'
import type { Config } from './index.ts'

// Imported by name, node:http would load all of Node's own fetch and WebSocket: 50 ms of processor time at each start.
const { createServer, request } = process.getBuiltinModule('node:http')

/** Callers at a time, and how long one may stay, ms. */
const callers = { max: 256, longestMs: 3_600_000 }
/** Against senders that never finish: all headers, and the whole request, must be here by then, ms. */
const requestMs = 10_000

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config } = opening
  const codes = new Map<string, string>()
  for (const [sender, { code }] of Object.entries(config.senders))
    codes.set(sender, code ? await ctx.secret(code) : '')
  const tls = config.tls && (await readTls(config.tls))
  const gateway = new Gateway(opening, ctx, codes)
  const times = { headersTimeout: requestMs, requestTimeout: requestMs, connectionsCheckingInterval: 1_000 }
  const server = tls
    ? createTlsServer({ ...times, ...tls, handshakeTimeout: requestMs })
    : createServer(times)
  server.on('request', (call: IncomingMessage, response: ServerResponse) => gateway.receive(call, response))
  const { lost, close } = await listenFor(server, config.listen, new Sockets(server, ctx.clock, callers), ctx)
  ctx.log.info({ listens: config.listen, path: config.path }, 'wctp listens')
  return {
    lost,
    acts: {},
    beat: async (mark, signal) => {
      if (ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closing')
      const dialled = await dialOwn(server, signal)
      gateway.own(dialled.localPort as number)
      const socket = tls ? await secureOwn(dialled, tls.cert) : dialled
      const [[sender, code] = ['', '']] = codes
      const body = submitRequest({ sender, code, text: gateway.source.beat(mark) }, ctx.clock.now())
      const answer = await post(socket, config.path, body)
      if (!/successCode="200"/.test(answer))
        throw new BridgeError(
          'REFUSED',
          `our own listener said ${/error\w+="[^"]*"/g.exec(answer)?.[0] ?? answer.slice(0, 80)}`,
        )
    },
    probe: async () => ({ listens: config.listen, path: config.path, ...gateway.counts }),
    close,
  }
}

/** What a paging carrier does with what is posted to it. */
class Gateway {
  readonly source: TextSource
  readonly #name: string
  readonly #config: Config
  readonly #ctx: Context
  readonly #codes: ReadonlyMap<string, string>
  readonly #refusals: Refusals
  /** The port that `beat` called from last. */
  #own = 0
  #recorded = 0

  constructor(opening: Opening<Config, TextInput, never>, ctx: Context, codes: ReadonlyMap<string, string>) {
    this.source = new TextSource(opening, ctx)
    this.#name = opening.name
    this.#config = opening.config
    this.#ctx = ctx
    this.#codes = codes
    this.#refusals = new Refusals(ctx.clock, ctx.log)
  }

  get counts(): { recorded: number; refused: { [reason: string]: number } } {
    return { recorded: this.#recorded, refused: this.#refusals.counts }
  }

  own(port: number): void {
    this.#own = port
  }

  receive(call: IncomingMessage, response: ServerResponse): void {
    const path = (call.url ?? '').split('?', 1)[0]
    const max = this.#config['max-body']
    if (path !== this.#config.path) end(response, 404, 'there is nothing at this path')
    else if (call.method !== 'POST') end(response, 405, 'WCTP is posted', { allow: 'POST' })
    else if (Number(call.headers['content-length'] ?? 0) > max) tooLarge(call, response, max)
    else gather(call, response, max, (body) => void this.#answer(call, response, body))
  }

  async #answer(call: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const address = call.socket.remoteAddress ?? null
    const request = readRequest(body)
    if (request.is === 'version') {
      const { inquirer, at: asked, dress } = request
      say(response, versionResponse(dress, { inquirer, asked, now: this.#ctx.clock.now() }))
    } else if (request.is === 'wrong') {
      this.#refusals.add(`failure ${request.failure}`, { address, why: request.why })
      say(response, failure(request.dress, request.failure))
    } else {
      const wrong = this.#stranger(request.page)
      if (wrong) this.#refusals.add(`failure ${wrong}`, { address, sender: request.page.sender.slice(0, 60) })
      else if (call.socket.remotePort !== this.#own) this.#ctx.heard()
      const failed = wrong ?? (await this.#take(request.page))
      say(response, failed ? failure(request.dress, failed) : success(request.dress, randomUUID()))
    }
  }

  #stranger({ sender, code }: Page): 401 | 402 | null {
    const wanted = this.#codes.get(sender)
    if (wanted === undefined) return 401
    return wanted === '' || timingSafeEqual(digest(wanted), digest(code)) ? null : 402
  }

  /** null when it is on disk. Else the sender is told to try again: 606 of ours, 604 of a mistake. */
  async #take({ sender, recipients, text, id, raw }: Page): Promise<604 | 606 | null> {
    try {
      for (const to of recipients.length > 0 ? recipients : [undefined])
        await this.source.take(text, { sender, to, id, raw })
      this.#recorded++
      return null
    } catch (error) {
      this.#ctx.log.error(
        { error: messageOf(error) },
        `a message to ${this.#name} was not recorded: it is asked for again`,
      )
      return error instanceof BridgeError ? 606 : 604
    }
  }
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')

/** Reads a body of at most `max` bytes; what is more is thrown away, until the request's time is up. */
const gather = (
  call: IncomingMessage,
  response: ServerResponse,
  max: number,
  whole: (body: Buffer) => void,
): void => {
  const chunks: Buffer[] = []
  let length = 0
  call.on('data', (chunk: Buffer) => {
    const fitted = length <= max
    length += chunk.length
    if (length <= max) chunks.push(chunk)
    else if (fitted) tooLarge(call, response, max)
  })
  // A sender that goes away in the middle has sent nothing.
  call.on('error', () => {})
  call.on('end', () => {
    if (length <= max) whole(Buffer.concat(chunks))
  })
}

const tooLarge = (call: IncomingMessage, response: ServerResponse, max: number): void => {
  call.resume()
  end(response, 413, `at most ${max} bytes`, { connection: 'close' })
}

const say = (response: ServerResponse, xml: string): void =>
  end(response, 200, xml, { 'content-type': 'text/xml; charset=utf-8' })

const end = (
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void => {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, {
    'content-type': 'text/plain',
    'content-length': Buffer.byteLength(text),
    ...headers,
  })
  response.end(text)
}

/** Posts over a connection that is there. */
const post = (socket: Awaited<ReturnType<typeof dialOwn>>, path: string, body: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'text/xml',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    }
    const call = request({ method: 'POST', path, headers, createConnection: () => socket })
    const failed = (error: Error) => {
      socket.destroy()
      reject(new BridgeError('UNREACHABLE', `our own listener: ${messageOf(error)}`, { cause: error }))
    }
    call.on('error', failed)
    call.on('response', (response) => {
      let answer = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        answer += chunk
      })
      response.on('error', failed)
      response.on('end', () => {
        socket.destroy()
        resolve(answer)
      })
    })
    call.end(body)
  })
