/** A message of an enterprise host, WCTP 1.3. */
export interface Message {
  readonly to: string | readonly string[]
  readonly text: string
  /** SubmitRequest (default) of a host, or SubmitClientMessage of a transient client, which has no security code. */
  readonly as?: 'host' | 'client'
  /** Makes a multiple-choice message of it, as nurse-call systems send (IHE PCD-06). */
  readonly choices?: readonly string[]
  /** The text goes in base64 (TransparentData). */
  readonly transparent?: boolean
  readonly messageID?: string
  readonly submitted?: Date
  readonly priority?: 'HIGH' | 'NORMAL' | 'LOW'
  /** The usual reference to the DTD; default true. */
  readonly doctype?: boolean
  readonly encoding?: Encoding
}

export type Encoding = 'utf-8' | 'utf-8-bom' | 'utf-16le' | 'utf-16be' | 'iso-8859-1'

const DTD = 'http://dtd.wctp.org/wctp-dtd-v1r3.dtd'

export const written = (
  message: Message,
  by: { senderID: string; securityCode: string | undefined; numbered: string },
): string => {
  const { as = 'host', doctype = true, encoding = 'utf-8' } = message
  const alphabet = encoding.startsWith('utf-16') ? 'UTF-16' : encoding.replace('-bom', '').toUpperCase()
  const lines = [
    `<?xml version="1.0" encoding="${alphabet}"?>`,
    doctype ? `<!DOCTYPE wctp-Operation SYSTEM "${DTD}">` : '',
    '<wctp-Operation wctpVersion="wctp-dtd-v1r3">',
    as === 'host' ? host(message, by) : client(message, by),
    '</wctp-Operation>',
  ]
  return lines.filter((line) => line !== '').join('\n')
}

const host = (
  { messageID, submitted, priority = 'HIGH', ...message }: Message,
  {
    senderID,
    securityCode,
    numbered,
  }: { senderID: string; securityCode: string | undefined; numbered: string },
): string => `  <wctp-SubmitRequest>
    <wctp-SubmitHeader submitTimestamp="${time(submitted)}">
      <wctp-Originator senderID="${safe(senderID)}"${securityCode === undefined ? '' : ` securityCode="${safe(securityCode)}"`}/>
      <wctp-MessageControl messageID="${safe(messageID ?? numbered)}" allowResponse="true" deliveryPriority="${priority}"/>
${recipients(message)}
    </wctp-SubmitHeader>
    <wctp-Payload>${payload(message)}</wctp-Payload>
  </wctp-SubmitRequest>`

const client = (message: Message, { senderID }: { senderID: string }): string => `  <wctp-SubmitClientMessage>
    <wctp-SubmitClientHeader submitTimestamp="${time(message.submitted)}">
      <wctp-ClientOriginator senderID="${safe(senderID)}"/>
      <wctp-ClientMessageControl allowResponse="false"/>
${recipients(message)}
    </wctp-SubmitClientHeader>
    <wctp-Payload>${payload(message)}</wctp-Payload>
  </wctp-SubmitClientMessage>`

const recipients = ({ to }: Message): string =>
  [to]
    .flat()
    .map((id) => `      <wctp-Recipient recipientID="${safe(id)}"/>`)
    .join('\n')

const payload = ({ text, choices, transparent }: Message): string => {
  if (choices) {
    const list = choices.map((choice) => `<wctp-Choice>${safe(choice)}</wctp-Choice>`)
    return `<wctp-MCR><wctp-MessageText>${safe(text)}</wctp-MessageText>${list.join('')}</wctp-MCR>`
  }
  return transparent
    ? `<wctp-TransparentData type="OPAQUE" encoding="base64">${Buffer.from(text).toString('base64')}</wctp-TransparentData>`
    : `<wctp-Alphanumeric>${safe(text)}</wctp-Alphanumeric>`
}

const time = (at = new Date()): string => at.toISOString().slice(0, 19)

const safe = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** With the mark of its byte order where there is one. */
export const bytesOf = (text: string, encoding: Encoding = 'utf-8'): Buffer => {
  switch (encoding) {
    case 'utf-8':
      return Buffer.from(text)
    case 'utf-8-bom':
      return Buffer.from(`\ufeff${text}`)
    case 'utf-16le':
      return Buffer.from(`\ufeff${text}`, 'utf16le')
    case 'utf-16be':
      return Buffer.from(`\ufeff${text}`, 'utf16le').swap16()
    case 'iso-8859-1':
      return Buffer.from(text, 'latin1')
  }
}
