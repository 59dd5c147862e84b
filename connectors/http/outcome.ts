import { failed, type Outcome } from '../../core/command.ts'
import { type Ended, GivenUp, TooLarge } from './exchange.ts'
import type { HttpServer } from './server.ts'

/** A server may ask us to wait, but for no longer than this with people waiting for help, ms. */
const waitMax = 60_000

type Answered = Extract<Ended, { is: 'answered' }>
type Broken = Extract<Ended, { is: 'broken' }>

/** Of a reading: it moves nothing, however it ended. */
export const harmless = (outcome: Outcome): Outcome => (outcome.ok ? outcome : { ...outcome, effect: 'none' })

export const messageIn = (outcome: Outcome): string => (outcome.ok ? '' : outcome.failure.message)

/** The outcome of a request that got no whole answer. */
export const outcomeOfBroken = ({ error, started }: Broken, what: string, server: HttpServer): Outcome => {
  const at = `${what} at ${server.origin}`
  const effect = started ? 'possible' : 'none'
  const { code = '', message } = error as Error & { code?: string }
  if (error instanceof GivenUp)
    return started
      ? failed('TIMEOUT', `${at}: no answer in time`, { effect })
      : failed('ABORTED', `${at}: given up before it was sent`)
  if (error instanceof TooLarge) return failed('BAD_ANSWER', `${at}: ${message}`, { effect })
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT')
    return failed('TIMEOUT', `${at}: no answer in time`, { effect })
  if (error.name === 'HTTPParserError' || /^UND_ERR_(HEADERS_OVERFLOW|RES_)/.test(code))
    return failed('BAD_ANSWER', `${at}: not HTTP (${message})`, { effect })
  if (code === 'UND_ERR_INVALID_ARG') return failed('INVALID_ARGS', `${at}: ${message}`, { retry: 'never' })
  // Messages of sockets and of TLS name hosts and certificates only.
  return failed(
    'UNREACHABLE',
    `${at}: ${started ? 'broken off' : 'no connection'} (${code || message})`.slice(0, 300),
    {
      effect,
    },
  )
}

/** The outcome of an answer that is no success. */
export const outcomeOfStatus = (answer: Answered, what: string, server: HttpServer, now: number): Outcome => {
  const { status, headers, body } = answer
  const said = server.said(body)
  const message = `${what} at ${server.origin}: ${status}${said ? ` "${said}"` : ''}`
  if (status === 401 || status === 403) return failed('UNAUTHORIZED', message)
  if (status === 404) return failed('NOT_FOUND', message, { retry: 'never' })
  if (status === 429 || status === 503) {
    const afterMs = waitOf(headers['retry-after'], now)
    return failed('BUSY', message, {
      retry: afterMs === null ? 'backoff' : { afterMs },
      // A 429 was not looked at (RFC 6585, 4); a 503 may come from something in between.
      effect: status === 429 ? 'none' : 'possible',
    })
  }
  if (status >= 500) return failed('REFUSED', message, { effect: 'possible' })
  // 408: the server did not get the whole request (RFC 9110, 15.5.9).
  if (status === 408) return failed('TIMEOUT', message)
  if (status >= 400) return failed('REFUSED', message, { retry: 'never' })
  if (status >= 300)
    return failed('REFUSED', `${message}: redirects are not followed, write the final URL into the config`)
  return failed('REFUSED', message, { effect: 'possible' })
}

/** Retry-After in ms (RFC 9110, 10.2.3): seconds or a date; null when there is none. */
const waitOf = (header: string | string[] | undefined, now: number): number | null => {
  if (typeof header !== 'string') return null
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), waitMax) : null
}
