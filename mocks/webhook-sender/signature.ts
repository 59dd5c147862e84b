import { createHash } from 'node:crypto'

/** SHA-256 takes its input in blocks of 64 bytes. */
const BLOCK = 64

const sha256 = (...parts: readonly Buffer[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** HMAC-SHA256 written out from RFC 2104, so that it shares nothing with who checks it. */
export const hmac = (key: Buffer, data: Buffer): Buffer => {
  const block = Buffer.alloc(BLOCK)
  const short = key.length > BLOCK ? sha256(key) : key
  short.copy(block)
  const padded = (pad: number) => Buffer.from(block.map((byte) => byte ^ pad))
  return sha256(padded(0x5c), sha256(padded(0x36), data))
}

/**
 * How the sender signs: hex and base64 bare; github `sha256=<hex>`; stripe `t=<unix>,v1=<hex>` over `<unix>.<body>`
 * (UniFi Access alike); slack `v0=<hex>` over `v0:<unix>:<body>`; standard (standardwebhooks.com) `v1,<base64>` over
 * `<id>.<unix>.<body>` with a secret `whsec_<base64>`.
 */
export type Style = 'hex' | 'base64' | 'github' | 'stripe' | 'slack' | 'standard'

export interface Hmac {
  readonly secret: string
  readonly style: Style
  /** The header of the signature; by default the one its inventor uses. */
  readonly header?: string
}

const headers: { readonly [style in Style]: string } = {
  hex: 'x-signature',
  base64: 'x-signature',
  github: 'x-hub-signature-256',
  stripe: 'stripe-signature',
  slack: 'x-slack-signature',
  standard: 'webhook-signature',
}

export const signatureHeader = ({ style, header }: Hmac): string => header ?? headers[style]

export interface Signing {
  readonly body: Buffer
  /** Unix seconds. */
  readonly unix: number
  readonly id: string
  /** For hex, base64 and github: the header that carries the time, which is then signed too, as `<unix>.<body>`. */
  readonly timeHeader: string | undefined
}

/** The headers that prove who sent the body, and when. */
export const sign = (how: Hmac, { body, unix, id, timeHeader }: Signing): Record<string, string> => {
  const header = signatureHeader(how)
  const over = (before: string, key = Buffer.from(how.secret)): Buffer =>
    hmac(key, Buffer.concat([Buffer.from(before), body]))
  const time = String(unix)
  switch (how.style) {
    case 'stripe':
      return { [header]: `t=${time},v1=${over(`${time}.`).toString('hex')}` }
    case 'slack':
      return {
        [header]: `v0=${over(`v0:${time}:`).toString('hex')}`,
        [timeHeader ?? 'x-slack-request-timestamp']: time,
      }
    case 'standard': {
      const key = Buffer.from(how.secret.replace(/^whsec_/, ''), 'base64')
      const signature = `v1,${over(`${id}.${time}.`, key).toString('base64')}`
      return { 'webhook-id': id, [timeHeader ?? 'webhook-timestamp']: time, [header]: signature }
    }
    default: {
      const digest = over(timeHeader ? `${time}.` : '')
      const text = digest.toString(how.style === 'base64' ? 'base64' : 'hex')
      const signature = how.style === 'github' ? `sha256=${text}` : text
      return { ...(timeHeader && { [timeHeader]: time }), [header]: signature }
    }
  }
}
