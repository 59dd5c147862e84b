import { SerialPort } from 'serialport'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import { Callers } from '../../core/intake/callers.ts'
import { openSerial } from '../../core/intake/serial.ts'
import type { TextInput } from '../../core/intake/text.ts'
import { beat } from './beat.ts'
import { Calls } from './calls.ts'
import type { Config } from './index.ts'

export const open = async (
  opening: Opening<Config, TextInput, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const calls = new Calls(opening, ctx)
  const { config } = opening
  try {
    return config.line
      ? await onSerial(config.line, config, calls, ctx)
      : await onTcp(config.listen as string, config, calls, ctx)
  } catch (error) {
    calls.stop()
    throw error
  }
}

const onSerial = async (
  line: NonNullable<Config['line']>,
  config: Config,
  calls: Calls,
  ctx: Context,
): Promise<Link<never, never>> => {
  const session = calls.session(
    (text) => port.write(text),
    () => false,
  )
  const { path, baud, parity, stop } = line
  const serial = {
    path,
    baudRate: baud,
    dataBits: config.bits,
    parity,
    stopBits: stop,
    autoOpen: false,
  } as const
  const port = await openSerial(new SerialPort(serial), (bytes) => session.hear(bytes))
  const close = async () => {
    ctx.signal.removeEventListener('abort', close)
    calls.stop()
    session.over()
    await port.close()
  }
  ctx.signal.addEventListener('abort', close)
  if (ctx.signal.aborted) await close()
  void port.lost.then(close)
  return {
    lost: port.lost,
    acts: {},
    probe: async () => ({ line: line.path, ...calls.counts }),
    close,
  }
}

const onTcp = async (
  listen: string,
  config: Config,
  calls: Calls,
  ctx: Context,
): Promise<Link<never, never>> => {
  const callers = await Callers.at(listen, config.from, ctx, (caller) => {
    const session = calls.session(
      (text) => caller.write(Buffer.from(text, 'latin1')),
      () => caller.own,
    )
    return { hear: (bytes) => session.hear(bytes), over: () => session.over() }
  })
  void callers.lost.then(() => calls.stop())
  return {
    lost: callers.lost,
    acts: {},
    beat: async (mark, signal) => {
      if (ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the link is closing')
      await beat(await callers.dial(signal), calls.source.beat(mark), config, signal)
    },
    probe: async () => ({ listens: callers.address, callers: callers.open, ...calls.counts }),
    close: () => callers.close(),
  }
}
