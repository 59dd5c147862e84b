import type { Client, Dispatcher } from 'undici'
import type { Json } from '../../core/fact.ts'

/** More of an answer is not read, bytes; the request has then done what it does. */
const answerMax = 1_048_576

/** How one request over the wire ended. */
export type Ended =
  | { readonly is: 'answered'; readonly status: number; readonly headers: Headers; readonly body: string }
  /** `started`: bytes of it may have reached the server. */
  | { readonly is: 'broken'; readonly error: Error; readonly started: boolean }

type Headers = { readonly [name: string]: string | string[] | undefined }

/** What is sent, ready for undici. */
export interface Sending {
  readonly method: Dispatcher.HttpMethod
  readonly path: string
  /** Names and values in turn. */
  readonly headers: string[]
  readonly body: string | null
}

export class TooLarge extends Error {}
export class GivenUp extends Error {}

/**
 * One request, on undici's lowest interface: it tells when the first byte is about to be written, which is
 * where an order is looked at for the last time, and costs least.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #sending: Sending
  readonly #signal: AbortSignal
  readonly #wanted: boolean
  readonly #resolve: (ended: Ended) => void
  readonly #release: (client: Client) => void
  #client: Client | null = null
  #controller: Dispatcher.DispatchController | null = null
  #started = false
  #status = 0
  #headers: Headers = {}
  #chunks: Buffer[] = []
  #bytes = 0
  /** Whoever waits for it has been told; its connection may still be busy with it. */
  hasEnded = false

  /** `release` is called with the connection when that has done with it. */
  constructor(
    sending: Sending,
    signal: AbortSignal,
    wanted: boolean,
    resolve: (ended: Ended) => void,
    release: (client: Client) => void,
  ) {
    this.#sending = sending
    this.#signal = signal
    this.#wanted = wanted
    this.#resolve = resolve
    this.#release = release
    signal.addEventListener('abort', this.#giveUp, { once: true })
  }

  start(client: Client): void {
    this.#client = client
    client.dispatch(this.#sending, this)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#signal.aborted) controller.abort(new GivenUp('given up before it was sent'))
    else this.#started = true
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes > answerMax) controller.abort(new TooLarge(`an answer of more than ${answerMax} bytes`))
    // A refusal is read in any case: it carries what the server said.
    else if (this.#wanted || this.#status >= 300) this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    const body = this.#chunks.length === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8')
    this.#end({ is: 'answered', status: this.#status, headers: this.#headers, body })
    this.#letGo()
  }

  onResponseError(_: unknown, error: Error): void {
    this.#end({ is: 'broken', error, started: this.#started })
    this.#letGo()
  }

  readonly #giveUp = (): void => {
    const error = new GivenUp('given up', { cause: this.#signal.reason })
    // Still waiting for a connection: undici asks us again before it writes.
    if (!this.#controller) this.#end({ is: 'broken', error, started: false })
    else this.#controller.abort(error)
  }

  #end(ended: Ended): void {
    this.hasEnded = true
    this.#signal.removeEventListener('abort', this.#giveUp)
    this.#resolve(ended)
  }

  #letGo(): void {
    const client = this.#client
    this.#client = null
    if (client) this.#release(client)
  }
}

/** The body as JSON, or as text where it is none. */
export const valueIn = (body: string): Json => {
  try {
    return JSON.parse(body) as Json
  } catch {
    return body
  }
}
