import { hash, timingSafeEqual } from 'node:crypto'
import type { Context, Link, Opening } from '../../../core/connector.ts'
import { BridgeError, messageOf } from '../../../core/error.ts'
import { Callers } from '../../../core/intake/callers.ts'
import { Refusals } from '../../../core/intake/refusals.ts'
import type { TextInput } from '../../../core/intake/text.ts'
import { TextSource } from '../../../core/intake/text-source.ts'
import type { Reply } from '../codec.ts'
import { Session as Sender, said } from '../session.ts'
import { talk } from './conversation.ts'
import type { Config } from './index.ts'
import { type Gateway, type Page, Session } from './session.ts'

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { config, name } = opening
  const passwords = await passwordsOf(config, ctx)
  const source = new TextSource(opening, ctx)
  const refusals = new Refusals(ctx.clock, ctx.log)
  let recorded = 0

  const gateway: Gateway = {
    closed: passwords.size > 0,
    mayLogIn: (id, password) => {
      const wanted = passwords.get(id)
      return wanted !== undefined && timingSafeEqual(digest(wanted), digest(password))
    },
    take: async ({ pagers, text, sender, raw }: Page) => {
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

  const callers = await Callers.at(config.listen, config.from, ctx, (caller) =>
    talk(caller, new Session(gateway), config.idle, ctx),
  )
  const listens = callers.address
  ctx.log.info({ listens }, 'snpp receiver listens')

  return {
    lost: callers.lost,
    acts: {},
    beat: async (mark, signal) => {
      if (ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closing')
      const sender = new Sender('our own listener', 0, signal, ctx.clock, await callers.dial(signal))
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
    probe: async () => ({ listens, callers: callers.open, recorded, refused: refusals.counts }),
    close: () => callers.close(),
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
