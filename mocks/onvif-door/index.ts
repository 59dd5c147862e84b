import {
  type Door,
  type DoorOperation,
  type DoorSpec,
  type Doors,
  doorCapabilities,
  doorOperations,
  makeDoors,
} from '../door.ts'
import { durationMs } from '../onvif/duration.ts'
import { Events, type Habits, type Property } from '../onvif/events.ts'
import { Fault, ns } from '../onvif/soap.ts'
import {
  type OnvifMock,
  type OnvifOptions,
  type Operation,
  type Service,
  startOnvif,
} from '../onvif/start.ts'
import { child, type Element, safe } from '../onvif/xml.ts'
import { type AccessPoints, accessService, type DuressBy, duressNews, duressTopic } from './access.ts'

export interface OnvifDoorOptions<Token extends string> extends OnvifOptions {
  readonly doors: { readonly [token in Token]: DoorSpec }
  /** Readers and keypads by token; default none, and then no access control service either. */
  readonly accessPoints?: AccessPoints
  readonly habits?: Habits
}

export interface OnvifDoors<Token extends string> extends OnvifMock {
  readonly doors: Doors<Token>
  /** Somebody uses a duress code at this access point. */
  duress(accessPoint: string, by?: DuressBy): void
  /** Subscriptions that are alive. */
  readonly subscriptions: number
}

/** The most doors in one answer (capability MaxLimit); small, so that clients must page. */
const limitMax = 10

const argument = (args: Element, name: string): string => child(args, ns.doorControl, name)?.text ?? ''

const doorInfo = (door: Door): string => {
  const can = doorCapabilities.map((name) => ` ${name}="${door.capabilities[name] ?? false}"`).join('')
  return (
    `<drs:DoorInfo token="${safe(door.token)}"><drs:Name>${safe(door.name)}</drs:Name>` +
    `<drs:Description>${safe(door.name)}</drs:Description><drs:Capabilities${can}/></drs:DoorInfo>`
  )
}

const wholeDoor = (door: Door): string =>
  doorInfo(door)
    .replace('<drs:DoorInfo', '<drs:Door')
    .replace(
      '</drs:DoorInfo>',
      '<drs:DoorType>pt:Door</drs:DoorType><drs:Timings><drs:ReleaseTime>PT5S</drs:ReleaseTime>' +
        '<drs:OpenTime>PT30S</drs:OpenTime></drs:Timings></drs:Door>',
    )

/** Elements in the order of the schema's sequence; what the door can't sense is left out (only DoorMode is mandatory). */
const doorState = (door: Door): string => {
  const { DoorMonitor, LockMonitor, DoubleLockMonitor, Alarm, Tamper, Fault: fault } = door.capabilities
  const doubleLock = door.mode === 'DoubleLocked' ? 'Locked' : 'Unlocked'
  return (
    '<drs:DoorState>' +
    (DoorMonitor ? `<drs:DoorPhysicalState>${door.physical}</drs:DoorPhysicalState>` : '') +
    (LockMonitor ? `<drs:LockPhysicalState>${door.lock}</drs:LockPhysicalState>` : '') +
    (DoubleLockMonitor ? `<drs:DoubleLockPhysicalState>${doubleLock}</drs:DoubleLockPhysicalState>` : '') +
    (Alarm ? `<drs:Alarm>${door.alarm}</drs:Alarm>` : '') +
    (Tamper ? `<drs:Tamper><drs:State>${door.tamper}</drs:State></drs:Tamper>` : '') +
    (fault ? `<drs:Fault><drs:State>${door.fault}</drs:State></drs:Fault>` : '') +
    `<drs:DoorMode>${door.mode}</drs:DoorMode></drs:DoorState>`
  )
}

/** The events of a door (ONVIF Door Control, notification topics). */
const doorProperties = (door: Door): readonly Property[] => {
  const property = (name: string, value: () => string): Property => ({
    topic: `tns1:Door/State/${name}`,
    source: 'DoorToken',
    token: door.token,
    data: 'State',
    value,
  })
  const { DoorMonitor, LockMonitor, Alarm, Tamper, Fault: fault } = door.capabilities
  return [
    property('DoorMode', () => door.mode),
    ...(DoorMonitor ? [property('DoorPhysicalState', () => door.physical)] : []),
    ...(LockMonitor ? [property('LockPhysicalState', () => door.lock)] : []),
    ...(Alarm ? [property('DoorAlarm', () => door.alarm)] : []),
    ...(Tamper ? [property('DoorTamper', () => door.tamper)] : []),
    ...(fault ? [property('DoorFault', () => door.fault)] : []),
  ]
}

