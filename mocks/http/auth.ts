import { createHash, randomBytes } from 'node:crypto'
import type { Reply, Request } from './device.ts'

export type Scheme = 'digest' | 'basic' | 'bearer'

export interface Credentials {
  readonly username: string
  readonly password: string
  /** For the scheme `bearer`. */
  readonly token?: string
  /** The first one is offered first. */
  readonly schemes: readonly Scheme[]
  /** Of HTTP digest; default MD5, which most devices still speak. */
  readonly algorithm?: 'MD5' | 'SHA-256'
}

/** Nonces that a device remembers; older ones are answered with stale=true (RFC 7616, 3.3). */
const noncesMax = 1_000
const realm = 'duress-bridge mock'

const fields = (text: string): Map<string, string> =>
  new Map(
    [...text.matchAll(/([a-z0-9-]+)=(?:"([^"]*)"|([^\s,]+))/gi)].map((match) => [
      (match[1] as string).toLowerCase(),
      match[2] ?? match[3] ?? '',
    ]),
  )

/** HTTP authentication as a device does it: RFC 7616 digest with qop=auth, RFC 7617 basic, RFC 6750 bearer. */
export class HttpAuth {
  readonly #credentials: Credentials
  /** Nonce → highest nonce count seen. */
  readonly #nonces = new Map<string, number>()

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  forget(): void {
    this.#nonces.clear()
  }

  /** Null when the request may pass, else the 401 to send. */
  refuse(request: Request): Reply | null {
    const [scheme = '', rest = ''] = (request.headers.authorization ?? '').split(/ (.*)/s)
    const { schemes, username, password, token } = this.#credentials
    const presented = schemes.find((known) => known === scheme.toLowerCase())
    if (presented === 'bearer' && token !== undefined && rest === token) return null
    if (presented === 'basic' && rest === Buffer.from(`${username}:${password}`).toString('base64'))
      return null
    const digest = presented === 'digest' ? this.#digest(request, fields(rest)) : 'wrong'
    if (digest === 'right') return null
    return { status: 401, headers: { 'WWW-Authenticate': this.#challenges(digest === 'stale') } }
  }

  #hash(...parts: readonly string[]): string {
    const name = this.#credentials.algorithm === 'SHA-256' ? 'sha256' : 'md5'
    return createHash(name).update(parts.join(':')).digest('hex')
  }

  #digest(request: Request, given: Map<string, string>): 'right' | 'wrong' | 'stale' {
    const get = (name: string) => given.get(name) ?? ''
    const { username, password } = this.#credentials
    const inner = this.#hash(username, realm, password)
    const outer = this.#hash(request.method, request.target)
    const wanted = this.#hash(inner, get('nonce'), get('nc'), get('cnonce'), 'auth', outer)
    if (get('username') !== username || get('uri') !== request.target || get('qop') !== 'auth') return 'wrong'
    if (get('response') !== wanted) return 'wrong'
    const seen = this.#nonces.get(get('nonce'))
    const count = Number.parseInt(get('nc'), 16)
    // A count that was seen before is a replay (RFC 7616, 3.4).
    if (seen === undefined || !(count > seen)) return 'stale'
    this.#nonces.set(get('nonce'), count)
    return 'right'
  }

  #challenges(stale: boolean): string[] {
    const algorithm = this.#credentials.algorithm ?? 'MD5'
    return this.#credentials.schemes.map((scheme) => {
      if (scheme !== 'digest') return `${scheme === 'basic' ? 'Basic' : 'Bearer'} realm="${realm}"`
      const nonce = randomBytes(16).toString('hex')
      this.#nonces.set(nonce, 0)
      if (this.#nonces.size > noncesMax) this.#nonces.delete(this.#nonces.keys().next().value as string)
      return `Digest realm="${realm}", qop="auth", algorithm=${algorithm}, nonce="${nonce}"${stale ? ', stale=true' : ''}`
    })
  }
}
