import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import { type Clock, deadline } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { checkLogin, OnvifError } from './codec/fault.ts'
import { authorization, type Challenge, type Login, readChallenge } from './codec/login.ts'

export interface WireOptions {
  readonly clock: Clock
  readonly login: Login
  /** Of a whole exchange, from dialling to the last byte, ms. */
  readonly timeoutMs: number
  readonly tls: {
    /** PEM of the authority that signed the device's certificate; null: those that Node knows. */
    readonly ca: string | null
    /** Name in the certificate; null: the host. */
    readonly serverName: string | null
  }
  /** Aborted when the link goes. */
  readonly closing: AbortSignal
}

interface Request {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** More bytes than this are not an answer. */
  readonly limit: number
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number | undefined
  /** On a connection of its own. */
  readonly alone: boolean
}

export interface Answer {
  readonly status: number
  readonly mediaType: string
  readonly bytes: Buffer
  /** How old it is by its own account (RFC 9110 and 9111: Age, Date minus Last-Modified), ms; 0 where it says nothing. */
  readonly ageMs: number
}

/** The longest honest answers (profiles of a large recorder) have about 200 kB. */
const answerLimit = 524_288
const pictureLimit = 8 * 1_048_576

/** HTTP to one device: few connections, HTTP digest where it is asked for, an end to every exchange. Follows no redirects. */
export class Wire {
  readonly #options: WireOptions
  readonly #agent: Agent
  /** What each origin has asked for by method, so that only the first request is made twice. */
  readonly #asked = new Map<string, { readonly challenge: Challenge; count: number }>()

  constructor(options: WireOptions) {
    this.#options = options
    this.#agent = new Agent({
      // A pull holds one for as long as there is nothing to tell.
      connections: 5,
      pipelining: 1,
      // An abort must close the socket, not one stream of it.
      allowH2: false,
      // Small devices drop idle connections without a word; a command must not be the one to find out.
      keepAliveTimeout: 2_000,
      keepAliveMaxTimeout: 2_000,
      connect: {
        timeout: options.timeoutMs,
        ...(options.tls.ca === null ? {} : { ca: options.tls.ca }),
        ...(options.tls.serverName === null ? {} : { servername: options.tls.serverName }),
      },
    })
  }

  /** Posts one envelope. The answer may be a fault: its status says little. */
  post(
    url: URL,
    action: string,
    body: string,
    more: { signal?: AbortSignal | undefined; timeoutMs?: number | undefined; alone?: boolean },
  ): Promise<Answer> {
    const type = `application/soap+xml; charset=utf-8; action="${action}"`
    return this.#exchange({
      url,
      method: 'POST',
      headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) },
      body,
      limit: answerLimit,
      signal: more.signal,
      timeoutMs: more.timeoutMs,
      alone: more.alone ?? false,
    })
  }

  /** Fetches a picture. */
  async get(url: URL, signal: AbortSignal): Promise<Answer> {
    const headers = { accept: 'image/jpeg' }
    const answer = await this.#exchange({
      url,
      method: 'GET',
      headers,
      body: null,
      limit: pictureLimit,
      signal,
      timeoutMs: undefined,
      alone: false,
    })
    if (answer.status === 200) return answer
    throw errorOfStatus(answer.status, `GET ${url.pathname}`)
  }

  /** Ends everything at once; what is under way fails. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #exchange(request: Request): Promise<Answer> {
    if (request.signal?.aborted)
      throw new OnvifError('ABORTED', `given up before anything was sent to ${request.url.host}`)
    const { clock, closing, timeoutMs } = this.#options
    const parent = request.signal === undefined ? closing : AbortSignal.any([closing, request.signal])
    const limit = deadline(clock, request.timeoutMs ?? timeoutMs, parent)
    const progress = { sent: false }
    try {
      return await this.#authorized(request, limit.signal, progress)
    } catch (error) {
      throw this.#failure(error, request, limit.signal, progress.sent)
    } finally {
      limit.cancel()
    }
  }

  /** Up to three rounds: a challenge, an answer to it, and one more when the nonce had gone stale. */
  async #authorized(request: Request, signal: AbortSignal, progress: { sent: boolean }): Promise<Answer> {
    const key = `${request.method} ${request.url.origin}`
    for (let round = 1; ; round++) {
      const known = this.#asked.get(key)
      const { status, headers, body } = await this.#send(request, known, signal, progress)
      const bytes = await readBody(body, request.limit)
      const mediaType =
        String(headers['content-type'] ?? '')
          .split(';')[0]
          ?.trim()
          .toLowerCase() ?? ''
      const answer = { status, mediaType, bytes, ageMs: ageOf(headers) }
      if (status !== 401) return answer
      // Refused unread: nothing has been asked of the device yet.
      progress.sent = false
      const challenge = readChallenge([headers['www-authenticate'] ?? []].flat())
      const stale = known !== undefined && challenge?.scheme === 'digest' && known.count > 1
      if (challenge === null || (known !== undefined && !stale) || round === 3) {
        this.#asked.delete(key)
        // Some devices put their fault into the 401; without a body it is a plain refusal.
        if (challenge === null && bytes.length > 0) return answer
        throw errorOfStatus(401, 'our user or password')
      }
      this.#asked.set(key, { challenge, count: 0 })
    }
  }

  async #send(
    { url, method, headers, body, alone }: Request,
    known: { readonly challenge: Challenge; count: number } | undefined,
    signal: AbortSignal,
    progress: { sent: boolean },
  ): Promise<{ status: number; headers: Dispatcher.ResponseData['headers']; body: Readable }> {
    const path = `${url.pathname}${url.search}`
    const secret =
      known === undefined
        ? {}
        : {
            authorization: authorization(known.challenge, this.#options.login, {
              method,
              path,
              count: ++known.count,
              cnonce: randomBytes(12).toString('hex'),
            }),
          }
    const bytes = body === null ? null : bodyThat(body, () => (progress.sent = true))
    const answer = await this.#agent.request({
      origin: url.origin,
      path,
      method,
      headers: { ...headers, ...secret },
      body: bytes,
      signal,
      reset: alone,
    })
    return { status: answer.statusCode, headers: answer.headers, body: answer.body }
  }

  #failure(
    error: unknown,
    { url, body, signal, timeoutMs }: Request,
    ended: AbortSignal,
    sent: boolean,
  ): Error {
    if (error instanceof BridgeError) return error
    const effect = sent && body !== null ? 'possible' : 'none'
    const cause = { effect, cause: error } as const
    const limit = timeoutMs ?? this.#options.timeoutMs
    if (this.#options.closing.aborted)
      return new OnvifError('LINK_DOWN', `the link to ${url.host} is closing`, cause)
    if (signal?.aborted)
      return sent
        ? new OnvifError('TIMEOUT', `given up while waiting for an answer of ${url.host}`, cause)
        : new OnvifError('ABORTED', `given up before anything was sent to ${url.host}`, cause)
    if (ended.aborted || codeOf(error) === 'UND_ERR_CONNECT_TIMEOUT')
      return new OnvifError('TIMEOUT', `${url.host} did not answer within ${limit} ms`, cause)
    if (codeOf(error).startsWith('HPE_'))
      return new OnvifError(
        'BAD_ANSWER',
        `${url.host} does not speak HTTP: ${messageOf(error).slice(0, 100)}`,
        cause,
      )
    return new OnvifError(
      'UNREACHABLE',
      `no connection to ${url.host}: ${messageOf(error).slice(0, 150)}`,
      cause,
    )
  }
}

