import { connect } from 'node:net'
import type { SerialPort } from 'serialport'
import { type Clock, deadline } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { noticeHangUp } from '../../core/intake/serial.ts'
import type { Config, Line } from './config.ts'
import type { Channel, Port } from './port.ts'
import { RtuPort } from './rtu.ts'
import { TcpPort } from './tcp.ts'
import { silenceMs } from './timing.ts'

/** A module on the same network answers a connection at once; less would fail on a busy one, ms. */
const connectLeastMs = 1_000

/** Units that know the echo, by the config object: a line that is opened again may still bring their late answers. */
const echoing = new WeakMap<Config, Set<number>>()

/** Opens what the config names, once. Rejects with UNREACHABLE, TIMEOUT or ABORTED. */
export const dial = async (config: Config, clock: Clock, signal: AbortSignal): Promise<Port> => {
  const units = echoing.get(config) ?? new Set()
  echoing.set(config, units)
  if (config.line) {
    const { line } = config
    const timing = { silenceMs: silenceMs(line), echo: line.echo }
    return new RtuPort(await openLine(line, signal), timing, clock, units)
  }
  const channel = await connectTo(config, Math.max(config.timeout, connectLeastMs), clock, signal)
  if (config.framing === 'tcp') return new TcpPort(channel)
  return new RtuPort(channel, { silenceMs: 0, echo: false }, clock, units)
}

const connectTo = async (
  { host = '', port }: Config,
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Channel> => {
  const where = `${host}:${port}`
  const limit = deadline(clock, limitMs, signal)
  const socket = connect({ host, port, noDelay: true, keepAlive: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error) =>
        reject(new BridgeError('UNREACHABLE', `${where}: ${messageOf(error)}`, { cause: error })),
      )
      const giveUp = () =>
        reject(
          signal.aborted
            ? new BridgeError('ABORTED', `${where}: given up while connecting`)
            : new BridgeError('TIMEOUT', `${where}: no connection within ${limitMs} ms`),
        )
      if (limit.signal.aborted) giveUp()
      else limit.signal.addEventListener('abort', giveUp, { once: true })
    })
  } catch (error) {
    socket.on('error', () => {})
    socket.destroy()
    throw error
  } finally {
    limit.cancel()
  }
  socket.removeAllListeners('error')
  return { stream: socket, where, shut: () => socket.destroy() }
}

/** Opening a serial port takes no time, or fails at once: there is nothing to wait for on a line. */
const openLine = async (line: Line, signal: AbortSignal): Promise<Channel> => {
  const { SerialPort } = await import('serialport')
  if (signal.aborted) throw new BridgeError('ABORTED', `${line.path}: given up before it was opened`)
  const serial = new SerialPort({
    path: line.path,
    baudRate: line.baud,
    parity: line.parity,
    dataBits: 8,
    stopBits: line['stop-bits'],
    autoOpen: false,
    lock: true,
  })
  await step(line.path, (done) => serial.open(done))
  noticeHangUp(serial)
  const shut = () => closeSerial(serial)
  // What came before we listened is nobody's answer.
  await step(line.path, (done) => serial.flush(done)).catch((error: unknown) => {
    shut()
    throw error
  })
  if (!signal.aborted) return { stream: serial, where: line.path, shut }
  shut()
  throw new BridgeError('ABORTED', `${line.path}: given up while opening`)
}

const step = (path: string, run: (done: (error: Error | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) =>
    run((error) => {
      if (error) reject(new BridgeError('UNREACHABLE', `${path}: ${messageOf(error)}`, { cause: error }))
      else resolve()
    }),
  )

const closeSerial = (serial: SerialPort): void => {
  serial.on('error', () => {})
  // Without a callback a failure would be an event; the port is gone either way.
  serial.close(() => {})
}
