import { escapeXml, type Xml } from './xml.ts'

/** The services that we use, by the namespace under which a device lists them (GetServices). */
export const namespaces = {
  accessControl: 'http://www.onvif.org/ver10/accesscontrol/wsdl',
  device: 'http://www.onvif.org/ver10/device/wsdl',
  deviceIO: 'http://www.onvif.org/ver10/deviceIO/wsdl',
  doorControl: 'http://www.onvif.org/ver10/doorcontrol/wsdl',
  events: 'http://www.onvif.org/ver10/events/wsdl',
  media: 'http://www.onvif.org/ver10/media/wsdl',
  media2: 'http://www.onvif.org/ver20/media/wsdl',
  ptz: 'http://www.onvif.org/ver20/ptz/wsdl',
} as const

export type Service = keyof typeof namespaces

/** One operation, ready to send: its body, and how its answer is read. Pure. */
export interface Call<T> {
  readonly service: Service
  readonly operation: string
  /** Of the request, for the Content-Type; by default namespace and operation. */
  readonly action: string
  readonly body: string
  read(answer: Xml): T
}

/** A call whose parameters are given as XML; the element is in the namespace of its service unless `namespace` says otherwise. */
export const call = <T>(
  service: Service,
  operation: string,
  parameters: string,
  read: (answer: Xml) => T,
  namespace: string = namespaces[service],
): Call<T> => ({
  service,
  operation,
  action: `${namespace}/${operation}`,
  body: `<${operation} xmlns="${namespace}">${parameters}</${operation}>`,
  read,
})

/** One simple element. */
export const element = (name: string, text: string): string => `<${name}>${escapeXml(text)}</${name}>`

/** For answers whose only content is that they came: an empty answer proves nothing about the state. */
export const nothing = (): void => {}
