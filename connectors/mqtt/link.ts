import type { IPublishPacket } from 'mqtt'
import type { Context, Link, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { Acks } from './acks.ts'
import { Badges } from './badges.ts'
import { type Heard, Malformed, type Message, type Read } from './heard.ts'
import { type Config, type Input, topicsOf } from './index.ts'
import { Oddities } from './oddities.ts'
import type { Waiting } from './outbox.ts'
import { readOf } from './profiles/read.ts'
import { Session } from './session.ts'

/** The link is said to be heard this often, ms. */
const heardEveryMs = 500
/** Heartbeats under way; one a minute is usual. */
const marksMax = 100
/** A heartbeat is of no use to a broker for longer, s. */
const heartbeatExpiryS = 60

/** Connects, subscribes and listens until the broker is lost. */
export const open = async (
  opening: Opening<Config, Input, never>,
  ctx: Context,
): Promise<Link<never, never>> => {
  const { name, config } = opening
  const clientId = config['client-id'] ?? usualClientId(name)
  const heartbeat = config.heartbeat ?? usualHeartbeat(clientId)
  const ended = new AbortController()
  const own: Context = { ...bound(ctx), signal: ended.signal }
  const abort = () => ended.abort()
  ctx.signal.addEventListener('abort', abort)
  if (ctx.signal.aborted) abort()
  const end = () => {
    ctx.signal.removeEventListener('abort', abort)
    ended.abort()
  }
  try {
    const broker = new Broker(opening, own, heartbeat)
    const session = await broker.connect(clientId)
    // A link that is told to go goes by the signal alone as well.
    ended.signal.addEventListener('abort', () => void session.close(), { once: true })
    void session.lost.then(end)
    const canBeat = await broker.subscribe()
    return {
      lost: session.lost,
      acts: {},
      ...(canBeat && { beat: (mark: string, signal: AbortSignal) => broker.beat(mark, signal) }),
      probe: (_address, signal) => broker.probe(signal),
      close: async () => {
        end()
        await session.close()
      },
    }
  } catch (error) {
    end()
    throw error
  }
}

const usualClientId = (name: string): string => `duress-bridge-${name}`
const usualHeartbeat = (clientId: string): string => `duress-bridge/${clientId}/heartbeat`

/** The context's functions, to be handed on with another signal. */
const bound = (ctx: Context): Omit<Context, 'signal'> => ({
  clock: ctx.clock,
  log: ctx.log,
  record: (fact) => ctx.record(fact),
  note: (device, state) => ctx.note(device, state),
  heard: () => ctx.heard(),
  keep: (bytes, about) => ctx.keep(bytes, about),
  secret: (ref) => ctx.secret(ref),
})

class Broker {
  readonly #ctx: Context
  readonly #config: Config
  readonly #heartbeat: string
  readonly #badges: Badges
  readonly #oddities: Oddities
  readonly #read: Read
  readonly #marks = new Set<string>()
  #session: Session | null = null
  #acks: Acks | null = null
  #heardAt = Number.NEGATIVE_INFINITY
  #messages = 0

  constructor(opening: Opening<Config, Input, never>, ctx: Context, heartbeat: string) {
    this.#ctx = ctx
    this.#config = opening.config
    this.#heartbeat = heartbeat
    this.#badges = new Badges(opening, ctx)
    this.#oddities = new Oddities(ctx.clock, ctx.log)
    this.#read = readOf(opening.config)
  }

  async connect(clientId: string): Promise<Session> {
    // What waited for us comes right behind the answer to CONNECT, before anybody could listen later.
    const early: IPublishPacket[] = []
    const session = await Session.open(this.#config, clientId, this.#ctx, {
      message: (packet) => (this.#acks ? this.#take(packet) : void early.push(packet)),
      heard: () => this.#heard(),
      cut: (topic, bytes) => this.#oddities.add(topic, `${bytes} bytes are more than \`max-payload\``),
    })
    this.#session = session
    this.#acks = new Acks(session.socket, this.#ctx)
    void session.lost.then(() => this.#acks?.close())
    for (const packet of early) await this.#take(packet)
    return session
  }

  /** Whether the topic of the heartbeat is granted as well. */
  async subscribe(): Promise<boolean> {
    const session = this.#session as Session
    const topics = topicsOf(this.#config)
    const granted = await Promise.all(
      [...topics, this.#heartbeat].map((topic) => session.subscribe(topic, this.#config)),
    )
    topics.forEach((topic, nth) => {
      if (granted[nth] === null)
        throw new BridgeError(
          'REFUSED',
          `the broker does not let us subscribe to ${topic}: check its access list`,
        )
      if (granted[nth] === 0)
        this.#ctx.log.warn({ topic }, 'the broker grants QoS 0 only: presses made while we are away are lost')
    })
    const canBeat = granted.at(-1) !== null
    if (!canBeat)
      this.#ctx.log.warn(
        { topic: this.#heartbeat },
        'no heartbeat: the broker does not let us subscribe to its topic',
      )
    return canBeat
  }

  async beat(mark: string, signal: AbortSignal): Promise<void> {
    this.#marks.add(mark)
    if (this.#marks.size > marksMax) this.#marks.delete(this.#marks.keys().next().value as string)
    const { timeout, version } = this.#config
    const properties = version === 5 ? { properties: { messageExpiryInterval: heartbeatExpiryS } } : {}
    const session = this.#session as Session
    if (!session.isOpen) throw new BridgeError('LINK_DOWN', 'the connection to the broker is gone')
    await session.within<null>(
      timeout,
      'the acknowledgement of the heartbeat',
      (resolve, reject) =>
        session.client.publish(this.#heartbeat, mark, { qos: 1, ...properties }, (error) =>
          error
            ? reject(new BridgeError('REFUSED', `no heartbeat to ${this.#heartbeat}: ${messageOf(error)}`))
            : resolve(null),
        ),
      signal,
    )
  }

  async probe(signal: AbortSignal): Promise<Json> {
    if (signal.aborted) throw new BridgeError('ABORTED', 'given up before the broker was asked')
    const session = this.#session as Session
    if (!session.isOpen) throw new BridgeError('LINK_DOWN', 'the connection to the broker is gone')
    const { client } = session
    await session.within<null>(
      this.#config.timeout,
      'the answer to a ping',
      (resolve) => {
        client.once('packetreceive', () => resolve(null))
        client.sendPing()
      },
      signal,
    )
    return {
      messages: this.#messages,
      thrownAway: this.#oddities.count,
      unrecorded: this.#badges.outbox.size,
      unacknowledged: this.#acks?.unacknowledged ?? 0,
    }
  }

  #heard(): void {
    const now = this.#ctx.clock.mono()
    if (now - this.#heardAt < heardEveryMs) return
    this.#heardAt = now
    this.#ctx.heard()
  }

  #take(packet: IPublishPacket): void | Promise<void> {
    // What was still in the pipe when the connection went is told again.
    if (!this.#session?.isOpen) return
    this.#messages++
    const { topic, payload, retain, dup } = packet
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const message: Message = { topic, payload: bytes, retained: retain, again: dup }
    const answer = (waiting: readonly Waiting[]) => {
      if (packet.qos === 1) this.#acks?.await(packet.messageId as number, waiting)
    }
    // An empty message takes a retained one away, or stands for one that was too large.
    if (bytes.length === 0) return answer([])
    if (topic === this.#heartbeat && bytes.length < 200 && this.#marks.delete(bytes.toString()))
      return answer([this.#badges.heartbeat(bytes.toString())])
    // A message that makes no sense is acknowledged: it would come again for ever.
    try {
      const heard = this.#read(message)
      if (!(heard instanceof Promise)) return answer(this.#hear(heard, message))
      return heard
        .then((all) => this.#hear(all, message))
        .then(answer, (error) => answer(this.#odd(topic, error)))
    } catch (error) {
      answer(this.#odd(topic, error))
    }
  }

  #hear(heard: readonly Heard[], message: Message): Waiting[] {
    return heard.flatMap((each) => this.#badges.hear(each, message))
  }

  #odd(topic: string, error: unknown): [] {
    this.#oddities.add(topic, messageOf(error))
    if (!(error instanceof Malformed))
      this.#ctx.log.error({ error: messageOf(error) }, 'a mistake of ours in reading a message')
    return []
  }
}
