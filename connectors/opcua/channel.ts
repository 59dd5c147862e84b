import {
  ClientSecureChannelLayer,
  ClientTCP_transport,
  CloseSessionRequest,
  MessageSecurityMode,
  type OPCUASecureObject,
  SecurityPolicy,
  type StatusCode,
  StatusCodes,
  setErrorLogger,
  setWarningLogger,
} from 'node-opcua'
import { type Clock, deadline } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Chunks, chunkBytesMax, qualityOf } from './codec.ts'

// The stack tells the console whole messages of whoever is at the other end.
setErrorLogger(() => {})
setWarningLogger(() => {})

/** The largest message that we take in, and in how many chunks at most. */
const message = { bytes: 4_194_304, chunks: 64 }
/** The stack itself never gives up before we do, ms: an answer that comes after that is one too many for it. */
const neverMs = 3_600_000
/** How long the key of a channel lives, ms; the stack renews it after three quarters. */
const keyMs = 600_000
/** How long a server may take to say goodbye, ms. */
const goodbyeMs = 300

type Request = Parameters<ClientSecureChannelLayer['performMessageTransaction']>[0]
type Socket = NonNullable<ClientTCP_transport['_socket']>

/** The server answered "no": `status` says why. */
export class Fault extends BridgeError {
  readonly status: StatusCode
  constructor(code: BridgeError['code'], status: StatusCode, what: string) {
    super(code, `${what}: ${status.name}, ${status.description}`.slice(0, 400))
    this.status = status
  }
}

/** The connection was gone before the request: nothing has been sent. */
export class NotSent extends BridgeError {}

/**
 * The stack's transport with a guard: bytes that are no OPC UA are never gathered, and what the stack throws at an
 * answer that it does not expect ends this connection, not the process.
 */
class GuardedTransport extends ClientTCP_transport {
  readonly #fail: (why: string) => void

  constructor(settings: ConstructorParameters<typeof ClientTCP_transport>[0], fail: (why: string) => void) {
    super(settings)
    this.#fail = fail
  }

  protected override _install_socket(socket: Socket): void {
    super._install_socket(socket)
    const take = socket.listeners('data')
    const chunks = new Chunks()
    socket.removeAllListeners('data')
    socket.on('data', (bytes: Buffer) => {
      try {
        const problem = chunks.problem(bytes)
        if (problem) return this.#fail(problem)
        for (const each of take) each.call(socket, bytes)
      } catch (error) {
        this.#fail(messageOf(error))
      }
    })
  }
}

/** How a channel is secured; without it not at all. */
export interface Secured {
  readonly policy: SecurityPolicy
  readonly mode: MessageSecurityMode
  /** DER. */
  readonly serverCertificate: Buffer
  readonly own: OPCUASecureObject
}

/** One secure channel over one connection: requests and their answers. No reconnect, no retry. */
export class Channel {
  /** Settles when the connection is gone, with the reason. */
  readonly lost: Promise<BridgeError>
  readonly where: string
  readonly #layer: ClientSecureChannelLayer
  readonly #clock: Clock
  readonly #waiting = new Set<(why: BridgeError) => void>()
  #why: BridgeError | null = null
  #gone: (why: BridgeError) => void = () => {}

