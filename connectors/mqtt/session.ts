import type { Socket } from 'node:net'
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { deadline } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { dial, Line } from './dial.ts'
import type { Config } from './index.ts'
import { Sluice } from './sluice.ts'

/** How long the goodbye may take to leave the machine, ms. */
const byeMs = 200

/** What the session tells of. */
export interface Ears {
  /** Called in order, and not again before it has resolved; the message is acknowledged by `socket` later. */
  message(packet: IPublishPacket): void | Promise<void>
  /** Anything came, if only the answer to a ping. */
  heard(): void
  /** A message was larger than `max-payload`; an empty one comes in its place. */
  cut(topic: string, bytes: number): void
}

/** A logged-in connection to the broker: the library's client on a socket of ours, without its reconnecting. */
export class Session {
  readonly client: MqttClient
  readonly socket: Socket
  /** Resolves with why the connection is gone. */
  readonly lost: Promise<unknown>
  readonly #ctx: Context
  readonly #lose: (why: unknown) => void
  isOpen = true
  #why: unknown = null

  private constructor(client: MqttClient, socket: Socket, ctx: Context) {
    this.client = client
    this.socket = socket
    this.#ctx = ctx
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.lost = promise
    this.#lose = (why) => {
      if (this.isOpen) this.#why = why
      this.isOpen = false
      resolve(why)
    }
    client.on('error', (error) => {
      this.#lose(inWords(error))
      socket.destroy()
    })
    client.on('disconnect', ({ reasonCode = 0 }) =>
      this.#lose(
        new BridgeError(
          'UNREACHABLE',
          `the broker ends the session: reason ${reasonCode}${hint(reasonCode)}`,
        ),
      ),
    )
    client.on('close', () =>
      this.#lose(
        new BridgeError(
          'UNREACHABLE',
          'the broker closed the connection; if that goes on, another client may have our `client-id`',
        ),
      ),
    )
  }

  /** Connects and logs in. Rejects with a BridgeError, and leaves nothing behind. */
  static async open(config: Config, clientId: string, ctx: Context, ears: Ears): Promise<Session> {
    const password = config.password && (await ctx.secret(config.password))
    const socket = await dial(config, ctx)
    const sluice = new Sluice(config['max-payload'], config.version, (topic, bytes) => ears.cut(topic, bytes))
    const line = new Line(socket, sluice)
    const client = new mqtt.MqttClient(() => line, optionsOf(config, clientId, password))
    const session = new Session(client, socket, ctx)
    client.handleMessage = (packet, done) => {
      // With an error the library sends no PUBACK and goes on to the next packet: ours is sent when the press is on disk.
      const next = () => done(packet.qos === 0 ? undefined : later)
      const taken = ears.message(packet)
      if (taken) void taken.then(next)
      else next()
    }
    client.on('packetreceive', (packet) => {
      ears.heard()
      if (packet.cmd === 'publish' && packet.qos === 2)
        session.drop(new BridgeError('BAD_ANSWER', 'the broker sends QoS 2, which nobody subscribed to'))
    })
    try {
      await session.within(config.timeout, 'the answer to CONNECT', (resolve) =>
        client.once('connect', () => resolve(null)),
      )
      return session
    } catch (error) {
      socket.destroy()
      throw error
    }
  }

  /** Waits for an answer of the broker; rejects when it takes too long, the connection goes, or the link is given up. */
  async within<T>(
    ms: number,
    what: string,
    ask: (resolve: (value: T) => void, reject: (why: Error) => void) => void,
    given?: AbortSignal,
  ): Promise<T> {
    const limit = deadline(this.#ctx.clock, ms, given ?? this.#ctx.signal)
    try {
      return await new Promise<T>((resolve, reject) => {
        const giveUp = () =>
          reject(
            !this.isOpen
              ? asBridgeError(this.#why)
              : limit.signal.reason?.name === 'TimeoutError'
                ? new BridgeError('TIMEOUT', `${what} did not come within ${ms} ms`)
                : new BridgeError('ABORTED', `given up while waiting for ${what}`),
          )
        if (limit.signal.aborted) giveUp()
        limit.signal.addEventListener('abort', giveUp, { once: true })
        void this.lost.then((why) => reject(asBridgeError(why)))
        ask(resolve, reject)
      })
    } finally {
      limit.cancel()
    }
  }

  /** Resolves with the QoS that the broker grants, null: it refuses the topic. */
  subscribe(topic: string, { version, timeout }: Config): Promise<number | null> {
    // Retained messages only where the subscription is new (MQTT 5, 3.8.3.1).
    const options = version === 5 ? { qos: 1 as const, rh: 1 } : { qos: 1 as const }
    return this.within(timeout, `the answer to subscribing to ${topic}`, (resolve, reject) =>
      this.client.subscribe(topic, options, (error, granted, packet) => {
        const [code] = packet?.granted ?? []
        if (typeof code === 'number') resolve(code >= 0x80 ? null : code)
        else if (error) reject(asBridgeError(error))
        else resolve(granted?.[0]?.qos ?? 1)
      }),
    )
  }

  drop(why: unknown): void {
    this.#lose(why)
    this.socket.destroy()
  }

  /** Says goodbye; the session stays with the broker. */
  async close(): Promise<void> {
    const { socket } = this
    this.#lose(new BridgeError('LINK_DOWN', 'closed'))
    if (socket.destroyed) return
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const timer = this.#ctx.clock.after(byeMs, () => socket.destroy())
    // DISCONNECT, normal: the same two bytes in both versions (3.1.1, 3.14; 5, 3.14.2.1).
    socket.write(Buffer.from([0xe0, 0]))
    socket.destroySoon()
    await gone
    timer.cancel()
  }
}

const later = new Error('acknowledged later')

const optionsOf = (config: Config, clientId: string, password: string | undefined): IClientOptions => ({
  clientId,
  protocolVersion: config.version,
  clean: false,
  // Only core opens again.
  reconnectPeriod: 0,
  resubscribe: false,
  keepalive: Math.round(config.keepalive / 1_000),
  // Ours is checked first, by `within`.
  connectTimeout: config.timeout * 2,
  timerVariant: 'native',
  log: () => {},
  ...(config.username !== undefined && { username: config.username }),
  ...(password !== undefined && { password }),
  ...(config.version === 5 && {
    properties: { sessionExpiryInterval: Math.round(config['session-expiry'] / 1_000) },
  }),
})

const refusedUser = [4, 5, 134, 135, 138, 140]
const comesBack = [3, 136, 137, 159]

/** The library's errors carry the broker's code (MQTT 3.1.1, 3.2.2.3; MQTT 5, 3.2.2.2). */
const inWords = (error: Error & { code?: number | string }): BridgeError => {
  if (error instanceof BridgeError) return error
  const { code } = error
  const said = messageOf(error)
  if (typeof code === 'number') {
    if (refusedUser.includes(code))
      return new BridgeError(
        'UNAUTHORIZED',
        `the broker refuses us (${said}): check user, password, certificate`,
      )
    if (comesBack.includes(code)) return new BridgeError('BUSY', `the broker is not ready: ${said}`)
    return new BridgeError('REFUSED', `the broker refuses us: ${said}${hint(code)}`)
  }
  if (said === 'Keepalive timeout') return new BridgeError('TIMEOUT', 'the broker does not answer pings')
  if (said === 'connack timeout') return new BridgeError('TIMEOUT', 'the broker does not answer CONNECT')
  if (typeof code === 'string') return new BridgeError('UNREACHABLE', `the connection broke: ${said}`)
  return new BridgeError('BAD_ANSWER', `the broker sends no proper MQTT: ${said}`)
}

const hint = (code: number): string =>
  code === 1 || code === 132
    ? '; set `version` to the other one'
    : code === 142
      ? ', taken over: another client uses our `client-id`'
      : ''

const asBridgeError = (why: unknown): BridgeError =>
  why instanceof BridgeError ? why : new BridgeError('UNREACHABLE', messageOf(why), { cause: why })
