import { createHash } from 'node:crypto'
import { escapeXml } from './xml.ts'

export interface Login {
  readonly username: string
  readonly password: string
}

const secext = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd'
const utility = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'
const profile = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0'
const message = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0'

/** UsernameToken with digest: Base64(SHA-1(nonce + created + password)) (UsernameToken Profile 1.0, 3.1). `created` is an xs:dateTime in the device's time. */
export const usernameToken = ({ username, password }: Login, nonce: Uint8Array, created: string): string => {
  const digest = createHash('sha1').update(nonce).update(created).update(password, 'utf8').digest('base64')
  return (
    `<w:Security xmlns:w="${secext}" s:mustUnderstand="1"><w:UsernameToken>` +
    `<w:Username>${escapeXml(username)}</w:Username>` +
    `<w:Password Type="${profile}#PasswordDigest">${digest}</w:Password>` +
    `<w:Nonce EncodingType="${message}#Base64Binary">${Buffer.from(nonce).toString('base64')}</w:Nonce>` +
    `<u:Created xmlns:u="${utility}">${created}</u:Created></w:UsernameToken></w:Security>`
  )
}

/** What a 401 asks for. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | {
      readonly scheme: 'digest'
      readonly realm: string
      readonly nonce: string
      readonly algorithm: 'MD5' | 'SHA-256'
      /** Whether the server named the algorithm: it is then repeated. */
      readonly named: boolean
      readonly qop: boolean
      readonly opaque: string | null
    }

/** The strongest challenge that we can answer: Digest SHA-256, Digest MD5, Basic; null when there is none. */
export const readChallenge = (headers: readonly string[]): Challenge | null => {
  const found = headers
    .flatMap((header) => header.split(/(?:^|,)\s*(?=(?:Digest|Basic)\s)/i))
    .map(readOne)
    .filter((challenge) => challenge !== null)
  return found.sort((a, b) => strength(b) - strength(a))[0] ?? null
}

const strength = (challenge: Challenge): number =>
  challenge.scheme === 'basic' ? 0 : challenge.algorithm === 'MD5' ? 1 : 2

const readOne = (text: string): Challenge | null => {
  if (/^\s*Basic\s/i.test(text)) return { scheme: 'basic' }
  if (!/^\s*Digest\s/i.test(text)) return null
  const fields = new Map<string, string>()
  for (const [, name, quoted, bare] of text.matchAll(/([a-z]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))/gi))
    fields.set((name as string).toLowerCase(), quoted ?? bare ?? '')
  const nonce = fields.get('nonce')
  const algorithm = (fields.get('algorithm') ?? 'MD5').toUpperCase()
  const qop = fields.get('qop')?.split(/\s*,\s*/)
  if (nonce === undefined || (algorithm !== 'MD5' && algorithm !== 'SHA-256')) return null
  if (qop !== undefined && !qop.includes('auth')) return null
  return {
    scheme: 'digest',
    realm: fields.get('realm') ?? '',
    nonce,
    algorithm,
    named: fields.has('algorithm'),
    qop: qop !== undefined,
    opaque: fields.get('opaque') ?? null,
  }
}

/** The Authorization header for one request (RFC 7616, 3.4). `count` goes up by one for each use of a nonce. */
export const authorization = (
  challenge: Challenge,
  { username, password }: Login,
  request: {
    readonly method: string
    readonly path: string
    readonly count: number
    readonly cnonce: string
  },
): string => {
  if (challenge.scheme === 'basic')
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const hash = (text: string) =>
    createHash(challenge.algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const nc = request.count.toString(16).padStart(8, '0')
  const secret = hash(`${username}:${challenge.realm}:${password}`)
  const target = hash(`${request.method}:${request.path}`)
  const middle = challenge.qop ? `${challenge.nonce}:${nc}:${request.cnonce}:auth` : challenge.nonce
  return (
    `Digest username="${quoted(username)}", realm="${challenge.realm}", nonce="${challenge.nonce}", ` +
    `uri="${request.path}", response="${hash(`${secret}:${middle}:${target}`)}"` +
    (challenge.named ? `, algorithm=${challenge.algorithm}` : '') +
    (challenge.qop ? `, qop=auth, nc=${nc}, cnonce="${request.cnonce}"` : '') +
    (challenge.opaque === null ? '' : `, opaque="${challenge.opaque}"`)
  )
}

const quoted = (text: string): string => text.replace(/[\\"]/g, '\\$&')