  private constructor(url: string, secured: Secured | null, clock: Clock) {
    this.where = new URL(url).host
    this.#clock = clock
    this.lost = new Promise((resolve) => {
      this.#gone = resolve
    })
    const fail = (why: string) => this.#fail(why)
    this.#layer = new ClientSecureChannelLayer({
      connectionStrategy: { maxRetry: 0 },
      defaultSecureTokenLifetime: keyMs,
      defaultTransactionTimeout: neverMs,
      transportTimeout: neverMs,
      transportSettings: {
        maxMessageSize: message.bytes,
        maxChunkCount: message.chunks,
        receiveBufferSize: chunkBytesMax,
        sendBufferSize: chunkBytesMax,
      },
      transportFactory: { create: (settings) => new GuardedTransport(settings, fail) },
      securityMode: secured?.mode ?? MessageSecurityMode.None,
      securityPolicy: secured?.policy ?? SecurityPolicy.None,
      ...(secured && { serverCertificate: secured.serverCertificate, parent: parentOf(secured.own) }),
    })
    this.#layer.on('close', (error) =>
      this.drop(
        new BridgeError(
          'UNREACHABLE',
          `${this.where}: ${error ? messageOf(error) : 'closed by the other side'}`,
        ),
      ),
    )
  }

  /** Connects once. Rejects with UNREACHABLE, TIMEOUT, ABORTED, UNAUTHORIZED or BAD_ANSWER; nothing is left then. */
  static async open(
    url: string,
    secured: Secured | null,
    limitMs: number,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<Channel> {
    const channel = new Channel(url, secured, clock)
    const limit = deadline(clock, limitMs, signal)
    try {
      await channel.#within(limit.signal, signal, limitMs, 'connecting', (done) =>
        channel.#layer.create(url, done as (error?: Error | null) => void),
      )
      // Told of a chunk that does not follow the one before; the stack itself would go on as if none came any more.
      channel.#layer._getMessageBuilder()?.on('error', (error) => channel.#fail(messageOf(error)))
      return channel
    } catch (error) {
      const why = dialError(channel.where, error)
      channel.drop(why)
      throw why
    } finally {
      limit.cancel()
    }
  }

  get isOpen(): boolean {
    return this.#why === null
  }

  /** Why it is no longer open. */
  get why(): BridgeError | null {
    return this.#why
  }

  /**
   * One request and its answer. Rejects with NotSent, with a Fault when the server says no, or with TIMEOUT or ABORTED:
   * what comes after that is ignored.
   */
  async ask<Answer>(
    request: Request,
    what: string,
    { limitMs, signal }: { limitMs: number | null; signal?: AbortSignal },
  ): Promise<Answer> {
    if (this.#why) throw new NotSent('LINK_DOWN', `${what}: ${this.#why.message}`)
    // For the server as well: how long it may keep the request.
    request.requestHeader.timeoutHint = neverMs
    const limit = limitMs === null ? null : deadline(this.#clock, limitMs, signal)
    try {
      return await this.#within<Answer>(limit?.signal ?? null, signal, limitMs ?? 0, what, (done) =>
        this.#layer.performMessageTransaction(request, done as never),
      )
    } finally {
      limit?.cancel()
    }
  }

  /** Gives the connection up at once. */
  drop(why: BridgeError): void {
    if (this.#why) return
    this.#why = why
    for (const reject of [...this.#waiting]) reject(why)
    this.#layer.dispose()
    this.#gone(why)
  }

  #fail(why: string): void {
    this.drop(new BridgeError('BAD_ANSWER', `${this.where}: ${why}: is it an OPC UA server?`))
  }

  /** Ends the session where there is one, then the channel; a server that says nothing is left. */
  async close(
    authenticationToken: unknown,
    why = new BridgeError('LINK_DOWN', `${this.where}: closed by us`),
  ): Promise<void> {
    if (!this.isOpen) return
    if (authenticationToken) {
      const request = new CloseSessionRequest({ deleteSubscriptions: true })
      request.requestHeader.authenticationToken = authenticationToken as never
      await this.ask(request, 'closing the session', { limitMs: goodbyeMs }).catch(() => {})
    }
    this.drop(why)
  }

  #within<T>(
    limit: AbortSignal | null,
    signal: AbortSignal | undefined,
    limitMs: number,
    what: string,
    run: (done: (error: unknown, answer: T) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(fail)
        limit?.removeEventListener('abort', expire)
      }
      const fail = (why: BridgeError) => {
        end()
        reject(why)
      }
      const expire = () =>
        fail(
          signal?.aborted
            ? new BridgeError('ABORTED', `${what}: given up`)
            : new BridgeError('TIMEOUT', `${this.where}, ${what}: no answer within ${limitMs} ms`),
        )
      if (limit?.aborted) return expire()
      this.#waiting.add(fail)
      limit?.addEventListener('abort', expire, { once: true })
      run((error, answer) => {
        if (!this.#waiting.has(fail)) return
        end()
        // A server may say no in a fault or in the very answer.
        const status = error ? null : resultOf(answer)
        if (error) reject(faultOf(what, error))
        else if (status && qualityOf(status.value) === 'bad') reject(faultBy(status, what))
        else resolve(answer)
      })
    })
  }
}

/** What the stack asks its owner for. */
const parentOf = (own: OPCUASecureObject) =>
  Object.assign(own, { applicationName: 'duress-bridge', clientName: 'duress-bridge' }) as never

interface Answered {
  readonly responseHeader?: { readonly serviceResult?: StatusCode }
}

const resultOf = (answer: unknown): StatusCode | null =>
  (answer as Answered | undefined)?.responseHeader?.serviceResult ?? null

const faultOf = (what: string, error: unknown): BridgeError => {
  if (error instanceof BridgeError) return error
  const status = resultOf((error as { readonly response?: Answered }).response)
  return status ? faultBy(status, what) : new BridgeError('UNREACHABLE', `${what}: ${messageOf(error)}`)
}

const codes: readonly (readonly [RegExp, BridgeError['code']])[] = [
  [
    /^Bad(UserAccessDenied|IdentityToken|UserSignature|Certificate|SecurityChecks|ApplicationSignature)/,
    'UNAUTHORIZED',
  ],
  [/^Bad(NodeIdUnknown|NodeIdInvalid|NoMatch|NotFound)/, 'NOT_FOUND'],
  [/^Bad(TooMany|ResourceUnavailable|OutOfMemory|ServerTooBusy|RequestTooLarge|TcpNotEnough)/, 'BUSY'],
  [/^Bad(MethodInvalid|NotSupported|ServiceUnsupported|NotImplemented|AttributeId)/, 'UNSUPPORTED'],
  [/^Bad(Timeout|RequestTimeout)/, 'TIMEOUT'],
]

/** A "no" of the server with the code of ours that fits. */
const faultBy = (status: StatusCode, what: string): Fault => {
  const [, code] = codes.find(([pattern]) => pattern.test(status.name)) ?? [null, 'REFUSED' as const]
  return new Fault(code, status, what)
}

/** Why there is no connection, in words. */
const dialError = (where: string, error: unknown): BridgeError => {
  if (error instanceof BridgeError && !(error.code === 'UNREACHABLE')) return error
  const text = messageOf(error).replaceAll('\n', ' ')
  const refused = /Bad(Certificate\w*|SecurityChecksFailed|SecurityPolicyRejected|SecurityModeRejected)/.exec(
    text,
  )
  return refused
    ? new BridgeError(
        'UNAUTHORIZED',
        `${where} refused the channel: ${refused[0]}; does the server trust our certificate?`,
      )
    : new BridgeError('UNREACHABLE', text.includes(where) ? text : `${where}: ${text}`)
}

/** The status of one result; throws when it is Bad. */
export const mustBeGood = (status: StatusCode | undefined | null, what: string): void => {
  const is = status ?? StatusCodes.BadUnexpectedError
  if (qualityOf(is.value) === 'bad') throw faultBy(is, what)
}
