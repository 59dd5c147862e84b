import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { bytesOf, type Message, written } from './message.ts'

export type { Message } from './message.ts'

export interface WctpSenderOptions {
  /** Where the gateway listens; with https its certificate is not looked at. */
  readonly url: string
  readonly senderID: string
  readonly securityCode?: string
  /** How long it waits for an answer, ms; default 5,000. */
  readonly withinMs?: number
}

/** What came back: HTTP status 0 when nothing did; `code` is that of WCTP, 0 where there is none. */
export interface Returned {
  readonly status: number
  readonly code: number
  readonly body: string
}

/** An enterprise host of WCTP 1.3, such as a nurse-call middleware. */
export class WctpSender {
  readonly #options: WctpSenderOptions
  #last: Buffer = Buffer.alloc(0)
  #sent = 0

  constructor(options: WctpSenderOptions) {
    this.#options = options
  }

  /** Never rejects. */
  submit(message: Message): Promise<Returned> {
    this.#sent++
    const { senderID, securityCode } = this.#options
    const by = { senderID, securityCode, numbered: `M-${process.pid}-${this.#sent}` }
    return this.post(bytesOf(written(message, by), message.encoding))
  }

  /** Any bytes, as a request. */
  post(bytes: Buffer, { path, method = 'POST' }: { path?: string; method?: string } = {}): Promise<Returned> {
    this.#last = bytes
    const { url, withinMs = 5_000 } = this.#options
    const target = new URL(path ?? '', url)
    if (path === undefined) target.pathname = new URL(url).pathname
    const headers = { 'content-type': 'text/xml', 'content-length': String(bytes.length) }
    return new Promise((resolve) => {
      const options = { method, headers, agent: false, rejectUnauthorized: false }
      const call = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, options)
      const finish = (status: number, body: string) => {
        clearTimeout(timer)
        call.destroy()
        resolve({ status, code: codeIn(body), body })
      }
      const timer = setTimeout(() => finish(0, ''), withinMs)
      call.on('error', () => finish(0, ''))
      call.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', () => finish(0, ''))
        response.on('end', () => finish(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8')))
      })
      call.end(bytes)
    })
  }

  /** The same bytes once more, as a host does that saw no success. */
  repeat(): Promise<Returned> {
    return this.post(this.#last)
  }
}

const codeIn = (body: string): number =>
  Number(
    /<wctp-(?:Client)?Success [^>]*successCode="(\d+)"/.exec(body)?.[1] ??
      /errorCode="(\d+)"/.exec(body)?.[1] ??
      0,
  )

export const wctpSender = (options: WctpSenderOptions): WctpSender => new WctpSender(options)
