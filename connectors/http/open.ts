import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { buildConnector, Client } from 'undici'
import type { Context } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Connections } from './connections.ts'
import { Digest } from './digest.ts'
import type { Config } from './index.ts'

// By file: all of undici are 110 files with its fetch, cache and mocks, half of the processor time until a link is open.
const load = createRequire(import.meta.url)
const ClientOfUndici: typeof Client = load('undici/lib/dispatcher/client.js')
const connectorOf: typeof buildConnector = load('undici/lib/core/connect.js')

export interface Login {
  readonly headers: readonly string[]
  readonly digest: Digest | null
  /** Texts that must never be told. */
  readonly secrets: readonly string[]
}

/** Resolves the credentials; what they are never leaves the headers. */
export const loginOf = async ({ auth }: Config, ctx: Context): Promise<Login> => {
  if (!auth) return { headers: [], digest: null, secrets: [] }
  if ('digest' in auth) {
    const password = await ctx.secret(auth.digest.password)
    return { headers: [], digest: new Digest(auth.digest.username, password), secrets: told(password) }
  }
  if ('basic' in auth) {
    const { username } = auth.basic
    const password = await ctx.secret(auth.basic.password)
    const token = Buffer.from(`${username}:${password}`).toString('base64')
    return { headers: ['authorization', `Basic ${token}`], digest: null, secrets: told(password, token) }
  }
  const [name, prefix, ref] =
    'bearer' in auth ? ['authorization', 'Bearer ', auth.bearer] : [auth.header.name, '', auth.header.value]
  const value = await ctx.secret(ref)
  if (/[^ -~]/.test(value))
    throw new BridgeError('SECRET_MISSING', `the secret for header ${name} holds more than printable ASCII`)
  return { headers: [name, prefix + value], digest: null, secrets: told(value) }
}

/** Without the empty text, which is in everything. */
const told = (...secrets: string[]): string[] => secrets.filter((secret) => secret.length > 0)

/** What is needed to dial, with certificates read. */
export type Dialling = buildConnector.BuildOptions & { timeout: number }

export const diallingOf = async ({ tls, timeout }: Config): Promise<Dialling> => ({
  timeout,
  allowH2: false,
  ...(tls?.ca ? { ca: await pem(tls.ca) } : {}),
  ...(tls?.cert ? { cert: await pem(tls.cert) } : {}),
  ...(tls?.key ? { key: await pem(tls.key) } : {}),
  ...(tls?.['server-name'] ? { servername: tls['server-name'] } : {}),
})

const pem = async (path: string): Promise<Buffer> => {
  try {
    return await readFile(path)
  } catch (error) {
    throw new BridgeError('SECRET_MISSING', `can't read ${path}: ${messageOf(error)}`, { cause: error })
  }
}

export const connectionsTo = (origin: string, config: Config, dialling: Dialling): Connections => {
  // One for all of them: it remembers their TLS sessions.
  const connect = connectorOf(dialling)
  return new Connections(
    config.connections,
    () =>
      new ClientOfUndici(origin, {
        pipelining: 1,
        // HTTP/2 would put all commands on one connection, where one stalled answer holds up the others' bytes.
        allowH2: false,
        headersTimeout: config.timeout,
        bodyTimeout: config.timeout,
        connect,
      }),
  )
}

/** Connects and hangs up: proves address, port and certificate. */
export const dial = (origin: string, dialling: Dialling): Promise<void> =>
  new Promise((resolve, reject) => {
    const { hostname, host, protocol, port } = new URL(origin)
    connectorOf(dialling)({ hostname, host, protocol, port }, (error, socket) => {
      if (!error) {
        socket?.destroy()
        return resolve()
      }
      const { code } = error as NodeJS.ErrnoException
      reject(
        new BridgeError('UNREACHABLE', `no connection to ${origin}: ${code ?? messageOf(error)}`, {
          cause: error,
        }),
      )
    })
  })