/** One page of a list, as every Get…List of ONVIF's access control does it. */
const page = (doors: readonly Door[], args: Element, show: (door: Door) => string): string => {
  const start = argument(args, 'StartReference')
  const from = start === '' ? 0 : doors.findIndex((door) => `after:${door.token}` === start) + 1
  if (start !== '' && from === 0)
    throw new Fault('Sender', ['InvalidArgVal', 'InvalidStartReference'], 'StartReference is invalid')
  const limit = Math.min(Number(argument(args, 'Limit') || limitMax), limitMax)
  const shown = doors.slice(from, from + limit)
  const last = shown.at(-1)
  const next =
    last && from + limit < doors.length
      ? `<drs:NextStartReference>after:${safe(last.token)}</drs:NextStartReference>`
      : ''
  return next + shown.map(show).join('')
}

const doorService = (doors: readonly Door[]): Service => {
  const find = (token: string): Door => {
    const door = doors.find((known) => known.token === token)
    if (!door) throw new Fault('Sender', ['InvalidArgs', 'NotFound'], `Door ${token} is not found`)
    return door
  }
  const byTokens = (args: Element, show: (door: Door) => string) =>
    args.children
      .filter(({ name, namespace }) => name === 'Token' && namespace === ns.doorControl)
      // Unknown tokens are left out, as in every Get<Entity> of ONVIF's access control.
      .flatMap(({ text }) => doors.filter((door) => door.token === text))
      .map(show)
      .join('')

  const act = (operation: DoorOperation): Operation => ({
    acts: true,
    detail: (args) => ({ token: argument(args, 'Token') }),
    run: (args) => {
      const door = find(argument(args, 'Token'))
      const ended = door.command(operation, durationMs(argument(args, 'AccessTime')))
      if (ended === 'unsupported')
        throw new Fault('Receiver', ['ActionNotSupported'], `${operation} is not supported for this door`)
      if (ended === 'failed')
        throw new Fault('Receiver', ['Action', 'Failure'], `${operation} failed in ${door.mode} state`)
      return ended === 'silent' ? null : ''
    },
  })

  return {
    namespace: ns.doorControl,
    path: '/onvif/services/doors',
    operations: {
      GetServiceCapabilities: {
        open: true,
        run: () => `<drs:Capabilities MaxLimit="${limitMax}" MaxDoors="${doors.length}"/>`,
      },
      GetDoorInfoList: { run: (args) => page(doors, args, doorInfo) },
      GetDoorInfo: { run: (args) => byTokens(args, doorInfo) },
      GetDoorList: { run: (args) => page(doors, args, wholeDoor) },
      GetDoors: { run: (args) => byTokens(args, wholeDoor) },
      GetDoorState: {
        detail: (args) => ({ token: argument(args, 'Token') }),
        run: (args) => doorState(find(argument(args, 'Token'))),
      },
      ...Object.fromEntries(doorOperations.map((operation) => [operation, act(operation)])),
    },
  }
}

/** Starts an ONVIF door controller (Profile C) with these doors. */
export const startOnvifDoors = async <Token extends string>({
  doors: specs,
  accessPoints = {},
  habits = {},
  ...options
}: OnvifDoorOptions<Token>): Promise<OnvifDoors<Token>> => {
  const doors = makeDoors(specs)
  const all = Object.values<Door>(doors)
  const properties = new Map(all.map((door) => [door, doorProperties(door)]))
  const events = new Events([...properties.values()].flat(), () => mock.now(), {
    habits,
    others: Object.keys(accessPoints).length > 0 ? [duressTopic] : [],
  })
  const mock: OnvifMock = await startOnvif(options, {
    about: {
      manufacturer: 'Duress Bridge',
      model: 'Mock door controller',
      serial: 'MOCK-DOOR-1',
      type: 'Access_Control',
    },
    services: (address) => [
      doorService(all),
      ...(Object.keys(accessPoints).length > 0 ? [accessService(accessPoints)] : []),
      ...events.services(address),
    ],
    forget: () => events.forget(),
  })
  for (const [door, reported] of properties) {
    const last = new Map(reported.map((property) => [property, property.value()]))
    door.listen(() => {
      for (const property of reported) {
        if (last.get(property) === property.value()) continue
        last.set(property, property.value())
        events.changed(property)
      }
    })
  }
  const unplug = mock.close
  const close = () => {
    for (const door of all) door.close()
    events.forget()
    return unplug()
  }
  const duress = (accessPoint: string, by: DuressBy = {}) => events.happened(duressNews(accessPoint, by))
  return Object.defineProperty(Object.assign(mock, { doors, duress, close }), 'subscriptions', {
    get: () => events.subscriptions,
    enumerable: true,
  }) as OnvifDoors<Token>
}
