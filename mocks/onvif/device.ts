import { ns } from './soap.ts'
import type { Service } from './start.ts'
import { safe } from './xml.ts'

export interface About {
  readonly manufacturer: string
  readonly model: string
  readonly serial: string
  /** What the device is, as its scopes say: "Network_Video_Transmitter". */
  readonly type: string
}

const firmware = '1.4.2'

const dateAndTime = (ms: number): string => {
  const at = new Date(ms)
  return (
    `<sch:Time><sch:Hour>${at.getUTCHours()}</sch:Hour><sch:Minute>${at.getUTCMinutes()}</sch:Minute>` +
    `<sch:Second>${at.getUTCSeconds()}</sch:Second></sch:Time>` +
    `<sch:Date><sch:Year>${at.getUTCFullYear()}</sch:Year><sch:Month>${at.getUTCMonth() + 1}</sch:Month>` +
    `<sch:Day>${at.getUTCDate()}</sch:Day></sch:Date>`
  )
}

const information = ({ manufacturer, model, serial }: About): string =>
  `<dev:Manufacturer>${safe(manufacturer)}</dev:Manufacturer><dev:Model>${safe(model)}</dev:Model>` +
  `<dev:FirmwareVersion>${firmware}</dev:FirmwareVersion><dev:SerialNumber>${safe(serial)}</dev:SerialNumber>` +
  '<dev:HardwareId>mock</dev:HardwareId>'

const scope = (uri: string): string =>
  `<dev:Scopes><sch:ScopeDef>Fixed</sch:ScopeDef><sch:ScopeItem>${safe(uri)}</sch:ScopeItem></dev:Scopes>`

const scopes = ({ type, model }: About): string =>
  [
    `onvif://www.onvif.org/type/${type}`,
    `onvif://www.onvif.org/hardware/${encodeURIComponent(model)}`,
    `onvif://www.onvif.org/name/${encodeURIComponent(model)}`,
  ]
    .map(scope)
    .join('')

/** GetCapabilities knows only the services of the first ONVIF version and Device I/O as an extension. */
const capabilities = (services: readonly Service[], address: (path: string) => string): string => {
  const part = (namespace: string, tag: string, more = '') => {
    const service = services.find((known) => known.namespace === namespace)
    return service
      ? `<sch:${tag}><sch:XAddr>${safe(address(service.path))}</sch:XAddr>${more}</sch:${tag}>`
      : ''
  }
  const pull =
    '<sch:WSSubscriptionPolicySupport>false</sch:WSSubscriptionPolicySupport>' +
    '<sch:WSPullPointSupport>true</sch:WSPullPointSupport>' +
    '<sch:WSPausableSubscriptionManagerInterfaceSupport>false</sch:WSPausableSubscriptionManagerInterfaceSupport>'
  const counts = ['VideoSources', 'VideoOutputs', 'AudioSources', 'AudioOutputs', 'RelayOutputs']
    .map((name) => `<sch:${name}>${name === 'RelayOutputs' || name === 'VideoSources' ? 1 : 0}</sch:${name}>`)
    .join('')
  const io = part(ns.deviceIO, 'DeviceIO', counts)
  return (
    part(ns.device, 'Device') +
    part(ns.events, 'Events', pull) +
    part(ns.media, 'Media', '<sch:StreamingCapabilities/>') +
    part(ns.ptz, 'PTZ') +
    (io ? `<sch:Extension>${io}</sch:Extension>` : '')
  )
}

/** The device service (devicemgmt.wsdl), as far as a client needs it to find its way. */
export const deviceService = (
  about: About,
  now: () => number,
  all: () => readonly Service[],
  address: (path: string) => string,
  more: Service['operations'],
): Service => ({
  namespace: ns.device,
  path: '/onvif/device_service',
  operations: {
    GetSystemDateAndTime: {
      // Access class PRE_AUTH: a client must know the device's time before it can sign.
      open: true,
      run: () =>
        '<dev:SystemDateAndTime><sch:DateTimeType>Manual</sch:DateTimeType>' +
        '<sch:DaylightSavings>false</sch:DaylightSavings><sch:TimeZone><sch:TZ>UTC0</sch:TZ></sch:TimeZone>' +
        `<sch:UTCDateTime>${dateAndTime(now())}</sch:UTCDateTime></dev:SystemDateAndTime>`,
    },
    GetServices: {
      open: true,
      run: () =>
        all()
          .map(
            (service) =>
              `<dev:Service><dev:Namespace>${service.namespace}</dev:Namespace>` +
              `<dev:XAddr>${safe(address(service.path))}</dev:XAddr>` +
              '<dev:Version><sch:Major>2</sch:Major><sch:Minor>60</sch:Minor></dev:Version></dev:Service>',
          )
          .join(''),
    },
    GetCapabilities: {
      open: true,
      run: () => `<dev:Capabilities>${capabilities(all(), address)}</dev:Capabilities>`,
    },
    GetServiceCapabilities: {
      open: true,
      run: () =>
        '<dev:Capabilities><dev:Network/><dev:Security UsernameToken="true"/><dev:System/></dev:Capabilities>',
    },
    GetDeviceInformation: { run: () => information(about) },
    GetScopes: { run: () => scopes(about) },
    ...more,
  },
})
