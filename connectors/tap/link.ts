import { SerialPort } from 'serialport'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Callers } from '../../core/intake/callers.ts'
import { openSerial } from '../../core/intake/serial.ts'
import type { TextInput } from '../../core/intake/text.ts'
import { TextSource } from '../../core/intake/text-source.ts'
import { beat } from './beat.ts'
import type { Config } from './index.ts'
import { Session } from './session.ts'

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const pages = new Pages(opening, ctx)
  const { line, listen } = opening.config
  if (line) return onSerial(line, pages, ctx)
  return onTcp(listen as string, opening.config.from, pages, ctx)
}

/** What comes in over one link. */
class Pages {
  readonly counts = { taken: 0, garbled: 0, unrecorded: 0 }
  readonly source: TextSource
  readonly #ctx: Context

  constructor(opening: Opening<Config, TextInput, never>, ctx: Context) {
    this.#ctx = ctx
    this.source = new TextSource(opening, ctx)
  }

  session(write: (text: string) => void, own: () => boolean): Session {
    return new Session({
      clock: this.#ctx.clock,
      write,
      // We ourselves are no proof that the sender lives.
      alive: () => own() || this.#ctx.heard(),
      take: async ({ pager, text }) => {
        await this.source.take(text, { to: pager })
        this.counts.taken++
      },
      failed: (what, error) => {
        this.counts[what]++
        const words =
          what === 'garbled' ? 'a page did not come through, three times' : 'a page could not be recorded'
        this.#ctx.log.warn({ ...(error !== undefined && { error: messageOf(error) }) }, words)
      },
    })
  }
}

const onSerial = async (
  line: NonNullable<Config['line']>,
  pages: Pages,
  ctx: Context,
): Promise<Link<never, never>> => {
  const session = pages.session(
    (text) => port.write(text),
    () => false,
  )
  const { path, baud, parity, stop } = line
  const serial = {
    path,
    baudRate: baud,
    dataBits: line.data,
    parity,
    stopBits: stop,
    autoOpen: false,
  } as const
  const port = await openSerial(new SerialPort(serial), (bytes) => session.hear(bytes))
  const close = async () => {
    ctx.signal.removeEventListener('abort', close)
    session.over()
    await port.close()
  }
  ctx.signal.addEventListener('abort', close)
  if (ctx.signal.aborted) await close()
  void port.lost.then(close)
  return {
    lost: port.lost,
    acts: {},
    probe: async () => ({ line: line.path, ...pages.counts }),
    close,
  }
}

const onTcp = async (
  listen: string,
  from: readonly string[],
  pages: Pages,
  ctx: Context,
): Promise<Link<never, never>> => {
  const callers = await Callers.at(listen, from, ctx, (caller) => {
    const session = pages.session(
      (text) => caller.write(Buffer.from(text, 'latin1')),
      () => caller.own,
    )
    return { hear: (bytes) => session.hear(bytes), over: () => session.over() }
  })
  return {
    lost: callers.lost,
    acts: {},
    beat: async (mark, signal) => {
      if (ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closing')
      await beat(await callers.dial(signal), pages.source.beat(mark), signal)
    },
    probe: async () => ({ listens: callers.address, callers: callers.open, ...pages.counts }),
    close: () => callers.close(),
  }
}
