import { hash, timingSafeEqual } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Callers, listenFor, ownAddress, readTls, withinNetworks } from '../../../core/bind.ts'
import type { Timer } from '../../../core/clock.ts'
import type { Context, Link, Opening } from '../../../core/connector.ts'
import { BridgeError, messageOf } from '../../../core/error.ts'
import { Refusals } from '../../../core/intake/refusals.ts'
import type { TextInput } from '../../../core/intake/text.ts'
import { TextSource } from '../../../core/intake/text-source.ts'
import { LineReader, type Reply, reply } from '../codec.ts'
import { Session as Sender, said } from '../session.ts'
import type { Config } from './index.ts'
import { regex } from './regex.ts'
import { type Gateway, type Page, Session } from './session.ts'

/** Callers at a time, and how long one may stay, ms; then it may connect anew. */
const callers = { max: 256, longestMs: 3_600_000 }
/** Lines of one caller that wait for the one before. */
const waitingMax = 64

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config, name } = opening
  const passwords = await passwordsOf(config, ctx)
  const tls = config.tls && (await readTls(config.tls))
  const source = new TextSource(opening, regex, ctx)
  const refusals = new Refusals(ctx.clock, ctx.log)
  let recorded = 0

  const gateway: Gateway = {
    closed: passwords.size > 0,
    mayLogIn: (id, password) => {
      const wanted = passwords.get(id)
      return wanted !== undefined && timingSafeEqual(digest(wanted), digest(password))
    },
    take: async ({ pagers, text, sender, raw }: Page) => {
      ctx.heard()
      try {
        for (const to of pagers) await source.take(text, { sender, to, raw })
        recorded++
      } catch (error) {
        ctx.log.error(
          { error: messageOf(error) },
          `a page to ${name} was not recorded: it is asked for again`,
        )
        throw error
      }
    },
    refused: (reason) => refusals.add(reason, {}),
  }

  const within = config.networks && withinNetworks(config.networks)
  const welcome = (socket: Socket): void => {
    const { remoteAddress, localAddress } = socket
    if (within && remoteAddress !== localAddress && !within(remoteAddress)) {
      refusals.add('a caller from outside `networks`', { address: remoteAddress ?? null })
      socket.destroy()
    } else talk(socket, new Session(gateway), config.idle, ctx)
  }
  const server: Server = tls ? createTlsServer(tls, welcome) : createServer({ noDelay: true }, welcome)
  const listening = await listenFor(server, config.listen, new Callers(server, ctx.clock, callers), ctx)
  ctx.log.info({ listen: config.listen }, 'snpp receiver listens')

  return {
    lost: listening.lost,
    acts: {},
    beat: async (mark, signal) => {
      const { host, port } = ownAddress(server)
      // Our own certificate, whatever name it is for.
      const own = tls && { ca: tls.cert, checkServerIdentity: () => undefined }
      const sender = new Sender(host, port, signal, ctx.clock, own)
      const [account] = passwords
      try {
        expect(await sender.reply())
        if (account) expect(await sender.ask('LOGI', ...account))
        expect(await sender.ask('PAGE', 'heartbeat'))
        expect(await sender.ask('MESS', source.beat(mark)))
        expect(await sender.ask('SEND'))
      } finally {
        sender.quit()
      }
    },
    probe: async () => ({ listen: config.listen, recorded, refused: refusals.counts }),
    close: listening.close,
  }
}

const digest = (text: string): Buffer => hash('sha256', text, 'buffer')

const passwordsOf = async ({ logins }: Config, ctx: Context): Promise<Map<string, string>> => {
  const passwords = new Map<string, string>()
  for (const [id, { password }] of Object.entries(logins))
    passwords.set(id, password ? await ctx.secret(password) : '')
  return passwords
}

const expect = (answer: Reply): void => {
  if (answer.code >= 400) throw new BridgeError('REFUSED', `our own listener said ${said(answer)}`)
}

/** Reads a caller's lines and answers them, one after the other. */
const talk = (socket: Socket, session: Session, idleMs: number, ctx: Context): void => {
  const lines = new LineReader()
  const waiting: string[] = []
  let busy = false
  let idle: Timer
  const farewell = (text: string) => {
    if (socket.writable) socket.end(reply(421, text))
    // A caller that reads nothing must not keep its socket by that.
    idle.cancel()
    idle = ctx.clock.after(1_000, () => socket.destroy())
  }
  const rest = () => {
    idle?.cancel()
    // Counted from the last whole line: a byte now and then is not talk.
    idle = ctx.clock.after(idleMs, () => farewell('Timeout, Goodbye'))
  }
  const work = async () => {
    busy = true
    for (let line = waiting.shift(); line !== undefined && socket.writable; line = waiting.shift()) {
      const answer = await session.take(line)
      if (answer.text !== '' && socket.writable) socket.write(answer.text)
      if (answer.end) socket.end()
      rest()
    }
    busy = false
    socket.resume()
  }
  rest()
  socket.write(reply(220, 'SNPP Gateway Ready'))
  socket.on('data', (bytes: Buffer) => {
    try {
      waiting.push(...lines.feed(bytes))
    } catch {
      waiting.length = 0
      farewell('Line Too Long, Goodbye')
      return
    }
    if (waiting.length > waitingMax) socket.pause()
    if (!busy) void work()
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => {
    idle.cancel()
    waiting.length = 0
  })
}
