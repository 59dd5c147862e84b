import type { Json } from '../../core/fact.ts'
import {
  allIn,
  attributeOf,
  attributesOf,
  escapeXml,
  namesIn,
  parseXml,
  textOf,
  wordsIn,
  type Xml,
} from './xml.ts'

/** Failures of WCTP 1.3 that we answer; they travel in HTTP 200. */
export const failures = {
  300: 'Operation not supported',
  301: 'Cannot parse input',
  302: 'Message is not complete',
  401: 'Invalid senderID',
  402: 'Invalid security code',
  604: 'Internal server error, send it again',
  606: 'Service unavailable, send it again',
} as const
export type FailureCode = keyof typeof failures

/** A message that somebody is to get. */
export interface Page {
  readonly sender: string
  readonly code: string
  readonly recipients: readonly string[]
  readonly text: string
  /** The sender's messageID and its time; a repeat carries the same. */
  readonly id: string | undefined
  /** What else was asked for: priority, choices to answer with. */
  readonly raw: Json
}

/** How an answer is dressed: as the request was. */
export interface Dress {
  readonly version: string
  readonly doctype: boolean
  /** SubmitClientMessage is answered by elements of its own. */
  readonly client: boolean
}

export type Request =
  | { readonly is: 'page'; readonly page: Page; readonly dress: Dress }
  | {
      readonly is: 'version'
      readonly inquirer: string
      readonly at: string | undefined
      readonly dress: Dress
    }
  | { readonly is: 'wrong'; readonly failure: FailureCode; readonly why: string; readonly dress: Dress }

const undressed: Dress = { version: 'wctp-dtd-v1r3', doctype: false, client: false }

/** The operations that carry a page to us. */
const submits = ['wctp-SubmitRequest', 'wctp-SubmitClientMessage', 'wctp-SendMsgMulti']

/** Reads one request, in any alphabet of XML. Never throws. */
export const readRequest = (bytes: Buffer): Request => {
  let document: { root: Xml; doctype: boolean }
  try {
    document = parseXml(textOf(bytes))
  } catch (error) {
    return { is: 'wrong', failure: 301, why: (error as Error).message, dress: undressed }
  }
  const [operation] = allIn(document.root, 'wctp-Operation')
  if (operation === undefined)
    return { is: 'wrong', failure: 301, why: 'it is no wctp-Operation', dress: undressed }
  const [name = 'nothing'] = namesIn(operation)
  const said = attributeOf(operation, 'wctpVersion') ?? ''
  const dress: Dress = {
    version: /^wctp-dtd-v\dr\d$/.test(said) ? said : undressed.version,
    doctype: document.doctype,
    client: name === 'wctp-SubmitClientMessage',
  }
  if (submits.includes(name)) return pageOf(operation, dress)
  if (name !== 'wctp-VersionQuery')
    return { is: 'wrong', failure: 300, why: `${name.slice(0, 60)} is not for us`, dress }
  const [query] = allIn(operation, name)
  const inquirer = attributeOf(query, 'inquirer') ?? ''
  return { is: 'version', inquirer, at: attributeOf(query, 'dateTime'), dress }
}

const pageOf = (operation: Xml, dress: Dress): Request => {
  const one = (...names: string[]) => names.flatMap((name) => allIn(operation, name))[0]
  const originator = one('wctp-Originator', 'wctp-ClientOriginator')
  const payload = one('wctp-Payload')
  const sender = attributeOf(originator, 'senderID')
  if (sender === undefined || payload === undefined)
    return {
      is: 'wrong',
      failure: 302,
      why: `it has no ${sender === undefined ? 'senderID' : 'payload'}`,
      dress,
    }
  const control = one('wctp-MessageControl', 'wctp-ClientMessageControl')
  const header = one('wctp-SubmitHeader', 'wctp-SubmitClientHeader')
  const messageId = attributeOf(control, 'messageID')
  const recipients = allIn(operation, 'wctp-Recipient')
    .flatMap((each) => attributeOf(each, 'recipientID') ?? [])
    .slice(0, 50)
  const page = {
    sender,
    code: attributeOf(originator, 'securityCode') ?? '',
    recipients,
    text: textIn(payload),
    // A sender that numbers anew when it restarts is told apart by the time.
    id: messageId && `${messageId} ${attributeOf(header, 'submitTimestamp') ?? ''}`.slice(0, 400),
    raw: { control: attributesOf(control), recipients, choices: choicesIn(payload) },
  }
  return { is: 'page', page, dress }
}

