import { BridgeError, type ErrorCode, errors, messageOf } from '../core/error.ts'
import type { Json } from '../core/fact.ts'

/** Where a bridge listens when its config says nothing. */
export const defaultUrl = 'http://127.0.0.1:8080'

/** How long a bridge may take to answer, ms. */
const answerMs = 10_000

/** How the API of a running bridge is reached. */
export interface Reach {
  readonly url?: string
  /** Name of the environment variable that holds the token. */
  readonly tokenEnv?: string
}

const headersOf = ({ tokenEnv }: Reach): Record<string, string> => {
  if (tokenEnv === undefined) return {}
  const token = process.env[tokenEnv]
  if (!token) throw new BridgeError('SECRET_MISSING', `the environment variable ${tokenEnv} is not set`)
  return { authorization: `Bearer ${token}` }
}

/** Asks the API; rejects with what it says went wrong, or UNREACHABLE. */
export const ask = async (reach: Reach, path: string, post?: Json): Promise<Json> => {
  const url = reach.url ?? defaultUrl
  if (!URL.canParse(path, url)) throw new BridgeError('BAD_REQUEST', `--url ${url} is no address`)
  let response: Response
  try {
    response = await fetch(new URL(path, url), {
      headers: {
        ...headersOf(reach),
        ...(post === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(answerMs),
      ...(post === undefined ? {} : { method: 'POST', body: JSON.stringify(post) }),
    })
  } catch (error) {
    if (error instanceof BridgeError) throw error
    const { cause } = error as { cause?: { code?: string } }
    const why = cause?.code ?? messageOf(cause ?? error)
    throw new BridgeError('UNREACHABLE', `no bridge answers at ${url}: ${why}`, { cause: error })
  }
  const body = (await response.json().catch(() => null)) as {
    error?: { code: string; message: string }
  } | null
  if (response.ok) return body as Json
  const { code = 'BAD_ANSWER', message = `${url} answered ${response.status}` } = body?.error ?? {}
  throw new BridgeError(code in errors ? (code as ErrorCode) : 'BAD_ANSWER', message)
}
