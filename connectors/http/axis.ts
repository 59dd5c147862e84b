import type { DoorMode, DoorReport } from '../../core/capability.ts'
import { sleep } from '../../core/clock.ts'
import { done, type Effect, type Failure, failed, type Outcome } from '../../core/command.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError, type ErrorCode } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { valueIn } from './exchange.ts'
import { outcomeOfBroken, outcomeOfStatus } from './outcome.ts'
import type { Act, HttpOrder } from './request.ts'
import type { HttpServer } from './server.ts'

/** How long a door has to report what it was told, and how often it is asked, ms. */
const withinMs = 3_000
const everyMs = 200

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

const open: readonly DoorMode[] = ['unlocked', 'accessed', 'held-open']
const secured: readonly DoorMode[] = ['locked', 'double-locked']

type Fields = { readonly [name: string]: Json | undefined }
type Answer =
  | { readonly ok: true; readonly fields: Fields }
  | { readonly ok: false; readonly outcome: Outcome }
type Read =
  | { readonly ok: true; readonly report: DoorReport }
  | { readonly ok: false; readonly outcome: Outcome }

/** Doors of controllers with Axis VAPIX: POST /vapix/doorcontrol. */
export class AxisDoors {
  readonly #server: HttpServer
  readonly #ctx: Context

  constructor(server: HttpServer, ctx: Context) {
    this.#server = server
    this.#ctx = ctx
  }

  readonly acts: { readonly [capability: string]: Act } = {
    'door.state': async (order) => {
      const read = await this.state(order)
      return read.ok ? done('confirmed', read.report as Json) : read.outcome
    },
    'door.secure': (order) => this.#set(order, 'LockDoor', (mode) => secured.includes(mode)),
    'door.lockdown': (order) => this.#set(order, 'LockDownDoor', (mode) => mode === 'lockdown'),
    'door.release': (order) => this.#release(order),
  }

  async state(order: HttpOrder): Promise<Read> {
    const answer = await this.call(order, 'GetDoorState')
    if (!answer.ok) return answer
    const report = reportOf(answer.fields['DoorState'])
    if (report) return { ok: true, report }
    return {
      ok: false,
      outcome: failed('BAD_ANSWER', `door.state at ${this.#server.origin}: no DoorMode in it`),
    }
  }

  /** What the controller says that the door can do; rejects with UNSUPPORTED where it can't be locked at all. */
  async abilities(order: HttpOrder): Promise<string[]> {
    const answer = await this.call(order, 'GetDoorInfoList')
    const list = answer.ok ? answer.fields['DoorInfo'] : undefined
    const token = order.address.values['token']
    const door = (Array.isArray(list) ? (list as Fields[]) : []).find((info) => info?.['token'] === token)
    // An older firmware may not give the list; the state that was read already proves the door.
    if (!door) return []
    const able = Object.entries((door['Capabilities'] ?? {}) as Fields)
    const names = able.filter(([, can]) => can === true).map(([name]) => name)
    if (!names.includes('Lock') && !names.includes('LockDown'))
      throw new BridgeError(
        'UNSUPPORTED',
        `door ${token} at ${this.#server.origin} has neither Lock nor LockDown`,
      )
    return names
  }

