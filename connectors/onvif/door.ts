import type { DoorMode } from '../../core/capability.ts'
import { type Clock, sleep } from '../../core/clock.ts'
import { done, failed, type Order, type Outcome } from '../../core/command.ts'
import { messageOf } from '../../core/error.ts'
import {
  type DoorCommand,
  type DoorInfo,
  type DoorReading,
  doorCommand,
  getDoorInfoList,
  getDoorState,
} from './codec/door.ts'
import { OnvifError, outcomeOf } from './codec/fault.ts'
import type { Device } from './device.ts'
import { type Output, readBackMs } from './index.ts'

/** How often a door is read while we wait for it to follow, ms. */
const readEveryMs = 200
/** A controller with more doors than this is one that pages in circles. */
const mostPages = 100

type Wanted = (reading: DoorReading) => boolean

const modeIs =
  (...modes: readonly DoorMode[]): Wanted =>
  ({ report, lock }) =>
    modes.includes(report.mode) && lock !== 'unlocked' && lock !== 'fault'

const secured = modeIs('locked', 'double-locked', 'lockdown')
const lockedDown = modeIs('lockdown')

/** The doors of one controller. Success is what the door reports: an empty answer proves nothing. */
export class Doors {
  readonly #device: Device
  readonly #clock: Clock
  #list: readonly DoorInfo[] | null = null

  constructor(device: Device, clock: Clock) {
    this.#device = device
    this.#clock = clock
  }

