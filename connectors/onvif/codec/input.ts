import type { Trouble } from '../../../core/fact.ts'
import { type Call, call, element } from './call.ts'
import type { Notice } from './event.ts'
import { all, attributeOf, booleanOf, one, textOf } from './xml.ts'

/** Longer texts of a device are cut. */
const wordsMax = 200

/** The part that a notice is about; null where the device names none, as those do that have only one. */
const tokenIn = ({ source }: Notice, ...names: readonly string[]): string | null => {
  for (const name of names) {
    const token = source.get(name)
    if (token) return token
  }
  const [only] = source.values()
  return source.size === 1 && only ? only : null
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['active', true],
  ['false', false],
  ['0', false],
  ['inactive', false],
])

/** The level of an input contact (DeviceIo.xml, event Device/Trigger/DigitalInput); null for other topics. */
export const contactIn = (
  notice: Notice,
): { readonly token: string | null; readonly on: boolean | null } | null => {
  if (notice.topic !== 'Device/Trigger/DigitalInput') return null
  const { data } = notice
  const [only] = data.values()
  const state = data.get('LogicalState') ?? data.get('State') ?? (data.size === 1 ? only : undefined)
  return {
    token: tokenIn(notice, 'InputToken', 'DigitalInputToken', 'Token'),
    on: booleans.get(state?.trim().toLowerCase() ?? '') ?? null,
  }
}

export interface DuressHeard {
  readonly token: string | null
  readonly holder: string | null
  readonly reason: string | null
}

/** A duress code (AccessControl.xml, event AccessControl/Duress; earlier versions had /Credential and /Anonymous below it). */
export const duressIn = (notice: Notice): DuressHeard | null => {
  if (!/^AccessControl\/Duress(\/|$)/.test(notice.topic)) return null
  const said = (name: string) => notice.data.get(name)?.slice(0, wordsMax) || null
  return {
    token: tokenIn(notice, 'AccessPointToken', 'Token'),
    holder: said('CredentialHolderName'),
    reason: said('Reason'),
  }
}

type TroubleKind = Extract<Trouble['trouble'], 'forced' | 'held-open' | 'tamper' | 'fault'>

/** One thing that can be wrong with a door, as one of its sensors says; null: it doesn't know. */
export interface DoorState {
  readonly trouble: TroubleKind
  readonly sensor: string
  readonly is: boolean | null
}

const alarms: ReadonlyMap<string, TroubleKind | null> = new Map([
  ['Normal', null],
  ['DoorForcedOpen', 'forced'],
  ['DoorOpenTooLong', 'held-open'],
])

/** What is wrong with a door, or no longer (DoorControl.xml, events Door/State/…); null for other topics. */
export const doorIn = (
  notice: Notice,
): {
  readonly token: string | null
  readonly states: readonly DoorState[]
  readonly reason: string | null
} | null => {
  const sensor = /^Door\/State\/(\w+)$/.exec(notice.topic)?.[1]
  if (sensor === undefined) return null
  const state = notice.data.get('State') ?? ''
  return {
    token: tokenIn(notice, 'DoorToken', 'Token'),
    states: statesOf(sensor, state),
    reason: notice.data.get('Reason')?.slice(0, wordsMax) || null,
  }
}

const statesOf = (sensor: string, state: string): readonly DoorState[] => {
  const known = (no: string, yes: string) => (state === yes ? true : state === no ? false : null)
  switch (sensor) {
    case 'DoorAlarm': {
      const alarm = alarms.get(state)
      return (['forced', 'held-open'] as const).map((trouble) => ({
        trouble,
        sensor,
        is: alarm === undefined ? null : alarm === trouble,
      }))
    }
    case 'DoorTamper':
      return [{ trouble: 'tamper', sensor, is: known('NotInTamper', 'TamperDetected') }]
    case 'DoorFault':
      return [{ trouble: 'fault', sensor, is: known('NotInFault', 'FaultDetected') }]
    case 'DoorPhysicalState':
    case 'LockPhysicalState':
    case 'DoubleLockPhysicalState':
      return [
        { trouble: 'fault', sensor, is: state === 'Unknown' || state === '' ? null : state === 'Fault' },
      ]
    default:
      return []
  }
}

/** The tokens of the input contacts (deviceio.wsdl). */
export const getDigitalInputs: Call<readonly string[]> = call('deviceIO', 'GetDigitalInputs', '', (answer) =>
  all(answer, 'DigitalInputs').flatMap((listed) => attributeOf(listed, 'token') ?? []),
)

/** Whether a contact's state means active; else it means a closed circuit (DeviceIo.xml, DigitalInput event). */
export const getInputOptions: Call<boolean> = call('deviceIO', 'GetServiceCapabilities', '', (answer) => {
  return booleanOf(attributeOf(one(answer, 'Capabilities'), 'DigitalInputOptions')) ?? false
})

export interface AccessPointInfo {
  readonly token: string
  readonly name: string
  /** Whether it knows duress codes. */
  readonly duress: boolean
}

/** One page of the access points (accesscontrol.wsdl). */
export const getAccessPointInfoList = (
  start: string | null,
): Call<{ points: readonly AccessPointInfo[]; next: string | null }> =>
  call(
    'accessControl',
    'GetAccessPointInfoList',
    element('Limit', '100') + (start === null ? '' : element('StartReference', start)),
    (answer) => ({
      points: all(answer, 'AccessPointInfo').flatMap((listed) => {
        const token = attributeOf(listed, 'token')
        if (!token) return []
        const duress = booleanOf(attributeOf(one(listed, 'Capabilities'), 'Duress')) ?? false
        return [{ token, name: textOf(listed, 'Name') ?? '', duress }]
      }),
      next: textOf(answer, 'NextStartReference') || null,
    }),
  )