  /** One operation on the door of the order; what isn't a success, a fault in a 200 included, is an outcome. */
  async call(order: HttpOrder, operation: string): Promise<Answer> {
    const token = String(order.address.values['token'] ?? '')
    const args = operation === 'GetDoorInfoList' ? {} : { Token: token }
    const sending = {
      method: 'POST' as const,
      path: `${this.#server.base}/vapix/doorcontrol`,
      headers: [...this.#server.headers, 'content-type', 'application/json'],
      body: JSON.stringify({ [`tdc:${operation}`]: args }),
    }
    const ended = await this.#server.send(sending, order.signal, true)
    if (ended.is === 'broken') return { ok: false, outcome: outcomeOfBroken(ended, operation, this.#server) }
    const value = valueIn(ended.body)
    const fields =
      typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
    const fault = fields && faultOf(fields, `${operation} of ${token} at ${this.#server.origin}`)
    if (fault) return { ok: false, outcome: fault }
    if (ended.status !== 200)
      return { ok: false, outcome: outcomeOfStatus(ended, operation, this.#server, this.#ctx.clock.now()) }
    if (fields) return { ok: true, fields }
    const message = `${operation} at ${this.#server.origin}: not VAPIX: "${this.#server.said(ended.body)}"`
    return { ok: false, outcome: failed('BAD_ANSWER', message, { effect: effectOf(operation) }) }
  }

  /** Commands one operation, then asks until the door reports what it should. */
  async #set(order: HttpOrder, operation: string, reached: (mode: DoorMode) => boolean): Promise<Outcome> {
    const answer = await this.call(order, operation)
    if (!answer.ok) return answer.outcome
    // Success is the empty object; anything else is an answer to something else. The door itself is asked all the same.
    const strange = Object.keys(answer.fields).length > 0
    const { clock } = this.#ctx
    const until = clock.mono() + withinMs
    for (let last = ''; ; ) {
      const read = await this.state(order)
      if (read.ok && reached(read.report.mode)) return done('confirmed', read.report as Json)
      last = read.ok ? `the door reports ${read.report.mode}` : messageIn(read.outcome)
      if (order.signal.aborted || clock.mono() + everyMs > until)
        return failed(
          'UNCONFIRMED',
          `${operation} at ${this.#server.origin}: NOT confirmed${strange ? ', a strange answer' : ''}: ${last}`,
          { effect: 'possible' },
        )
      await sleep(clock, everyMs, order.signal)
    }
  }

  /**
   * Withdraws our override and nothing else: a lockdown that was there before us, or that somebody else set over
   * our lock, stays. The door is read first, so that a repeat does nothing.
   */
  async #release(order: HttpOrder): Promise<Outcome> {
    const { from, before } = order.args as { from: 'secure' | 'lockdown'; before: DoorMode }
    const first = await this.state(order)
    if (!first.ok) return first.outcome
    let report = first.report
    if (report.mode === 'lockdown' && from === 'lockdown' && before !== 'lockdown') {
      const released = await this.#set(order, 'LockDownReleaseDoor', (mode) => mode !== 'lockdown')
      if (!released.ok) return released
      report = released.result as unknown as DoorReport
    }
    // After a release the mode is the device's choice, "typically Locked" (ONVIF Door Control, LockDownReleaseDoor).
    if (before !== 'unlocked' || !secured.includes(report.mode)) return done('confirmed', report as Json)
    const unlocked = await this.#set(order, 'UnlockDoor', (mode) => open.includes(mode))
    // The lockdown may be gone already.
    return unlocked.ok || report === first.report ? unlocked : { ...unlocked, effect: 'possible' }
  }
}

const messageIn = (outcome: Outcome): string => (outcome.ok ? '' : outcome.failure.message)

/** Reading moves nothing. */
const effectOf = (operation: string): Effect => (operation.startsWith('Get') ? 'none' : 'possible')

const reportOf = (state: Json | undefined): DoorReport | null => {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return null
  const { DoorMode: mode, DoorPhysicalState: physical, Alarm: alarm, Tamper: tamper } = state as Fields
  const known = typeof mode === 'string' && Object.hasOwn(modes, mode) ? modes[mode] : undefined
  if (!known) return null
  const tampered = (tamper as Fields | null | undefined)?.['State']
  return {
    mode: known,
    ...(physical === 'Open' || physical === 'Closed' ? { open: physical === 'Open' } : {}),
    ...(typeof alarm === 'string' ? { forced: alarm === 'DoorForcedOpen' } : {}),
    ...(typeof tampered === 'string' ? { tampered: tampered === 'TamperDetected' } : {}),
  }
}

/** What SOAP faults of door control mean (ONVIF Core, 5.11.2.3); VAPIX sends them as JSON, some firmware with status 200. */
const faults: readonly (readonly [RegExp, ErrorCode, Failure['retry'], Effect])[] = [
  [/NotAuthorized|NotAuthenticated/, 'UNAUTHORIZED', 'backoff', 'none'],
  [/ActionNotSupported|NotSupported/, 'UNSUPPORTED', 'never', 'none'],
  [/InvalidArg|NotFound/, 'NOT_FOUND', 'never', 'none'],
  [/WellFormed/, 'BAD_ANSWER', 'never', 'none'],
]

const faultOf = (fields: Fields, at: string): Outcome | null => {
  const said = Object.entries(fields)
    .filter(([name, value]) => /fault|error/i.test(name) && value !== null && value !== false)
    .map(([, value]) => (typeof value === 'string' ? value : JSON.stringify(value)))
    .join(' ')
  if (!said) return null
  const message = `${at}: ${said.replace(/[^ -~]+/g, ' ').slice(0, 160)}`
  const [, code, retry, effect] = faults.find(([pattern]) => pattern.test(said)) ?? []
  return failed(code ?? 'REFUSED', message, { retry: retry ?? 'backoff', effect: effect ?? 'possible' })
}
