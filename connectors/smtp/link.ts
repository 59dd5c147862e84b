import { dialOwn, listenFor, readTls, Sockets, withinNetworks } from '../../core/bind.ts'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Refusals } from '../../core/intake/refusals.ts'
import type { TextInput } from '../../core/intake/text.ts'
import { TextSource } from '../../core/intake/text-source.ts'
import { mailOwn } from './beat.ts'
import { readMail } from './codec.ts'
import type { Config } from './index.ts'
import { type Delivery, type Reception, serverOf } from './server.ts'

/** Callers at a time, and how long one may take, ms: a mail takes a second. */
const callers = { max: 128, longestMs: 300_000 }

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config, name } = opening
  const passwords = new Map<string, string>()
  for (const [user, { password }] of Object.entries(config.logins))
    passwords.set(user, await ctx.secret(password))
  const tls = config.tls && (await readTls(config.tls))
  const source = new TextSource(opening, ctx)
  const refusals = new Refusals(ctx.clock, ctx.log)
  const within = withinNetworks(config.from)
  const listed = config.senders && senderList(config.senders)
  /** Ports that we ourselves call from, for `beat`. */
  const own = new Set<number>()
  const isOwn = (session: Delivery['session']) =>
    session.remoteAddress === session.localAddress && own.has(session.remotePort)
  let recorded = 0

  const reception: Reception = {
    mayCall: ({ remoteAddress, localAddress }) => remoteAddress === localAddress || within(remoteAddress),
    maySend: (sender, session) => !listed || isOwn(session) || listed(sender),
    take: async ({ sender, recipients, bytes, session }) => {
      // We ourselves are no proof that a sender lives.
      if (!isOwn(session)) ctx.heard()
      const { text, id, raw } = await readMail(bytes)
      try {
        for (const to of recipients)
          await source.take(text, { sender: sender.toLowerCase(), to, id, raw: { mail: raw, recipients } })
        recorded++
      } catch (error) {
        ctx.log.error(
          { error: messageOf(error) },
          `a mail to ${name} was not recorded: it is asked for again`,
        )
        throw error
      }
    },
    refused: (reason, fields) => refusals.add(reason, fields),
  }

  const server = serverOf(config, passwords, tls, reception)
  const { lost, close } = await listenFor(server, config.listen, new Sockets(server, ctx.clock, callers), ctx)
  ctx.log.info({ listens: config.listen }, 'smtp listens')
  return {
    lost,
    acts: {},
    beat: async (mark, signal) => {
      if (ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closing')
      const socket = await dialOwn(server, signal)
      const port = socket.localPort as number
      own.add(port)
      socket.once('close', () => own.delete(port))
      const [login] = passwords
      await mailOwn(socket, source.beat(mark), { config, cert: tls?.cert, login })
    },
    probe: async () => ({ listens: config.listen, recorded, refused: refusals.counts }),
    close,
  }
}

/** Whether a sender is in the list, itself or by its domain. Case does not matter. */
const senderList = (senders: readonly string[]): ((sender: string) => boolean) => {
  const known = new Set(senders.map((sender) => (sender === '<>' ? '' : sender.toLowerCase())))
  return (sender) => {
    const address = sender.toLowerCase()
    return known.has(address) || (address !== '' && known.has(address.slice(address.lastIndexOf('@'))))
  }
}