/** A body that tells when its first byte is taken: from then on the device may have had it. */
const bodyThat = (text: string, sent: () => void): Readable =>
  Readable.from(
    (function* () {
      sent()
      yield Buffer.from(text)
    })(),
    { objectMode: false },
  )

const readBody = async (body: Readable, limit: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  // Leaving the loop early destroys the body, and the connection with it.
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > limit)
      throw new OnvifError('BAD_ANSWER', `an answer of more than ${limit} bytes`, { effect: 'possible' })
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks, size)
}

const ageOf = (headers: Dispatcher.ResponseData['headers']): number => {
  const kept = 1_000 * Number(headers['age'] ?? 0)
  // Both are of the same clock, so it doesn't matter whether it is right.
  const made = Date.parse(String(headers['date'])) - Date.parse(String(headers['last-modified']))
  return Math.max(0, kept || 0, made || 0)
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '')

/** What an HTTP status means where no SOAP answer came with it. */
export const errorOfStatus = (status: number, what: string): OnvifError => {
  const said = `the device answered ${what} with HTTP ${status}`
  if (status === 401 || status === 403) return new OnvifError('UNAUTHORIZED', `${said}: ${checkLogin}`)
  if (status === 404 || status === 405)
    return new OnvifError('NOT_FOUND', `${said}: check the url`, { retry: 'never' })
  if (status === 503 || status === 429) return new OnvifError('BUSY', said)
  if (status >= 300 && status < 400)
    return new OnvifError('BAD_ANSWER', `${said}, a redirect: write the final address as url`)
  return new OnvifError('BAD_ANSWER', said, { effect: 'possible' })
}
