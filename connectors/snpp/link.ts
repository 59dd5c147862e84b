import type { pageSend } from '../../core/capability.ts'
import { deadline } from '../../core/clock.ts'
import { done, type Effect, failed, type Order, type Outcome } from '../../core/command.ts'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { fit as textFor } from '../../core/message/fit.ts'
import type { Message } from '../../core/message/message.ts'
import { isSent, jobOf, type Reply } from './codec.ts'
import type { Pager, SnppConfig } from './index.ts'
import { Session, said } from './session.ts'

/**
 * A session per page: gateways drop sessions that idle, and a page must not be the one that finds out.
 * Opening proves that the server answers and takes our login.
 */
export const open = async (
  { config }: Opening<SnppConfig, never, Pager>,
  ctx: Context,
): Promise<Link<typeof pageSend, Pager>> => {
  const closing = new AbortController()
  const password = config.login?.password ? await ctx.secret(config.login.password) : null

  /** Runs one conversation after the greeting and the login; always leaves the server. */
  const converse = async <T>(signal: AbortSignal, talk: (session: Session) => Promise<T>): Promise<T> => {
    if (closing.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closed')
    const time = deadline(ctx.clock, config.timeout, signal)
    const stop = () => session.drop()
    const session = new Session(config.host, config.port, time.signal, ctx.clock)
    closing.signal.addEventListener('abort', stop, { once: true })
    try {
      expect(await session.reply(), 'the connection')
      if (config.login) await login(session, config.login.id, password)
      return await talk(session)
    } finally {
      time.cancel()
      closing.signal.removeEventListener('abort', stop)
      session.quit()
    }
  }

  await converse(ctx.signal, async () => {})

  return {
    acts: { 'page.send': (order) => page(order, config, ctx, converse) },
    probe: async (address, signal) =>
      converse(signal, async (session) => {
        if (!address) return { server: `${config.host}:${config.port}` }
        const reply = await session.ask('PAGE', address.id)
        if (reply.code === 550) throw unknownPager(address.id, reply)
        expect(reply, 'PAGE')
        // Nothing is sent without SEND; RESEt also clears it for servers that keep what a session entered.
        await session.ask('RESE')
        return { pager: address.id, server: said(reply) }
      }),
    close: async () => closing.abort(),
  }
}

type Converse = <T>(signal: AbortSignal, talk: (session: Session) => Promise<T>) => Promise<T>

const page = async (
  order: Order<Pager, { message: Message }>,
  config: SnppConfig,
  ctx: Context,
  converse: Converse,
): Promise<Outcome> => {
  const { message } = order.args
  let effect: Effect = 'none'
  let text = ''
  if (order.signal.aborted) return failed('ABORTED', `page to ${order.address.id} given up before it started`)
  try {
    return await converse(order.signal, async (session) => {
      // LEVEl and ALERt are for the next PAGEr (RFC 1861, 4.5.3 and 4.5.4); a server may not know them.
      if (config.level !== undefined) await optional(session.ask('LEVE', String(config.level)), 'LEVEL', ctx)
      if (config.alert !== undefined && !message.silent)
        await optional(session.ask('ALER', config.alert ? '1' : '0'), 'ALERT', ctx)
      const accepted = await session.ask('PAGE', order.address.id)
      if (accepted.code === 550) throw unknownPager(order.address.id, accepted)
      expect(accepted, 'PAGE')
      if (config.caller) await optional(session.ask('CALL', config.caller), 'CALLERID', ctx)
      text = textFor(message, { characters: config.characters, charset: 'ascii', now: ctx.clock.now() })
      expect(await session.ask('MESS', text), 'MESSAGE')
      if (order.signal.aborted) throw new BridgeError('ABORTED', `page to ${order.address.id} given up`)
      session.check()
      effect = 'possible'
      const sent = await session.ask('SEND')
      if (!isSent(sent.code)) expect(sent, 'SEND')
      const reference = jobOf(sent.text) ?? jobOf(accepted.text)
      return done('answered', { text, ...(reference ? { reference } : {}) })
    })
  } catch (error) {
    return outcomeOf(error, effect, order.signal)
  }
}

const outcomeOf = (error: unknown, effect: Effect, signal: AbortSignal): Outcome => {
  if (!(error instanceof BridgeError)) return failed('CRASHED', messageOf(error), { effect })
  if (effect === 'none' && signal.aborted) return failed('ABORTED', error.message)
  return failed(error.code, error.message, {
    effect,
    retry: error.code === 'NOT_FOUND' || error.code === 'UNSUPPORTED' ? 'never' : 'backoff',
  })
}

const login = async (session: Session, id: string, password: string | null): Promise<void> => {
  const reply = await session.ask('LOGI', id, ...(password === null ? [] : [password]))
  if (reply.code >= 200 && reply.code < 300) return
  if (reply.code === 500)
    throw new BridgeError('UNSUPPORTED', 'the server knows no LOGIN; take `login` out of the config')
  // A server that repeats what it was given must not bring the password into our logs: only its code is told.
  throw new BridgeError('UNAUTHORIZED', `the server refused the login of ${id} (${reply.code})`)
}

/** Throws what a reply other than 2xx means. */
const expect = (reply: Reply, to: string): void => {
  if (reply.code >= 200 && reply.code < 300) return
  if (reply.code === 530)
    throw new BridgeError('UNAUTHORIZED', `${to}: the server wants a login: ${said(reply)}`)
  if (reply.code >= 550 && reply.code < 560)
    throw new BridgeError('REFUSED', `${to} was refused: ${said(reply)}`)
  // 7xx: two-way status "failed" or "expired" (RFC 1861, 4.6).
  if (reply.code >= 700 && reply.code < 800) throw new BridgeError('REFUSED', `${to} failed: ${said(reply)}`)
  throw new BridgeError('BAD_ANSWER', `${to} was answered by ${said(reply)}`)
}

const unknownPager = (id: string, reply: Reply): BridgeError =>
  new BridgeError('NOT_FOUND', `the server does not take pager ${id}: ${said(reply)}`)

/** An option that the server doesn't know, or not with this value, costs no page. */
const optional = async (asked: Promise<Reply>, what: string, ctx: Context): Promise<void> => {
  const reply = await asked
  if (reply.code >= 300) ctx.log.debug({ code: reply.code }, `the paging server took no ${what}`)
}
