import { createHash, randomBytes } from 'node:crypto'

interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly opaque: string | undefined
  readonly algorithm: keyof typeof hashes
  readonly qop: boolean
  readonly stale: boolean
}

/** In the order in which we take them (RFC 7616, 3.7: the strongest that both know). */
const hashes = { 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256', MD5: 'md5' } as const

/** The parameters of one challenge; a header may hold several (RFC 9110, 11.6.1). */
const field = /([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.){0,1000})"|([^\s,"]{1,1000}))/g

/** The digest challenge that we can answer best, from a WWW-Authenticate header; null when there is none. */
export const challengeIn = (header: string | readonly string[] | undefined): Challenge | null => {
  const text = (typeof header === 'string' ? [header] : (header ?? [])).join(', ').slice(0, 4_000)
  const found = text
    .split(/(?:^|,)\s*(?=[a-z]+\s+[a-z]+\s*=)/i)
    .filter((part) => /^digest\s/i.test(part))
    .map((part) => read(part.replace(/^digest\s+/i, '')))
    .filter((challenge) => challenge !== null)
  const rank = Object.keys(hashes)
  return found.sort((a, b) => rank.indexOf(a.algorithm) - rank.indexOf(b.algorithm))[0] ?? null
}

const read = (text: string): Challenge | null => {
  const fields = new Map<string, string>()
  for (const [, name = '', quoted, plain] of text.matchAll(field))
    fields.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  const nonce = fields.get('nonce')
  const named = (fields.get('algorithm') ?? 'MD5').toUpperCase()
  const algorithm = (Object.keys(hashes) as (keyof typeof hashes)[]).find((known) => known === named)
  const qop = fields.get('qop')
  const auth = qop?.split(',').some((way) => way.trim().toLowerCase() === 'auth')
  if (nonce === undefined || !algorithm || (qop !== undefined && !auth)) return null
  return {
    nonce,
    algorithm,
    realm: fields.get('realm') ?? '',
    opaque: fields.get('opaque'),
    qop: qop !== undefined,
    stale: fields.get('stale')?.toLowerCase() === 'true',
  }
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&').replace(/[^ -~]/g, '?')}"`

/** HTTP digest (RFC 7616, qop=auth, or RFC 2069 where a device knows no better): one challenge serves many requests. */
export class Digest {
  readonly #username: string
  readonly #password: string
  #challenge: Challenge | null = null
  #count = 0

  constructor(username: string, password: string) {
    this.#username = username
    this.#password = password
  }

  /** The Authorization header, null before the first challenge. */
  header(method: string, path: string, cnonce = randomBytes(8).toString('hex')): string | null {
    const challenge = this.#challenge
    if (!challenge) return null
    const { realm, nonce, opaque, algorithm, qop } = challenge
    const hash = (...parts: string[]) => createHash(hashes[algorithm]).update(parts.join(':')).digest('hex')
    const secret = hash(this.#username, realm, this.#password)
    const request = hash(method, path)
    const nc = (++this.#count).toString(16).padStart(8, '0')
    const response = qop ? hash(secret, nonce, nc, cnonce, 'auth', request) : hash(secret, nonce, request)
    return [
      `Digest username=${quoted(this.#username)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri=${quoted(path)}`,
      `algorithm=${algorithm}`,
      `response="${response}"`,
      ...(qop ? [`qop=auth, nc=${nc}, cnonce="${cnonce}"`] : []),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ].join(', ')
  }

  /** Takes a challenge; false when asking once more can't help: the answer to a nonce just made for us was wrong. */
  take(header: string | readonly string[] | undefined, used: string | null): boolean {
    const challenge = challengeIn(header)
    if (!challenge) return false
    this.#challenge = challenge
    this.#count = 0
    return used === null || challenge.stale
  }
}
