import { type Call, call, namespaces, type Service } from './call.ts'
import { all, one, textOf, type Xml } from './xml.ts'

/** The device's UTC time, ms since the epoch; null where it gives none that makes sense. May be asked without logging in (Core 8.3.5). */
export const getSystemDateAndTime: Call<number | null> = call(
  'device',
  'GetSystemDateAndTime',
  '',
  (answer) => {
    const utc = one(answer, 'SystemDateAndTime', 'UTCDateTime')
    const part = (...path: string[]): number => Number(textOf(utc, ...path) || Number.NaN)
    const at = Date.UTC(
      part('Date', 'Year'),
      part('Date', 'Month') - 1,
      part('Date', 'Day'),
      part('Time', 'Hour'),
      part('Time', 'Minute'),
      part('Time', 'Second'),
    )
    return Number.isFinite(at) ? at : null
  },
)

/** Where each service of a device is; the addresses are the device's own view of itself. */
export type ServiceAddresses = ReadonlyMap<Service, string>

export const getServices: Call<ServiceAddresses> = call(
  'device',
  'GetServices',
  '<IncludeCapability>false</IncludeCapability>',
  (answer) => {
    const found = new Map<Service, string>()
    for (const listed of all(answer, 'Service')) {
      const namespace = textOf(listed, 'Namespace')
      const address = textOf(listed, 'XAddr')
      const service = (Object.keys(namespaces) as Service[]).find((name) => namespaces[name] === namespace)
      if (service !== undefined && address) found.set(service, address)
    }
    return found
  },
)

/** What devices had before GetServices; door control was never part of it. */
export const getCapabilities: Call<ServiceAddresses> = call(
  'device',
  'GetCapabilities',
  '<Category>All</Category>',
  (answer) => {
    const listed = one(answer, 'Capabilities')
    const found = new Map<Service, string>()
    const add = (service: Service, at: Xml | undefined) => {
      const address = textOf(at, 'XAddr')
      if (address) found.set(service, address)
    }
    add('device', one(listed, 'Device'))
    add('events', one(listed, 'Events'))
    add('media', one(listed, 'Media'))
    add('ptz', one(listed, 'PTZ'))
    add('deviceIO', one(listed, 'Extension', 'DeviceIO'))
    return found
  },
)

export interface DeviceInformation {
  readonly manufacturer: string
  readonly model: string
  readonly firmware: string
}

export const getDeviceInformation: Call<DeviceInformation> = call(
  'device',
  'GetDeviceInformation',
  '',
  (answer) => {
    const field = (name: string): string => (textOf(answer, name) ?? '').slice(0, 100)
    return {
      manufacturer: field('Manufacturer'),
      model: field('Model'),
      firmware: field('FirmwareVersion'),
    }
  },
)
