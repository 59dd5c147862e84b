import { createHash } from 'node:crypto'
import { ns } from './soap.ts'
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
export class TokenCheck {
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
