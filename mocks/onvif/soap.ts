import type { Reply } from '../http/device.ts'
import { child, type Element, parseXml, safe } from './xml.ts'

/** The namespaces of the ONVIF WSDLs and of what they import. */
export const ns = {
  soap: 'http://www.w3.org/2003/05/soap-envelope',
  addressing: 'http://www.w3.org/2005/08/addressing',
  error: 'http://www.onvif.org/ver10/error',
  schema: 'http://www.onvif.org/ver10/schema',
  device: 'http://www.onvif.org/ver10/device/wsdl',
  media: 'http://www.onvif.org/ver10/media/wsdl',
  ptz: 'http://www.onvif.org/ver20/ptz/wsdl',
  deviceIO: 'http://www.onvif.org/ver10/deviceIO/wsdl',
  events: 'http://www.onvif.org/ver10/events/wsdl',
  doorControl: 'http://www.onvif.org/ver10/doorcontrol/wsdl',
  accessControl: 'http://www.onvif.org/ver10/accesscontrol/wsdl',
  notification: 'http://docs.oasis-open.org/wsn/b-2',
  topicSet: 'http://docs.oasis-open.org/wsn/t-1',
  topics: 'http://www.onvif.org/ver10/topics',
  security: 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd',
  securityTime: 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd',
} as const

/**
 * Prefixes of our own, declared on each envelope. They differ from those of the WSDLs on purpose: a client that
 * looks at prefixes instead of namespaces fails here, before it meets a device that chose others too.
 * `tns1` alone stays, as devices write it in topics.
 */
const prefixes = {
  env12: ns.soap,
  adr: ns.addressing,
  err: ns.error,
  sch: ns.schema,
  dev: ns.device,
  med: ns.media,
  mov: ns.ptz,
  dio: ns.deviceIO,
  evt: ns.events,
  drs: ns.doorControl,
  pts: ns.accessControl,
  ntf: ns.notification,
  top: ns.topicSet,
  tns1: ns.topics,
} as const

const declarations = Object.entries(prefixes)
  .map(([prefix, namespace]) => ` xmlns:${prefix}="${namespace}"`)
  .join('')

/** Our prefix of a namespace. */
export const prefixOf = (namespace: string): string =>
  (Object.entries(prefixes).find(([, known]) => known === namespace) ?? ['dev'])[0]

const reply = (status: number, body: string, header: string): Reply => ({
  status,
  headers: { 'Content-Type': 'application/soap+xml; charset=utf-8' },
  body:
    `<?xml version="1.0" encoding="UTF-8"?>\n<env12:Envelope${declarations}>` +
    `${header ? `<env12:Header>${header}</env12:Header>` : ''}<env12:Body>${body}</env12:Body></env12:Envelope>`,
})

export const soapReply = (body: string, header = ''): Reply => reply(200, body, header)

export type Blame = 'Sender' | 'Receiver' | 'VersionMismatch' | 'MustUnderstand'

/** A SOAP 1.2 fault; `subcodes` from outer to inner, of the namespace ter. */
export class Fault extends Error {
  readonly blame: Blame
  readonly subcodes: readonly string[]

  constructor(blame: Blame, subcodes: readonly string[], reason: string) {
    super(reason)
    this.blame = blame
    this.subcodes = subcodes
  }

  /** HTTP 400 for the sender's fault, else 500 (SOAP 1.2 Part 2, table 20). */
  reply(): Reply {
    const subcode = this.subcodes.reduceRight(
      (inner, name) => `<env12:Subcode><env12:Value>err:${name}</env12:Value>${inner}</env12:Subcode>`,
      '',
    )
    return reply(
      this.blame === 'Sender' ? 400 : 500,
      `<env12:Fault><env12:Code><env12:Value>env12:${this.blame}</env12:Value>${subcode}</env12:Code>` +
        `<env12:Reason><env12:Text xml:lang="en">${safe(this.message)}</env12:Text></env12:Reason></env12:Fault>`,
      '',
    )
  }
}

export interface Call {
  readonly header: Element | undefined
  /** The one element of the body. */
  readonly operation: Element
}

/** Throws a Fault on anything that is not one SOAP 1.2 call. */
export const readCall = (text: string): Call => {
  let root: Element
  try {
    root = parseXml(text)
  } catch (error) {
    throw new Fault('Sender', ['WellFormed'], `not well-formed: ${(error as Error).message}`)
  }
  if (root.name !== 'Envelope') throw new Fault('Sender', ['WellFormed'], 'no envelope')
  if (root.namespace !== ns.soap) throw new Fault('VersionMismatch', [], 'SOAP 1.2 only')
  const operation = child(root, ns.soap, 'Body')?.children[0]
  if (!operation) throw new Fault('Sender', ['WellFormed'], 'no operation in the body')
  return { header: child(root, ns.soap, 'Header'), operation }
}
