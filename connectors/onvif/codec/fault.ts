import type { Effect, Failure, Outcome } from '../../../core/command.ts'
import { failed } from '../../../core/command.ts'
import type { ErrorCode } from '../../../core/error.ts'
import { BridgeError, messageOf } from '../../../core/error.ts'

/** An error of this connector: also says whether trying again can help, and whether the device may have acted. */
export class OnvifError extends BridgeError {
  readonly retry: Failure['retry']
  readonly effect: Effect

  constructor(
    code: ErrorCode,
    message: string,
    more: { retry?: Failure['retry']; effect?: Effect; cause?: unknown } = {},
  ) {
    super(code, message, { cause: more.cause })
    this.retry = more.retry ?? 'backoff'
    this.effect = more.effect ?? 'none'
  }
}

/** A SOAP 1.2 fault: the codes from the outermost inwards, prefixes left out. */
export interface Fault {
  readonly codes: readonly string[]
  readonly reason: string
}

const refusals: readonly (readonly [RegExp, ErrorCode, Failure['retry']])[] = [
  // ONVIF Core 5.9.4.2 and WS-Security 1.1, 12. An account may be unlocked again: not `never`.
  [
    /^(NotAuthorized|SenderNotAuthorized|FailedAuthentication|InvalidSecurity(Token)?)$/,
    'UNAUTHORIZED',
    'backoff',
  ],
  [/^(ActionNotSupported|OptionalActionNotImplemented)$/, 'UNSUPPORTED', 'never'],
  [/^(NotFound|InvalidArgVal)$/, 'NOT_FOUND', 'never'],
]

export const checkLogin = 'check user, password and the rights of the account'

/** What a fault means for us. A fault of the sender was refused unread; one of the receiver may have moved something. */
export const errorOfFault = (what: string, { codes, reason }: Fault): OnvifError => {
  const effect: Effect = codes[0] === 'Sender' ? 'none' : 'possible'
  const said = `the device refused ${what}: ${[...codes.slice(1), reason].filter(Boolean).join(', ') || codes[0]}`
  for (const [pattern, code, retry] of refusals)
    if (codes.some((name) => pattern.test(name)))
      return new OnvifError(code, code === 'UNAUTHORIZED' ? `${said}: ${checkLogin}` : said, { retry })
  return new OnvifError('REFUSED', said, { effect })
}

/** Any error as the outcome of an attempt; `effect` overrides where the caller knows better. */
export const outcomeOf = (error: unknown, effect?: Effect): Outcome => {
  if (error instanceof OnvifError)
    return failed(error.code, error.message, { retry: error.retry, effect: effect ?? error.effect })
  if (error instanceof BridgeError) return failed(error.code, error.message, { effect: effect ?? 'possible' })
  return failed('CRASHED', messageOf(error), { effect: effect ?? 'possible' })
}
