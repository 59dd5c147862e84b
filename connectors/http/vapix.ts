import type { DoorMode, DoorReport } from '../../core/capability.ts'
import type { Effect, Failure } from '../../core/command.ts'
import type { ErrorCode } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'

export type Fields = { readonly [name: string]: Json | undefined }

export const isFields = (value: Json | undefined): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** DoorMode of ONVIF Door Control, which VAPIX repeats, in our words. */
const modes: { readonly [name: string]: DoorMode } = {
  Unknown: 'unknown',
  Locked: 'locked',
  Unlocked: 'unlocked',
  Accessed: 'accessed',
  Blocked: 'blocked',
  LockedDown: 'lockdown',
  LockedOpen: 'held-open',
  DoubleLocked: 'double-locked',
}

/** A DoorState in our words; only DoorMode is mandatory. `loose`: the lock itself says that it does not hold. */
export const reportIn = (
  state: Json | undefined,
): { readonly report: DoorReport; readonly loose: string | null } | null => {
  if (!isFields(state)) return null
  const { DoorMode: mode, DoorPhysicalState: physical, LockPhysicalState: bolt, Alarm: alarm } = state
  const known = typeof mode === 'string' && Object.hasOwn(modes, mode) ? modes[mode] : undefined
  if (!known) return null
  const tampered = isFields(state['Tamper']) ? state['Tamper']['State'] : undefined
  const report = {
    mode: known,
    ...(physical === 'Open' || physical === 'Closed' ? { open: physical === 'Open' } : {}),
    ...(typeof alarm === 'string' ? { forced: alarm === 'DoorForcedOpen' } : {}),
    ...(typeof tampered === 'string' ? { tampered: tampered === 'TamperDetected' } : {}),
  }
  return { report, loose: bolt === 'Unlocked' || bolt === 'Fault' ? bolt : null }
}

interface Fault {
  readonly code: ErrorCode
  readonly retry: Failure['retry']
  readonly effect: Effect
  readonly said: string
}

/** The fault codes of ONVIF Door Control, in which VAPIX words its own. */
const faults: readonly (readonly [RegExp, ErrorCode, Failure['retry'], Effect])[] = [
  [/NotAuthorized|NotAuthenticated/, 'UNAUTHORIZED', 'backoff', 'none'],
  [/NotSupported/, 'UNSUPPORTED', 'never', 'none'],
  [/InvalidArg|NotFound/, 'NOT_FOUND', 'never', 'none'],
  [/WellFormed/, 'BAD_ANSWER', 'never', 'none'],
  // Failure: the door would not, or did half of it.
  [/(?:)/, 'REFUSED', 'backoff', 'possible'],
]

/** The fault in an answer, whatever its HTTP status; the form of faults is not published, so any field that names one counts. */
export const faultIn = (fields: Fields): Fault | null => {
  const said = Object.entries(fields)
    .filter(([name, value]) => /fault|error/i.test(name) && value !== null && value !== false)
    .map(([, value]) => (typeof value === 'string' ? value : JSON.stringify(value)))
    .join(' ')
  const found = said ? faults.find(([pattern]) => pattern.test(said)) : undefined
  return found ? { code: found[1], retry: found[2], effect: found[3], said } : null
}
