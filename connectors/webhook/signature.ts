import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Config, Hmac } from './index.ts'

/** What a request proves: nothing, with the reason; or who sent it, and by which proof of one-time use. */
type Proof = { readonly wrong: string } | { readonly once: string | null }

/** Whether a request comes from who knows the secret. */
export type Verify = (headers: IncomingHttpHeaders, body: Buffer, now: number) => Proof

const usualHeaders: Readonly<Record<Hmac['style'], string>> = {
  hex: 'x-signature',
  base64: 'x-signature',
  github: 'x-hub-signature-256',
  stripe: 'stripe-signature',
  slack: 'x-slack-signature',
  standard: 'webhook-signature',
}

/** Compares all of it, however early it differs; the length of a secret is none. */
const same = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)

const one = (value: string | string[] | undefined): string =>
  typeof value === 'string' ? value : (value?.[0] ?? '')

export const verifierOf = (config: Config, secret: string): Verify =>
  config.hmac ? signed(config.hmac, secret) : bearing(secret)

/** The headers with which a body of our own, a heartbeat, is let in: the other side of `verifierOf`. */
export const signerOf = (config: Config, secret: string): Sign => {
  const { hmac } = config
  if (!hmac) return () => ({ authorization: `Bearer ${secret}` })
  const key = keyOf(hmac.style, secret)
  return (body, id, now) => {
    const time = String(Math.floor(now / 1_000))
    const sign = (before: string, encoding: 'hex' | 'base64') =>
      createHmac('sha256', key).update(before).update(body).digest(encoding)
    return headersOf(hmac, id, time, sign)
  }
}

/** Signs a body: `id` of the request, `now` ms since the epoch. */
export type Sign = (body: Buffer, id: string, now: number) => Record<string, string>

const headersOf = (
  hmac: Hmac,
  id: string,
  time: string,
  sign: (before: string, encoding: 'hex' | 'base64') => string,
): Record<string, string> => {
  const header = hmac.header ?? usualHeaders[hmac.style]
  const timestamp = hmac['timestamp-header']
  switch (hmac.style) {
    case 'stripe':
      return { [header]: `t=${time},v1=${sign(`${time}.`, 'hex')}` }
    case 'slack':
      return { [header]: `v0=${sign(`v0:${time}:`, 'hex')}`, 'x-slack-request-timestamp': time }
    case 'standard':
      return {
        [header]: `v1,${sign(`${id}.${time}.`, 'base64')}`,
        'webhook-id': id,
        'webhook-timestamp': time,
      }
    default: {
      const signature = sign(
        timestamp === undefined ? '' : `${time}.`,
        hmac.style === 'base64' ? 'base64' : 'hex',
      )
      return { [header]: signature, ...(timestamp === undefined ? {} : { [timestamp]: time }) }
    }
  }
}

const bearing = (secret: string): Verify => {
  const wanted = Buffer.from(secret)
  return ({ authorization = '' }) => {
    if (authorization.slice(0, 7).toLowerCase() !== 'bearer ') return { wrong: 'no bearer token' }
    const token = authorization.slice(7).trim()
    return same(Buffer.from(token), wanted) ? { once: null } : { wrong: 'not our bearer token' }
  }
}

/** What a request says of its signature: those that would do, what goes before the body, and the time, Unix seconds. */
interface Claim {
  readonly signatures: readonly Buffer[]
  readonly before: string
  readonly time: string | null
}

const signed = (hmac: Hmac, secret: string): Verify => {
  const key = keyOf(hmac.style, secret)
  const header = hmac.header ?? usualHeaders[hmac.style]
  const claimOf = claims[hmac.style]
  return (headers, body, now) => {
    const value = one(headers[header])
    if (value === '') return { wrong: `no signature in ${header}` }
    const claim = claimOf(value, headers, hmac)
    if (claim.time !== null && !inTime(claim.time, now, hmac.window))
      return { wrong: `its time is not within ${hmac.window / 1_000} s of ours` }
    const wanted = createHmac('sha256', key).update(claim.before).update(body).digest()
    if (!claim.signatures.some((signature) => same(signature, wanted)))
      return { wrong: `the signature in ${header} is not that of this body` }
    return { once: claim.time === null ? null : wanted.toString('base64') }
  }
}

const inTime = (time: string, now: number, windowMs: number): boolean =>
  /^\d{1,12}$/.test(time) && Math.abs(now - Number(time) * 1_000) <= windowMs

/** A standard secret is base64 after `whsec_` (standardwebhooks.com); the others are used as they are. */
const keyOf = (style: Hmac['style'], secret: string): KeyObject =>
  createSecretKey(
    style === 'standard' ? Buffer.from(secret.replace(/^whsec_/, ''), 'base64') : Buffer.from(secret),
  )

const plain =
  (encoding: 'hex' | 'base64') =>
  (value: string, headers: IncomingHttpHeaders, hmac: Hmac): Claim => {
    const time = hmac['timestamp-header'] === undefined ? null : one(headers[hmac['timestamp-header']])
    return {
      signatures: [Buffer.from(value.replace(/^sha256=/, ''), encoding)],
      before: time === null ? '' : `${time}.`,
      time,
    }
  }

const claims: Readonly<
  Record<Hmac['style'], (value: string, headers: IncomingHttpHeaders, hmac: Hmac) => Claim>
> = {
  hex: plain('hex'),
  github: plain('hex'),
  base64: plain('base64'),
  stripe: (value) => {
    const parts = value.split(',', 10).map((part) => part.trim().split('=', 2))
    const time = parts.find(([name]) => name === 't')?.[1] ?? ''
    const signatures = parts.flatMap(([name, text]) =>
      name === 'v1' ? [Buffer.from(text ?? '', 'hex')] : [],
    )
    return { signatures, before: `${time}.`, time }
  },
  slack: (value, headers) => {
    const time = one(headers['x-slack-request-timestamp'])
    return { signatures: [Buffer.from(value.replace(/^v0=/, ''), 'hex')], before: `v0:${time}:`, time }
  },
  standard: (value, headers) => {
    const time = one(headers['webhook-timestamp'])
    const signatures = value
      .split(' ', 10)
      .flatMap((each) => (each.startsWith('v1,') ? [Buffer.from(each.slice(3), 'base64')] : []))
    return { signatures, before: `${one(headers['webhook-id'])}.${time}.`, time }
  },
}
