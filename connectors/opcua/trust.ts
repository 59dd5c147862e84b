import { createHash, X509Certificate } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EndpointDescription, GetEndpointsRequest, type GetEndpointsResponse } from 'node-opcua'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Channel } from './channel.ts'
import type { Config } from './index.ts'
import { pemOf } from './pki.ts'

/** A trust folder holds a handful of certificates; more is a mistake, and so is a file larger than this, bytes. */
const most = { files: 1_000, bytes: 65_536 }

/** The certificate that a server shows. */
export interface ServerCertificate {
  /** SHA-256 of the DER, lower case hex. */
  readonly fingerprint: string
  readonly pem: string
  readonly subject: string
  readonly validTo: string
}

/** SHA-256 of a certificate, lower case hex. */
const fingerprint = (der: Buffer): string => createHash('sha256').update(der).digest('hex')

/** Asks a server for its endpoints. Nothing that it says is proven by then. */
export const endpointsOf = async (
  channel: Channel,
  url: string,
  limitMs: number,
): Promise<EndpointDescription[]> => {
  const request = new GetEndpointsRequest({ endpointUrl: url })
  const answer = await channel.ask<GetEndpointsResponse>(request, 'asking for the endpoints', { limitMs })
  return answer.endpoints ?? []
}

/** The first certificate of what an endpoint shows, which may be a chain (Part 6, 6.2.6). Throws what is wrong with it. */
export const leafOf = (endpoint: EndpointDescription): Buffer => {
  const shown = endpoint.serverCertificate
  if (!shown?.length) throw new BridgeError('BAD_ANSWER', 'the server shows no certificate')
  try {
    return Buffer.from(new X509Certificate(shown).raw)
  } catch (error) {
    throw new BridgeError(
      'BAD_ANSWER',
      `the server shows a certificate that can't be read: ${messageOf(error)}`,
    )
  }
}

/** The certificate that the server at this URL shows now. Rejects with UNREACHABLE, TIMEOUT or BAD_ANSWER. */
export const fetchCertificate = async (
  url: string,
  { clock, limitMs, signal }: { clock: Clock; limitMs: number; signal: AbortSignal },
): Promise<ServerCertificate> => {
  const channel = await Channel.open(url, null, limitMs, clock, signal)
  try {
    const endpoints = await endpointsOf(channel, url, limitMs)
    const secured = endpoints.find(({ serverCertificate }) => serverCertificate?.length)
    if (!secured)
      throw new BridgeError('BAD_ANSWER', `${url} shows no certificate: it offers policy None only`)
    const der = leafOf(secured)
    const { subject, validTo } = new X509Certificate(der)
    return {
      fingerprint: fingerprint(der),
      pem: pemOf(der),
      subject: subject.replaceAll('\n', ', '),
      validTo,
    }
  } finally {
    await channel.close(null)
  }
}

/** Puts a certificate into a trust folder, where links find it when they are opened next. Returns the path of its file. */
export const pin = async (folder: string, { fingerprint: name, pem }: ServerCertificate): Promise<string> => {
  const path = join(folder, `${name}.pem`)
  await mkdir(folder, { recursive: true })
  await writeFile(path, pem)
  return path
}

/** DER. */
export const certificateIn = ({ pem }: ServerCertificate): Buffer => new X509Certificate(pem).raw

/**
 * Whether exactly this certificate is in the trust folder or among the pinned fingerprints. No authority is trusted: who
 * holds the key of an authority could otherwise stand in for any panel.
 */
export const isTrusted = async (
  der: Buffer,
  { trust, fingerprints }: Pick<Config, 'trust' | 'fingerprints'>,
): Promise<boolean> => {
  const shown = fingerprint(der)
  return fingerprints.includes(shown) || (await trusted(trust)).has(shown)
}

/** Throws unless the certificate is trusted, and valid by date. */
export const mustBeTrusted = async (der: Buffer, config: Config, now: number): Promise<void> => {
  const { validTo, validFromDate, validToDate } = new X509Certificate(der)
  if (!(await isTrusted(der, config)))
    throw new BridgeError(
      'UNAUTHORIZED',
      `${config.url} shows a certificate that is not trusted, SHA-256 ${fingerprint(der)}: compare it with the server's own, then pin it by \`duress-bridge trust\` or under \`fingerprints\``,
    )
  if (now < validFromDate.getTime() || now > validToDate.getTime())
    throw new BridgeError(
      'UNAUTHORIZED',
      `the certificate of ${config.url} is trusted, but not valid now (until ${validTo}): give the server a new one and trust that`,
    )
}

/** Fingerprints of all certificates in a folder; a file that is none is left out. */
const trusted = async (folder: string | undefined): Promise<Set<string>> => {
  if (folder === undefined) return new Set()
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new BridgeError('SECRET_MISSING', `the trust folder ${folder} can't be read: ${messageOf(error)}`)
  })
  const found = await Promise.all(
    names
      .filter((name) => /\.(pem|der|crt|cer)$/i.test(name))
      .slice(0, most.files)
      .map(async (name) => {
        const bytes = await readFile(join(folder, name)).catch(() => null)
        if (!bytes || bytes.length > most.bytes) return null
        try {
          return fingerprint(new X509Certificate(bytes).raw)
        } catch {
          return null
        }
      }),
  )
  return new Set(found.filter((each) => each !== null))
}
