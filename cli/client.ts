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

/** What is sent along: a GET without it. */
interface Sent {
  readonly method: 'POST' | 'DELETE'
  readonly body?: string
  readonly type?: string
}

interface Refusal {
  readonly code: string
  readonly message: string
  readonly problems?: readonly { readonly line: number; readonly message: string }[]
}

/** What the API refused, with everything that is wrong with a list. */
export class Declined extends BridgeError {
  readonly problems: readonly { readonly line: number; readonly message: string }[]

  constructor(code: ErrorCode, { message, problems = [] }: Refusal) {
    super(code, message)
    this.problems = problems
  }
}

/** Asks the API for JSON, by a POST where there is something to say; rejects with Declined, or UNREACHABLE. */
export const ask = async (reach: Reach, path: string, post?: Json): Promise<Json> => {
  const sent = { method: 'POST', body: JSON.stringify(post), type: 'application/json' } as const
  return (await request(reach, path, post === undefined ? null : sent)).json() as Promise<Json>
}

/** Asks the API to take something back. */
export const take = async (reach: Reach, path: string): Promise<Json> =>
  (await request(reach, path, { method: 'DELETE' })).json() as Promise<Json>

/** Asks the API for a text. */
export const askText = async (reach: Reach, path: string): Promise<string> =>
  (await request(reach, path, null)).text()

/** Hands a CSV to the API. */
export const sendCsv = async (reach: Reach, path: string, body: string): Promise<Json> =>
  (await request(reach, path, { method: 'POST', body, type: 'text/csv' })).json() as Promise<Json>

const request = async (reach: Reach, path: string, sent: Sent | null): Promise<Response> => {
  const url = reach.url ?? defaultUrl
  if (!URL.canParse(path, url)) throw new BridgeError('BAD_REQUEST', `--url ${url} is no address`)
  let response: Response
  try {
    response = await fetch(new URL(path, url), {
      headers: {
        ...headersOf(reach),
        ...(sent?.type === undefined ? {} : { 'content-type': sent.type }),
      },
      signal: AbortSignal.timeout(answerMs),
      ...(sent === null ? {} : { method: sent.method }),
      ...(sent?.body === undefined ? {} : { body: sent.body }),
    })
  } catch (error) {
    if (error instanceof BridgeError) throw error
    const { cause } = error as { cause?: { code?: string } }
    const why = cause?.code ?? messageOf(cause ?? error)
    throw new BridgeError('UNREACHABLE', `no bridge answers at ${url}: ${why}`, { cause: error })
  }
  if (response.ok) return response
  const { error } = ((await response.json().catch(() => null)) ?? {}) as { error?: Refusal }
  const said = error ?? { code: 'BAD_ANSWER', message: `${url} answered ${response.status}` }
  throw new Declined(said.code in errors ? (said.code as ErrorCode) : 'BAD_ANSWER', said)
}
