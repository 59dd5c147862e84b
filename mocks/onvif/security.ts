import { createHash } from 'node:crypto'
import { HttpAuth } from '../http/auth.ts'
import type { Reply, Request } from '../http/device.ts'
import { Fault, ns } from './soap.ts'
import { child, type Element } from './xml.ts'

/** How far Created may be from the device's own clock, ms; real devices allow about as little. */
const clockToleranceMs = 5_000
/** Nonces kept against replay; those of the tolerated time are never dropped at a mock's pace. */
const noncesMax = 10_000

const digestType =
  'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest'

export interface Account {
  readonly username: string
  readonly password: string
}

/** WS-Security UsernameToken with password digest (OASIS WSS UsernameToken Profile 1.0, 3.1). */
class TokenCheck {
  readonly #account: Account
  readonly #now: () => number
  readonly #nonces = new Set<string>()

  constructor(account: Account, now: () => number) {
    this.#account = account
    this.#now = now
  }

  forget(): void {
    this.#nonces.clear()
  }

  /** Null when the token is good, else why not; a real device never says which. */
  refuse(header: Element | undefined): string | null {
    const token = child(child(header, ns.security, 'Security'), ns.security, 'UsernameToken')
    if (!token) return 'no token'
    const password = child(token, ns.security, 'Password')
    const nonce = child(token, ns.security, 'Nonce')?.text ?? ''
    const created = child(token, ns.securityTime, 'Created')?.text ?? ''
    if (child(token, ns.security, 'Username')?.text !== this.#account.username) return 'unknown user'
    if (password?.attributes['Type'] !== digestType) return 'no password digest'
    const digest = createHash('sha1')
      .update(Buffer.concat([Buffer.from(nonce, 'base64'), Buffer.from(created + this.#account.password)]))
      .digest('base64')
    if (nonce === '' || password.text !== digest) return 'wrong password'
    if (!(Math.abs(Date.parse(created) - this.#now()) <= clockToleranceMs)) return 'time check failed'
    if (this.#nonces.has(nonce)) return 'replayed nonce'
    this.#nonces.add(nonce)
    if (this.#nonces.size > noncesMax) this.#nonces.delete(this.#nonces.values().next().value as string)
    return null
  }
}

export type Signature = 'ws-security' | 'digest'

/** A refusal; `because` when a login was tried, since the first request of HTTP digest comes without any. */
export interface Refused {
  readonly reply: Reply
  readonly because: string | null
}

/** Lets signed requests in (ONVIF Core, 5.9.1): 400 with ter:NotAuthorized for WS-Security, 401 for HTTP digest. */
export class Gate {
  readonly #token: TokenCheck
  readonly #digest: HttpAuth
  readonly #signatures: readonly Signature[]

  constructor({ username, password }: Account, signatures: readonly Signature[], now: () => number) {
    this.#token = new TokenCheck({ username, password }, now)
    this.#digest = new HttpAuth({ username, password, schemes: ['digest'] })
    this.#signatures = signatures
  }

  refuse(request: Request, header: Element | undefined): Refused | null {
    const signed = child(header, ns.security, 'Security') !== undefined
    if (this.#signatures.includes('digest') && !(signed && this.#signatures.includes('ws-security'))) {
      const reply = this.#digest.refuse(request)
      return reply && { reply, because: request.headers.authorization ? 'HTTP digest' : null }
    }
    const because = this.#token.refuse(header)
    const fault = new Fault('Sender', ['NotAuthorized'], 'Sender not Authorized')
    return because === null ? null : { reply: fault.reply(), because }
  }

  forget(): void {
    this.#token.forget()
    this.#digest.forget()
  }
}
