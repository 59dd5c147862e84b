import { readFile } from 'node:fs/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { deadline } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { type Config, isTls } from './index.ts'
import { NoMqtt, type Sluice } from './sluice.ts'

const pem = async (path: string | undefined): Promise<Buffer | undefined> => {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `can't read ${path}: ${messageOf(error)}`, { cause: error })
  }
}

/** Connects to the broker, TLS included. Rejects with UNREACHABLE, TIMEOUT, ABORTED or SECRET_MISSING. */
export const dial = async (config: Config, { clock, signal }: Context): Promise<Socket> => {
  const { host, port } = addressOf(config.url)
  const { ca, cert, key, 'server-name': servername } = config.tls ?? {}
  const pems = { ca: await pem(ca), cert: await pem(cert), key: await pem(key) }
  const limit = deadline(clock, config.timeout, signal)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const giveUp = () =>
    reject(
      signal.aborted
        ? new BridgeError('ABORTED', 'given up before the broker was reached')
        : new BridgeError('TIMEOUT', `no connection to ${host}:${port} within ${config.timeout} ms`),
    )
  if (limit.signal.aborted) giveUp()
  limit.signal.addEventListener('abort', giveUp)
  let socket: Socket | null = null
  try {
    if (!limit.signal.aborted) {
      const name = servername ?? (isIP(host) ? undefined : host)
      const { ca, cert, key } = pems
      socket = isTls(config.url)
        ? connectTls({
            host,
            port,
            ...(name !== undefined && { servername: name }),
            ...(ca && { ca }),
            ...(cert && key && { cert, key }),
          })
        : connectTcp({ host, port })
      socket.setNoDelay(true)
      socket.once(isTls(config.url) ? 'secureConnect' : 'connect', resolve)
      socket.on('error', (error) =>
        reject(
          new BridgeError('UNREACHABLE', `no connection to ${host}:${port}: ${messageOf(error)}`, {
            cause: error,
          }),
        ),
      )
    }
    await promise
    return socket as Socket
  } catch (error) {
    socket?.destroy()
    throw error
  } finally {
    limit.signal.removeEventListener('abort', giveUp)
    limit.cancel()
  }
}

const addressOf = (url: string): { host: string; port: number } => {
  const [, host = '', port] = /^mqtts?:\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?/i.exec(url) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (isTls(url) ? 8883 : 1883)) }
}

/** The socket as the MQTT library sees it: behind the sluice. */
export class Line extends Duplex {
  readonly #socket: Socket

  constructor(socket: Socket, sluice: Sluice) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('data', (bytes) => this.#take(bytes, sluice))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    socket.on('end', () => this.push(null))
  }

  #take(bytes: Buffer, sluice: Sluice): void {
    try {
      for (const part of sluice.pass(bytes)) if (!this.push(part)) this.#socket.pause()
    } catch (error) {
      const why = error instanceof NoMqtt ? `the broker sends no MQTT: ${error.message}` : messageOf(error)
      this.destroy(new BridgeError('BAD_ANSWER', why))
    }
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
