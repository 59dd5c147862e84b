import type { DoorMode, DoorReport } from '../../../core/capability.ts'
import { BridgeError } from '../../../core/error.ts'
import { type Call, call, element, nothing } from './call.ts'
import { all, attributeOf, booleanOf, one, textOf, type Xml } from './xml.ts'

/** A door as its controller lists it. */
export interface DoorInfo {
  readonly token: string
  readonly name: string
  /** Names of the capabilities that are true: Lock, Unlock, LockDown, DoorMonitor and so on. */
  readonly can: ReadonlySet<string>
}

export interface DoorPage {
  readonly doors: readonly DoorInfo[]
  /** Where the next page begins; null on the last. */
  readonly next: string | null
}

/** How many doors to ask for at once; a device may give fewer. */
const pageSize = 100

export const getDoorInfoList = (start: string | null): Call<DoorPage> =>
  call(
    'doorControl',
    'GetDoorInfoList',
    element('Limit', String(pageSize)) + (start === null ? '' : element('StartReference', start)),
    (answer) => ({
      doors: all(answer, 'DoorInfo').flatMap((listed) => {
        const token = attributeOf(listed, 'token')
        return token ? [{ token, name: textOf(listed, 'Name') ?? '', can: capabilitiesOf(listed) }] : []
      }),
      next: textOf(answer, 'NextStartReference') || null,
    }),
  )

const capabilitiesOf = (listed: Xml): ReadonlySet<string> => {
  const found = one(listed, 'Capabilities')
  if (found === undefined || typeof found === 'string') return new Set()
  const names = Object.keys(found).filter((name) => name.startsWith('@'))
  return new Set(names.map((name) => name.slice(1)).filter((name) => booleanOf(attributeOf(found, name))))
}

/** DoorMode of doorcontrol.wsdl in our words; what we don't know is unknown, never a guess. */
const modes: ReadonlyMap<string, DoorMode> = new Map([
  ['Locked', 'locked'],
  ['Unlocked', 'unlocked'],
  ['Accessed', 'accessed'],
  ['Blocked', 'blocked'],
  ['LockedDown', 'lockdown'],
  ['LockedOpen', 'held-open'],
  ['DoubleLocked', 'double-locked'],
])

/** What a door says of itself, and what the sensor in its lock says where there is one. */
export interface DoorReading {
  readonly report: DoorReport
  /** `unlocked` and `fault` contradict a mode that claims to be locked. */
  readonly lock: 'locked' | 'unlocked' | 'fault' | 'unknown'
}

export const getDoorState = (token: string): Call<DoorReading> =>
  call('doorControl', 'GetDoorState', element('Token', token), (answer) => {
    const state = one(answer, 'DoorState')
    const mode = textOf(state, 'DoorMode')
    if (mode === undefined) throw new BridgeError('BAD_ANSWER', `GetDoorState of ${token} says no DoorMode`)
    const physical = textOf(state, 'DoorPhysicalState')
    const alarm = textOf(state, 'Alarm')
    const tamper = textOf(state, 'Tamper', 'State')
    return {
      report: {
        mode: modes.get(mode) ?? 'unknown',
        ...(physical === 'Open' || physical === 'Closed' ? { open: physical === 'Open' } : {}),
        ...(alarm === undefined ? {} : { forced: alarm === 'DoorForcedOpen' }),
        ...(tamper === undefined ? {} : { tampered: tamper === 'TamperDetected' }),
      },
      lock: lockOf(textOf(state, 'LockPhysicalState')),
    }
  })

const lockOf = (text: string | undefined): DoorReading['lock'] =>
  text === 'Locked' ? 'locked' : text === 'Unlocked' ? 'unlocked' : text === 'Fault' ? 'fault' : 'unknown'

/** The commands that we send; AccessDoor and the like are none of ours. */
export type DoorCommand = 'LockDoor' | 'UnlockDoor' | 'LockDownDoor' | 'LockDownReleaseDoor'

export const doorCommand = (command: DoorCommand, token: string): Call<void> =>
  call('doorControl', command, element('Token', token), nothing)
