import { BridgeError } from '../../../core/error.ts'
import { errorOfFault, type Fault } from './fault.ts'
import { all, childNames, escapeXml, one, parseXml, textOf, type Xml } from './xml.ts'

const soap = 'http://www.w3.org/2003/05/soap-envelope'
const addressing = 'http://www.w3.org/2005/08/addressing'

/** WS-Addressing of one request; ONVIF needs it for subscriptions only (Core 9.1). */
export interface Addressing {
  readonly action: string
  readonly to: string
  readonly id: string
  readonly reference?: Reference | null
}

/** What the device gave as ReferenceParameters, as raw XML; it must come back as it is (WS-Addressing 1.0 SOAP, 3.3). */
export interface Reference {
  readonly xml: string
  /** The prefixes that it uses, to their namespaces. */
  readonly prefixes: ReadonlyMap<string, string>
}

/** A SOAP 1.2 envelope. `body` and `security` are XML already. */
export const envelope = (body: string, security: string | null, to?: Addressing): string =>
  `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="${soap}"><s:Header${declared(to?.reference)}>` +
  (security ?? '') +
  (to === undefined ? '' : addressed(to)) +
  `</s:Header><s:Body>${body}</s:Body></s:Envelope>`

const addressed = ({ action, to, id, reference }: Addressing): string =>
  `<a:Action xmlns:a="${addressing}" s:mustUnderstand="1">${escapeXml(action)}</a:Action>` +
  `<a:MessageID xmlns:a="${addressing}">urn:uuid:${id}</a:MessageID>` +
  `<a:ReplyTo xmlns:a="${addressing}"><a:Address>${addressing}/anonymous</a:Address></a:ReplyTo>` +
  `<a:To xmlns:a="${addressing}" s:mustUnderstand="1">${escapeXml(to)}</a:To>` +
  (reference?.xml ?? '')

const declared = (reference: Reference | null | undefined): string =>
  [...(reference?.prefixes ?? [])].map(([prefix, uri]) => ` xmlns:${prefix}="${escapeXml(uri)}"`).join('')

/** The response element of one operation; throws the device's fault as our error, or BAD_ANSWER. */
export const readAnswer = (text: string, operation: string): Xml => {
  const body = one(parseXml(text), 'Envelope', 'Body')
  if (body === undefined) throw new BridgeError('BAD_ANSWER', `the answer to ${operation} is not SOAP`)
  const fault = one(body, 'Fault')
  if (fault !== undefined) throw errorOfFault(operation, readFault(fault))
  const answer = one(body, `${operation}Response`)
  if (answer !== undefined) return answer
  const got = childNames(body)[0]?.slice(0, 60) ?? 'nothing'
  throw new BridgeError('BAD_ANSWER', `${operation} was answered by ${got}`)
}

/** SOAP 1.2 part 1, 5.4: Code with nested Subcodes and Reason; SOAP 1.1 faultcode as old cameras send it. */
const readFault = (fault: Xml): Fault => {
  const codes: string[] = []
  let code = one(fault, 'Code')
  while (code !== undefined && codes.length < 5) {
    codes.push(localName(textOf(code, 'Value') ?? ''))
    code = one(code, 'Subcode')
  }
  if (codes.length === 0) codes.push(...old(textOf(fault, 'faultcode') ?? ''))
  const reason = all(one(fault, 'Reason'), 'Text')[0] ?? one(fault, 'faultstring')
  return { codes, reason: (textOf(reason) ?? '').replace(/\s+/g, ' ').slice(0, 200) }
}

const old = (code: string): string[] => {
  const name = localName(code)
  return name === 'Client' ? ['Sender'] : name === 'Server' ? ['Receiver'] : ['Receiver', name]
}

const localName = (qname: string): string => qname.slice(qname.lastIndexOf(':') + 1).slice(0, 60)
