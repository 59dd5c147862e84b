import type { FastifyReply } from 'fastify'
import { BridgeError, type ErrorCode, errors } from '../core/error.ts'
import type { LineProblem } from './register-csv.ts'

/** The one shape of everything that goes wrong. */
export interface Failure {
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    /** What to do about it. */
    readonly do: string
    /** For NOT_RECORDED: what was asked for is in effect all the same. */
    readonly inEffect?: true
    /** Everything that is wrong with a list, by line. */
    readonly problems?: readonly LineProblem[]
  }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  INVALID_ARGS: 400,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  UNKNOWN_INCIDENT: 404,
  UNKNOWN_DEVICE: 404,
  CONFLICT: 409,
  TOO_LARGE: 413,
  TOO_BUSY: 429,
  NOT_RECORDED: 503,
  LINK_DOWN: 503,
  STORE_FAILED: 503,
}

/** An error of ours with the status that fits it better than the one of its code. */
export class Refused extends BridgeError {
  readonly status: number
  readonly advice: string | null
  readonly problems: readonly LineProblem[] | null

  constructor(
    code: ErrorCode,
    message: string,
    more: { status?: number; advice?: string; problems?: readonly LineProblem[] } = {},
  ) {
    super(code, message)
    this.status = more.status ?? statuses[code] ?? 500
    this.advice = more.advice ?? null
    this.problems = more.problems ?? null
  }
}

const unexpected = 'something failed that should not; the log says what'

/** What Fastify itself refuses, in our codes; its messages name fields and limits, never values. */
const ofFastify: Readonly<Record<string, [number, ErrorCode]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'TOO_LARGE'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'BAD_REQUEST'],
}

/** The status and the body for anything thrown. Never a stack, never a secret. */
export const failureOf = (error: unknown): { status: number; failure: Failure } => {
  if (error instanceof BridgeError) {
    const { code, message } = error
    const refused = error instanceof Refused ? error : null
    const failure = bodyOf(code, message, refused?.advice ?? null, refused?.problems ?? null)
    return { status: refused?.status ?? statuses[code] ?? 500, failure }
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string }
  const known = ofFastify[code ?? '']
  if (known) return { status: known[0], failure: bodyOf(known[1], message ?? '') }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { status: statusCode, failure: bodyOf('BAD_REQUEST', message ?? 'not a valid request') }
  return { status: 500, failure: bodyOf('CRASHED', unexpected) }
}

const bodyOf = (
  code: ErrorCode,
  message: string,
  advice: string | null = null,
  problems: readonly LineProblem[] | null = null,
): Failure => ({
  error: {
    code,
    message: message.slice(0, 500),
    do: advice ?? errors[code].do,
    ...(code === 'NOT_RECORDED' ? { inEffect: true } : {}),
    ...(problems === null ? {} : { problems }),
  },
})

export const refuse = (reply: FastifyReply, error: unknown): FastifyReply => {
  const { status, failure } = failureOf(error)
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 429) reply.header('retry-after', '1')
  return reply.code(status).type('application/json; charset=utf-8').send(failure)
}

/** The answer to bytes that are not HTTP: there is no request yet, so it is written out by hand. */
export const rawRefusal = (code: string): string => {
  const [status, text, about] =
    code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'the headers are larger than 16 KiB']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'the request did not arrive in time']
        : [400, 'Bad Request', 'this is not HTTP']
  const body = JSON.stringify(bodyOf(status === 431 ? 'TOO_LARGE' : 'BAD_REQUEST', about))
  return `HTTP/1.1 ${status} ${text}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}
