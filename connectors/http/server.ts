import type { Connections } from './connections.ts'
import type { Digest } from './digest.ts'
import type { Ended, Sending } from './exchange.ts'

/** One server as a link has it: its connections, our credentials there, and what must never be told of them. */
export class HttpServer {
  /** For people: scheme, host and port; paths and queries may hold secrets. */
  readonly origin: string
  /** Path of the base URL without its last slash. */
  readonly base: string
  /** Header names and values that each request carries. */
  readonly headers: readonly string[]
  readonly #connections: Connections
  readonly #digest: Digest | null
  readonly #secrets: readonly string[]

  constructor(
    url: string,
    connections: Connections,
    login: { headers: readonly string[]; digest: Digest | null; secrets: readonly string[] },
  ) {
    const { origin, pathname } = new URL(url)
    this.origin = origin
    this.base = pathname.replace(/\/$/, '')
    this.#connections = connections
    this.headers = login.headers
    this.#digest = login.digest
    this.#secrets = login.secrets
  }

  /** Sends one request; with digest, up to two more where the server gives out a new challenge. */
  send(sending: Sending, signal: AbortSignal, wanted: boolean): Promise<Ended> {
    return this.#digest
      ? this.#signed(this.#digest, sending, signal, wanted)
      : this.#connections.send(sending, signal, wanted)
  }

  async #signed(digest: Digest, sending: Sending, signal: AbortSignal, wanted: boolean): Promise<Ended> {
    for (let left = 2; ; left--) {
      const used = digest.header(sending.method, sending.path)
      const headers = used === null ? sending.headers : [...sending.headers, 'authorization', used]
      const ended = await this.#connections.send({ ...sending, headers }, signal, wanted)
      // A 401 says that nothing was done, so the request may go again, signed as the server wants it.
      if (ended.is === 'broken' || ended.status !== 401 || left === 0) return ended
      if (!digest.take(ended.headers['www-authenticate'], used)) return ended
    }
  }

  /** What the server said, for people: one short line without anything secret. */
  said(body: string): string {
    const line = body
      .slice(0, 2_000)
      .replace(/[^ -~]+/g, ' ')
      .trim()
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '***'), line).slice(0, 120)
  }
}
