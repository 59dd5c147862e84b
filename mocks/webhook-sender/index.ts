import { randomUUID } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import type { Json } from '../../core/fact.ts'
import { type Hmac, sign, signatureHeader } from './signature.ts'

/** Larger than any receiver of ours takes. */
const OVERSIZED = 2_097_152
/** A slow sender sends a byte and waits so many ms. */
const SLOW = { size: 1, ms: 50 }
/** In pieces, so that an answer which comes before the end is heard. */
const PIECES = { size: 65_536, ms: 0 }

export interface WebhookSenderOptions {
  readonly url: string
  readonly hmac?: Hmac
  readonly bearer?: string
  /** Sends the time in a header and signs it too; a name chooses the header (default `x-timestamp`). */
  readonly timestamped?: boolean | string
  /** The header of `key`; default `idempotency-key`. */
  readonly keyHeader?: string
}

export interface Sending {
  /** What makes it the same delivery for the receiver. */
  readonly key?: string
  /** The time that is signed, ms since the epoch; default now. */
  readonly at?: number
  /** What somebody in between has changed after signing. */
  readonly tamper?: 'body' | 'signature' | 'no-signature' | 'timestamp' | 'bearer' | 'no-bearer'
  /** Sends what was sent last once more, byte for byte; `payload` isn't looked at. */
  readonly replay?: true
  /**
   * slow: a byte at a time · stalled: half of it and then nothing · truncated: half of it and then the end of the
   * connection · oversized: 2 MiB, rightly signed · chunked: without Content-Length.
   */
  readonly body?: 'slow' | 'stalled' | 'truncated' | 'oversized' | 'chunked'
  readonly method?: string
  readonly headers?: { readonly [name: string]: string }
  /** Gives up after so many ms; default 10,000. */
  readonly withinMs?: number
}

/** What came back; status 0 when nothing did, and then why. */
export interface Returned {
  readonly status: number
  readonly body: string
  readonly headers: IncomingMessage['headers']
  readonly error?: string
}

interface Delivery {
  readonly method: string
  readonly headers: { readonly [name: string]: string }
  readonly body: Buffer
}

/** A cloud service or an application that calls our webhook. */
export class WebhookSender {
  readonly #options: WebhookSenderOptions
  #last: Delivery | undefined

  constructor(options: WebhookSenderOptions) {
    this.#options = options
  }

  /** Sends Json, or a text or bytes as they are. Never rejects. */
  send(payload: Json | Buffer, sending: Sending = {}): Promise<Returned> {
    const delivery = sending.replay && this.#last ? this.#last : this.#deliver(payload, sending)
    this.#last = delivery
    return post(this.#options.url, delivery, sending)
  }

  /** Sends the same bytes several times, as a sender does that saw no answer: one after another or all at once. */
  async repeat(
    payload: Json | Buffer,
    { times = 2, parallel = false, ...sending }: Sending & { times?: number; parallel?: boolean } = {},
  ): Promise<Returned[]> {
    this.#last = this.#deliver(payload, sending)
    const again = () => this.send(null, { ...sending, replay: true })
    if (parallel) return Promise.all(Array.from({ length: times }, again))
    const returned: Returned[] = []
    for (let i = 0; i < times; i++) returned.push(await again())
    return returned
  }

  #deliver(payload: Json | Buffer, sending: Sending): Delivery {
    const { hmac, bearer, timestamped, keyHeader = 'idempotency-key' } = this.#options
    const plain = Buffer.isBuffer(payload) || typeof payload === 'string' ? payload : JSON.stringify(payload)
    const text = Buffer.from(plain)
    const padding = sending.body === 'oversized' ? OVERSIZED - text.length : 0
    const body = Buffer.concat([text, Buffer.alloc(Math.max(0, padding), ' ')])
    const unix = Math.floor((sending.at ?? Date.now()) / 1000)
    const timeHeader = timestamped === true ? 'x-timestamp' : timestamped || undefined
    const signed = hmac ? sign(hmac, { body, unix, id: sending.key ?? randomUUID(), timeHeader }) : {}
    const delivery = {
      method: sending.method ?? 'POST',
      headers: {
        'content-type': 'application/json',
        ...(timeHeader && { [timeHeader]: String(unix) }),
        ...signed,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(sending.key !== undefined && { [keyHeader]: sending.key }),
        ...sending.headers,
      },
      body,
    }
    return tampered(delivery, sending.tamper, { unix, signature: hmac ? signatureHeader(hmac) : '' })
  }
}

/** What a man in the middle, or a sender with a wrong secret, makes of it. */
const tampered = (
  delivery: Delivery,
  how: Sending['tamper'],
  { unix, signature }: { unix: number; signature: string },
): Delivery => {
  const headers: Record<string, string> = { ...delivery.headers }
  switch (how) {
    case 'body': {
      const text = delivery.body.toString('latin1').replace(/\w/, (first) => (first === '0' ? '1' : '0'))
      return { ...delivery, body: Buffer.from(text, 'latin1') }
    }
    case 'signature':
      headers[signature] = (headers[signature] ?? '').replace(/.{4}(=?)$/, (end, pad) =>
        end.startsWith('beef') ? `cafe${pad}` : `beef${pad}`,
      )
      break
    case 'no-signature':
      delete headers[signature]
      break
    case 'timestamp':
      for (const [name, value] of Object.entries(headers))
        headers[name] = value.replace(String(unix), String(unix + 1))
      break
    case 'bearer':
      headers['authorization'] = 'Bearer guessed'
      break
    case 'no-bearer':
      delete headers['authorization']
      break
  }
  return { ...delivery, headers }
}

const post = (
  url: string,
  delivery: Delivery,
  { body: how, withinMs = 10_000 }: Sending,
): Promise<Returned> =>
  new Promise((resolve) => {
    const { method, body } = delivery
    const length = how === 'chunked' ? {} : { 'content-length': String(body.length) }
    // Kept alive until the answer is read: a connection that is closed under the rest of a body loses the answer.
    const headers = { connection: 'keep-alive', ...delivery.headers, ...length }
    const call = request(url, { method, headers, agent: false })
    const finish = (returned: Returned) => {
      clearTimeout(timer)
      call.destroy()
      resolve(returned)
    }
    const nothing = (error: string) => finish({ status: 0, body: '', headers: {}, error })
    const timer = setTimeout(() => nothing(`no answer within ${withinMs} ms`), withinMs)
    call.on('error', (error) => nothing(error.message))
    call.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk) => chunks.push(chunk))
      response.on('error', (error) => nothing(error.message))
      response.on('end', () =>
        finish({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString(),
          headers: response.headers,
        }),
      )
    })
    write(call, body, how)
  })

const write = (call: ReturnType<typeof request>, body: Buffer, how: Sending['body']): void => {
  const half = body.subarray(0, body.length >> 1)
  if (how === 'stalled') call.write(half)
  else if (how === 'truncated') call.write(half, () => call.destroy())
  else if (how === 'slow') drip(call, body, SLOW)
  else if (how === 'oversized') drip(call, body, PIECES)
  else if (how === 'chunked') {
    call.write(half)
    call.end(body.subarray(half.length))
  } else call.end(body)
}

const drip = (call: ReturnType<typeof request>, body: Buffer, pace: typeof SLOW): void => {
  if (call.destroyed) return
  if (body.length === 0) {
    call.end()
    return
  }
  call.write(body.subarray(0, pace.size))
  setTimeout(() => drip(call, body.subarray(pace.size), pace), pace.ms)
}

export const webhookSender = (options: WebhookSenderOptions): WebhookSender => new WebhookSender(options)
