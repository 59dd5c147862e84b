import type { DoorMode, DoorReport } from '../../core/capability.ts'
import { done, failed, type Outcome } from '../../core/command.ts'
import type { Context } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { readBack } from './confirm.ts'
import { valueIn } from './exchange.ts'
import { harmless, messageIn, outcomeOfBroken, outcomeOfStatus } from './outcome.ts'
import type { Act, HttpOrder } from './request.ts'
import type { HttpServer } from './server.ts'
import { type Fields, faultIn, isFields, reportIn } from './vapix.ts'

/** How long a door has to report what it was told, and how often it is asked, ms. */
const patience = { within: 3_000, every: 200 }

const opened: readonly DoorMode[] = ['unlocked', 'accessed', 'held-open']
const secured: readonly DoorMode[] = ['locked', 'double-locked']

type Failed = { readonly ok: false; readonly outcome: Outcome }
type Answer = { readonly ok: true; readonly fields: Fields } | Failed
type Read = { readonly ok: true; readonly report: DoorReport; readonly loose: string | null } | Failed

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
      const read = await this.#state(order)
      return read.ok ? done('confirmed', read.report as Json) : read.outcome
    },
    'door.secure': (order) =>
      // A lockdown holds the door as well; one that isn't ours is not ours to weaken.
      this.#set(order, 'LockDoor', (mode) => secured.includes(mode) || mode === 'lockdown'),
    'door.lockdown': (order) => this.#set(order, 'LockDownDoor', (mode) => mode === 'lockdown'),
    'door.release': (order) => this.#release(order),
  }

  /** What the controller says that the door can do; rejects with UNSUPPORTED where it can't be locked at all. */
  async abilities(order: HttpOrder): Promise<string[]> {
    const answer = await this.#call(order, 'GetDoorInfoList')
    const list = answer.ok ? answer.fields['DoorInfo'] : undefined
    const token = order.address.values['token']
    const door = (Array.isArray(list) ? list : []).find((info) => isFields(info) && info['token'] === token)
    // An older firmware may not give the list; the state that was read already proves the door.
    if (!door) return []
    const able = isFields(door.Capabilities) ? Object.entries(door.Capabilities) : []
    const names = able.filter(([, can]) => can === true).map(([name]) => name)
    if (names.includes('Lock') || names.includes('LockDown')) return names
    const at = `door ${token} at ${this.#server.origin}`
    throw new BridgeError(
      'UNSUPPORTED',
      `${at} has neither Lock nor LockDown; configure it on the controller`,
    )
  }

  async #state(order: HttpOrder): Promise<Read> {
    const answer = await this.#call(order, 'GetDoorState')
    if (!answer.ok) return { ok: false, outcome: harmless(answer.outcome) }
    const read = reportIn(answer.fields['DoorState'])
    if (read) return { ok: true, ...read }
    return {
      ok: false,
      outcome: failed('BAD_ANSWER', `GetDoorState at ${this.#server.origin}: no DoorMode in it`),
    }
  }

  /** One operation on the door of the order; what isn't a success, a fault in a 200 included, is an outcome. */
  async #call(order: HttpOrder, operation: string): Promise<Answer> {
    const args = operation === 'GetDoorInfoList' ? {} : { Token: String(order.address.values['token'] ?? '') }
    const sending = {
      method: 'POST' as const,
      path: `${this.#server.base}/vapix/doorcontrol`,
      headers: [...this.#server.headers, 'content-type', 'application/json'],
      body: JSON.stringify({ [`tdc:${operation}`]: args }),
    }
    const ended = await this.#server.send(sending, order.signal, true)
    if (ended.is === 'broken') return { ok: false, outcome: outcomeOfBroken(ended, operation, this.#server) }
    const value = valueIn(ended.body)
    const at = `${operation} at ${this.#server.origin}`
    const fault = isFields(value) ? faultIn(value) : null
    if (fault) {
      const { code, retry, effect, said } = fault
      return { ok: false, outcome: failed(code, `${at}: ${this.#server.said(said)}`, { retry, effect }) }
    }
    if (ended.status !== 200)
      return { ok: false, outcome: outcomeOfStatus(ended, operation, this.#server, this.#ctx.clock.now()) }
    if (isFields(value)) return { ok: true, fields: value }
    const message = `${at}: not VAPIX: "${this.#server.said(ended.body)}"`
    return { ok: false, outcome: failed('BAD_ANSWER', message, { effect: 'possible' }) }
  }

  /** Commands one operation, then asks until the door reports what it should. */
  async #set(order: HttpOrder, operation: string, reached: (mode: DoorMode) => boolean): Promise<Outcome> {
    const answer = await this.#call(order, operation)
    if (!answer.ok) return answer.outcome
    // Success is the empty object; anything else answers something else. The door itself is asked all the same.
    const strange = Object.keys(answer.fields).length > 0 ? ' (a strange answer)' : ''
    const locks = operation === 'LockDoor' || operation === 'LockDownDoor'
    const what = `${operation} at ${this.#server.origin}${strange}`
    return readBack(this.#ctx.clock, patience, order.signal, what, async (signal) => {
      const read = await this.#state({ ...order, signal })
      if (!read.ok) return messageIn(read.outcome)
      if (!reached(read.report.mode)) return `the door reports ${read.report.mode}`
      if (locks && read.loose) return `the door reports ${read.report.mode}, but its lock ${read.loose}`
      return done('confirmed', read.report as Json)
    })
  }

  /**
   * Withdraws our override and nothing else: a lockdown that was there before us, or that somebody else set over
   * our lock, stays. The door is read first, so that a repeat does nothing.
   */
  async #release(order: HttpOrder): Promise<Outcome> {
    const { from, before } = order.args as { from: 'secure' | 'lockdown'; before: DoorMode }
    const first = await this.#state(order)
    if (!first.ok) return first.outcome
    let report = first.report
    if (report.mode === 'lockdown' && from === 'lockdown' && before !== 'lockdown') {
      const released = await this.#set(order, 'LockDownReleaseDoor', (mode) => mode !== 'lockdown')
      if (!released.ok) return released
      report = released.result as unknown as DoorReport
    }
    // After a release the mode is the device's choice, "typically Locked" (ONVIF Door Control, LockDownReleaseDoor).
    if (before !== 'unlocked' || !secured.includes(report.mode)) return done('confirmed', report as Json)
    const unlocked = await this.#set(order, 'UnlockDoor', (mode) => opened.includes(mode))
    // The lockdown may be gone already.
    return unlocked.ok || report === first.report ? unlocked : { ...unlocked, effect: 'possible' }
  }
}