/** Alphanumeric, the text of a multiple-choice message, or what else there is. */
const textIn = (payload: Xml): string => {
  const [text] = [...allIn(payload, 'wctp-Alphanumeric'), ...allIn(payload, 'wctp-MessageText')]
  if (text !== undefined) return wordsIn(text)
  const [data] = allIn(payload, 'wctp-TransparentData')
  if (data === undefined) return wordsIn(payload)
  const words = wordsIn(data)
  return attributeOf(data, 'encoding') === 'base64' ? textOf(Buffer.from(words, 'base64')) : words
}

/** What the person could answer with (wctp-MCR, as in IHE PCD-06). We answer nothing: it is kept. */
const choicesIn = (payload: Xml): string[] =>
  ['wctp-Choice', 'wctp-SendChoice'].flatMap((name) =>
    allIn(payload, name)
      .slice(0, 20)
      .map((each) => wordsIn(each).slice(0, 100)),
  )

const operation = ({ version, doctype }: Dress, inner: string): string =>
  [
    '<?xml version="1.0" encoding="UTF-8"?>',
    doctype ? `<!DOCTYPE wctp-Operation SYSTEM "http://dtd.wctp.org/${version}.dtd">` : '',
    `<wctp-Operation wctpVersion="${version}">${inner}</wctp-Operation>`,
  ].join('')

/** The message is on disk. `tracking` is a number for it that says nothing. */
export const success = (dress: Dress, tracking: string): string =>
  operation(
    dress,
    dress.client
      ? `<wctp-SubmitClientResponse><wctp-ClientSuccess successCode="200" successText="Message accepted" trackingNumber="${escapeXml(tracking)}"/></wctp-SubmitClientResponse>`
      : '<wctp-Confirmation><wctp-Success successCode="200" successText="Message accepted"/></wctp-Confirmation>',
  )

export const failure = (dress: Dress, code: FailureCode): string => {
  const inner = `<wctp-Failure errorCode="${code}" errorText="${failures[code]}"/>`
  return operation(
    dress,
    dress.client
      ? `<wctp-SubmitClientResponse>${inner}</wctp-SubmitClientResponse>`
      : `<wctp-Confirmation>${inner}</wctp-Confirmation>`,
  )
}

/** The versions that we read; whichever is asked for, the elements that matter are the same. */
const versions = ['wctp-dtd-v1r1', 'wctp-dtd-v1r2', 'wctp-dtd-v1r3']

export const versionResponse = (
  dress: Dress,
  { inquirer, asked, now }: { inquirer: string; asked: string | undefined; now: number },
): string => {
  const attributes = {
    inquirer,
    responder: 'duress-bridge',
    ...(asked !== undefined && { dateTimeOfReq: asked }),
    dateTimeOfRsp: timestamp(now),
  }
  const support = versions.map((name) => `<wctp-DTDSupport supportType="Supported" dtdName="${name}"/>`)
  return operation(
    dress,
    `<wctp-VersionResponse ${written(attributes)}>${support.join('')}</wctp-VersionResponse>`,
  )
}

/** A request as a sender makes it, for the press that we send to ourselves. */
export const submitRequest = (page: Pick<Page, 'sender' | 'code' | 'text'>, now: number): string => {
  const originator = { senderID: page.sender, ...(page.code !== '' && { securityCode: page.code }) }
  return operation(
    { ...undressed, doctype: true },
    `<wctp-SubmitRequest><wctp-SubmitHeader submitTimestamp="${timestamp(now)}"><wctp-Originator ${written(originator)}/><wctp-MessageControl messageID="heartbeat"/><wctp-Recipient recipientID="heartbeat"/></wctp-SubmitHeader><wctp-Payload><wctp-Alphanumeric>${escapeXml(page.text)}</wctp-Alphanumeric></wctp-Payload></wctp-SubmitRequest>`,
  )
}

const written = (attributes: Readonly<Record<string, string>>): string =>
  Object.entries(attributes)
    .map(([name, value]) => `${name}="${escapeXml(value.slice(0, 255))}"`)
    .join(' ')

/** WCTP writes times in UTC without saying so. */
const timestamp = (now: number): string => new Date(now).toISOString().slice(0, 19)