  /** Reads the list of doors; null where the controller has none to give. */
  async list(signal?: AbortSignal): Promise<readonly DoorInfo[] | null> {
    const doors: DoorInfo[] = []
    let start: string | null = null
    try {
      for (let page = 0; page < mostPages; page++) {
        const got: { doors: readonly DoorInfo[]; next: string | null } = await this.#device.ask(
          getDoorInfoList(start),
          { signal },
        )
        doors.push(...got.doors)
        if (got.next === null || got.next === start) break
        start = got.next
      }
      this.#list = doors
    } catch (error) {
      if (!(error instanceof OnvifError) || !['UNSUPPORTED', 'REFUSED'].includes(error.code)) throw error
      this.#list = null
    }
    return this.#list
  }

  /** Throws what is wrong with a door, before anything is asked of it: no such token, or no such capability. */
  async demand(token: string, capability: string | null, signal?: AbortSignal): Promise<void> {
    const known = () => this.#list?.find((door) => door.token === token)
    // It may have been added since the list was read.
    if (known() === undefined && this.#list !== null) await this.list(signal)
    if (this.#list === null) return
    const door = known()
    if (door === undefined)
      throw new OnvifError(
        'NOT_FOUND',
        `${this.#device.host} has no door ${token}; it has ${this.#tokens()}`,
        {
          retry: 'never',
        },
      )
    if (capability !== null && !door.can.has(capability))
      throw new OnvifError('UNSUPPORTED', `door ${token} cannot ${capability}: its controller says so`, {
        retry: 'never',
      })
  }

  #tokens(): string {
    const tokens = (this.#list ?? []).map((door) => door.token)
    return tokens.length === 0 ? 'none' : tokens.slice(0, 20).join(', ') + (tokens.length > 20 ? ' …' : '')
  }

  read(token: string, signal?: AbortSignal, timeoutMs?: number): Promise<DoorReading> {
    return this.#device.ask(getDoorState(token), { signal, timeoutMs })
  }

  async state({ address, signal }: Order<Output, unknown>): Promise<Outcome> {
    try {
      return done('confirmed', (await this.read(tokenOf(address), signal)).report)
    } catch (error) {
      return outcomeOf(error, 'none')
    }
  }

  secure({ address, signal }: Order<Output, unknown>): Promise<Outcome> {
    return this.#set(tokenOf(address), 'LockDoor', 'Lock', secured, signal)
  }

  lockdown({ address, signal }: Order<Output, unknown>): Promise<Outcome> {
    return this.#set(tokenOf(address), 'LockDownDoor', 'LockDown', lockedDown, signal)
  }

  /**
   * Withdraws our override. What was there before our first lock stays: a lockdown of somebody else is not ours to
   * lift, and a door is unlocked only where its own schedule had it unlocked before we came.
   */
  async release({ address, args, signal }: Order<Output, Release>): Promise<Outcome> {
    const token = tokenOf(address)
    let reading: DoorReading
    try {
      reading = await this.read(token, signal)
    } catch (error) {
      return outcomeOf(error, 'none')
    }
    if (reading.report.mode === 'unknown')
      return failed('UNCONFIRMED', `NOT confirmed: door ${token} does not know its mode; nothing was sent`)
    if (reading.report.mode === 'lockdown') {
      if (args.from !== 'lockdown' || args.before === 'lockdown') return done('confirmed', reading.report)
      const lifted = await this.#set(token, 'LockDownReleaseDoor', 'LockDown', notLockedDown, signal)
      if (!lifted.ok) return lifted
      // The mode after a release is not defined ("typically Locked", doorcontrol.wsdl): it was read back.
      const { mode } = lifted.result as { mode: DoorMode }
      if (args.before !== 'unlocked' || mode !== 'locked') return lifted
      const opened = await this.#set(token, 'UnlockDoor', 'Unlock', unlocked, signal)
      // The lockdown is gone already.
      return opened.ok ? opened : { ...opened, effect: 'possible' }
    } else if (args.before !== 'unlocked' || reading.report.mode !== 'locked') {
      return done('confirmed', reading.report)
    }
    return this.#set(token, 'UnlockDoor', 'Unlock', unlocked, signal)
  }

  /** One command, then the door read until it is as wanted, or until time is up. */
  async #set(
    token: string,
    command: DoorCommand,
    capability: string,
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<Outcome> {
    try {
      await this.demand(token, capability, signal)
    } catch (error) {
      return outcomeOf(error, 'none')
    }
    if (signal.aborted) return failed('ABORTED', `given up before ${command} was sent to door ${token}`)
    try {
      await this.#device.ask(doorCommand(command, token), { signal })
    } catch (error) {
      // A refusal of what has already come about (by us, or by somebody else) is none.
      const refused = error instanceof OnvifError && error.code === 'REFUSED'
      const reading = refused ? await this.read(token, signal).catch(() => null) : null
      return reading !== null && wanted(reading) ? done('confirmed', reading.report) : outcomeOf(error)
    }
    return this.#readBack(token, wanted, signal)
  }

  async #readBack(token: string, wanted: Wanted, signal: AbortSignal): Promise<Outcome> {
    const end = this.#clock.mono() + readBackMs
    let seen = 'nothing'
    for (;;) {
      const left = Math.max(readEveryMs, end - this.#clock.mono())
      try {
        const reading = await this.read(token, signal, left)
        if (wanted(reading)) return done('confirmed', reading.report)
        seen = `${reading.report.mode}${reading.lock === 'unknown' ? '' : `, its lock ${reading.lock}`}`
      } catch (error) {
        seen = `nothing (${messageOf(error)})`
      }
      if (signal.aborted || this.#clock.mono() + readEveryMs > end) break
      await sleep(this.#clock, readEveryMs, signal)
    }
    return failed('UNCONFIRMED', `NOT confirmed: door ${token} reports ${seen}`, { effect: 'possible' })
  }
}

interface Release {
  readonly from: 'secure' | 'lockdown'
  readonly before: DoorMode
}

const notLockedDown: Wanted = ({ report }) => report.mode !== 'lockdown' && report.mode !== 'unknown'
const unlocked: Wanted = ({ report }) => ['unlocked', 'accessed', 'held-open'].includes(report.mode)

const tokenOf = ({ token }: Output): string => token ?? ''
