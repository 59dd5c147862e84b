import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import type { Behaviour, Journal, Mock } from '../mock.ts'

/** Larger requests are refused with 413; real devices have little memory. */
const bodyBytesMax = 256 * 1024

export interface Request {
  readonly method: string
  /** Path with query, as sent. */
  readonly target: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Aborts when the client hangs up. */
  readonly gone: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers?: { readonly [name: string]: string | string[] }
  readonly body?: string | Buffer
}

/** What a device on HTTP does; the rest (connections, behaviours, power) is the same for all of them. */
export interface Inside {
  /** The answer, or null for none at all. */
  answer(request: Request): Promise<Reply | null> | Reply | null
  /** Notes in the journal what was asked for, when the device misbehaves and does nothing. */
  note(request: Request): void
  /** A well-formed answer to something else. */
  wrongAnswer(): Reply
  /** What a power cycle wipes: nonces, subscriptions. */
  forget(): void
}

export interface HttpMock extends Mock {
  readonly openSockets: number
}

const read = async (message: IncomingMessage): Promise<string | null> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message) {
    bytes += chunk.length
    // The rest is read and dropped: closing in the middle would lose the answer.
    if (bytes <= bodyBytesMax) chunks.push(chunk)
  }
  return bytes > bodyBytesMax ? null : Buffer.concat(chunks).toString('utf8')
}

const send = (response: ServerResponse, reply: Reply) => {
  if (response.destroyed) return
  const body = Buffer.from(reply.body ?? '')
  response.writeHead(reply.status, { ...reply.headers, 'Content-Length': body.length })
  response.end(body)
}

/** Bytes that are neither XML nor JSON nor text. */
const garbage = Buffer.from([
  0x00, 0xff, 0x3c, 0x3c, 0x7b, 0xfe, 0x0d, 0x0a, 0x26, 0x80, 0x5d, 0x3e, 0x00, 0x22,
])

/** Starts a device that speaks HTTP on loopback; port 0 takes any free one and keeps it over reboots. */
export const startHttp = async (wantedPort: number, journal: Journal, inside: Inside): Promise<HttpMock> => {
  const sockets = new Set<Socket>()
  let behaviour: Behaviour = { is: 'normal' }
  let port = wantedPort
  let started = false
  let closed = false
  let server: Server | undefined

  const misbehave = async (request: Request): Promise<Reply | null> => {
    if (behaviour.is === 'slow') {
      const reply = await inside.answer(request)
      await wait(behaviour.is === 'slow' ? behaviour.ms : 0)
      return reply
    }
    inside.note(request)
    if (behaviour.is === 'garbage') return { status: 200, body: garbage }
    if (behaviour.is === 'wrong-answer') return inside.wrongAnswer()
    return null
  }

  const serve = async (message: IncomingMessage, response: ServerResponse) => {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const body = await read(message)
    if (body === null) return send(response, { status: 413, headers: { Connection: 'close' } })
    const target = message.url ?? '/'
    const request: Request = {
      method: message.method ?? 'GET',
      target,
      path: target.split('?')[0] as string,
      headers: message.headers,
      body,
      gone: gone.signal,
    }
    const reply = await (behaviour.is === 'normal' ? inside.answer(request) : misbehave(request))
    if (reply) send(response, reply)
  }

  const build = (): Server => {
    // Long keep-alive, so that no test meets a connection that is just being closed for its age.
    const built = createServer({ keepAliveTimeout: 120_000 }, (message, response) => {
      serve(message, response).catch(() => message.socket.destroy())
    })
    built.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    return built
  }

  const listen = (built: Server) =>
    new Promise<void>((resolve, reject) => {
      built.once('error', reject)
      built.listen(port, '127.0.0.1', () => {
        built.off('error', reject)
        port = (built.address() as AddressInfo).port
        resolve()
      })
    })

  const on = async () => {
    for (let attempt = 1; !closed && !server; attempt++) {
      server = build()
      try {
        await listen(server)
        started = true
      } catch (error) {
        server = undefined
        // While the device was away, an outgoing connection of another test may have borrowed its port.
        if (!started || attempt === 100) throw error
        await wait(50)
      }
    }
  }

  const off = async () => {
    const old = server
    server = undefined
    const gone = new Promise<void>((resolve) => (old ? old.close(() => resolve()) : resolve()))
    for (const socket of sockets) socket.resetAndDestroy()
    await gone
  }

  /** Power changes run one after the other. */
  let power: Promise<void> = Promise.resolve()
  const then = (change: () => Promise<void>): Promise<void> => {
    power = power.then(change)
    return power
  }
  await then(on)

  return {
    host: '127.0.0.1',
    get port() {
      return port
    },
    get openSockets() {
      return sockets.size
    },
    journal,
    behave(next) {
      const was = behaviour.is
      behaviour = next
      if (next.is === 'refusing') void then(off)
      else if (was === 'refusing') void then(on)
    },
    reboot: (awayMs) =>
      then(async () => {
        await off()
        inside.forget()
        await wait(awayMs)
        if (behaviour.is !== 'refusing') await on()
      }),
    close: () => {
      closed = true
      return then(off)
    },
  }
}
