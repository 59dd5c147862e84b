import { connect } from 'node:net'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { accountName, accountsOf } from './accounts.ts'
import { keyOf } from './cipher.ts'
import { Datagrams } from './datagrams.ts'
import type { Config, Input } from './index.ts'
import { Receiver } from './receiver.ts'
import { Sessions } from './sessions.ts'

export const open = async (
  opening: Opening<Config, Input, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config } = opening
  const receiver = new Receiver(opening, ctx, accountsOf(opening, await keysOf(config, ctx)))
  const tcp = addressOf(config.listen)
  const sessions = await Sessions.listen(tcp, receiver, config, ctx.clock)
  const datagrams = await listenUdp(config, receiver, ctx).catch(async (error: unknown) => {
    await sessions.close()
    throw error
  })
  let closing: Promise<unknown> | null = null
  const close = async () => {
    ctx.signal.removeEventListener('abort', close)
    receiver.close()
    closing ??= Promise.all([sessions.close(), datagrams?.close()])
    await closing
  }
  ctx.signal.addEventListener('abort', close)
  if (ctx.signal.aborted) await close()
  const at = { host: tcp.host, port: sessions.port }
  ctx.log.info({ tcp: at, udp: datagrams?.port ?? null }, 'DC-09 receiver listens')
  return {
    lost: Promise.race([sessions.lost, ...(datagrams ? [datagrams.lost] : [])]),
    acts: {},
    beat: (mark, signal) => dial(at, receiver.beats.frameOf(mark), signal),
    probe: async () => ({
      tcp: `${at.host}:${at.port}`,
      udp: datagrams ? datagrams.port : null,
      sessions: sessions.count,
      taken: receiver.taken,
      refused: { ...receiver.refusals.counts },
    }),
    close,
  }
}

/** The key of each account that has one. What is no key refuses that account's messages, and nobody else's. */
const keysOf = async (
  { accounts }: Config,
  ctx: Context,
): Promise<ReadonlyMap<string, Buffer | 'unusable'>> => {
  const keys = new Map<string, Buffer | 'unusable'>()
  for (const [name, { key, format }] of Object.entries(accounts)) {
    if (!key) continue
    const found = keyOf(await ctx.secret(key), format)
    const wanted = format === 'hex' ? '32, 48 or 64 hex digits' : '16, 24 or 32 characters'
    if (!found)
      ctx.log.error(
        { account: name },
        `the key of account ${name} is not ${wanted}: its messages are refused`,
      )
    keys.set(accountName(name), found ?? 'unusable')
  }
  return keys
}

const listenUdp = async (config: Config, receiver: Receiver, ctx: Context): Promise<Datagrams | null> =>
  config.udp === undefined ? null : Datagrams.listen(addressOf(config.udp), receiver, config.rate, ctx.clock)

const addressOf = (written: string): { host: string; port: number } => {
  const colon = written.lastIndexOf(':')
  return { host: written.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(written.slice(colon + 1)) }
}

/** What listens on all addresses is dialled on this machine's own. */
const own: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Sends a frame to our own port, as a panel would; resolves once it is acknowledged, so that it is on disk. */
const dial = (
  { host, port }: { host: string; port: number },
  frame: Buffer,
  signal: AbortSignal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: own[host] ?? host, port, noDelay: true, signal })
    let answer = ''
    const failed = (why: string, cause?: unknown) => {
      socket.destroy()
      reject(new BridgeError('UNREACHABLE', `the receiver's own port ${port}: ${why}`, { cause }))
    }
    socket.on('error', (error) => failed(messageOf(error), error))
    socket.on('close', () => failed('closed without an answer'))
    socket.on('connect', () => socket.write(frame))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
      if (!answer.endsWith('\r')) return
      if (answer.includes('"ACK"')) resolve()
      else failed('not acknowledged')
      socket.destroy()
    })
  })
