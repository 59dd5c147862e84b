/** A mail as a system of alarms makes it. */
export interface Mail {
  readonly from?: string
  readonly to: readonly string[]
  readonly subject?: string
  readonly text?: string
  readonly html?: string
  /** How the text travels; default `7bit` where it is ASCII, else `base64`. */
  readonly encoding?: '7bit' | '8bit' | 'quoted-printable' | 'base64'
  readonly charset?: 'utf-8' | 'iso-8859-1'
  readonly messageId?: string
  readonly date?: Date
  readonly headers?: { readonly [name: string]: string }
  /** Bytes of a picture that goes with it. */
  readonly picture?: Buffer
}

const BOUNDARY = 'part-5d41402abc4b2a76'

/** The mail with CR LF, as RFC 5322 and RFC 2045 want it; each character of the result is one byte. */
export const written = (mail: Mail, numbered: string): string => {
  const date = mail.date ?? new Date()
  const head = [
    `From: ${mail.from ?? 'rtls@alarms.test'}`,
    `To: ${mail.to.join(', ')}`,
    ...(mail.subject === undefined ? [] : [`Subject: ${worded(mail.subject)}`]),
    `Date: ${date.toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: ${mail.messageId ?? numbered}`,
    'MIME-Version: 1.0',
    ...Object.entries(mail.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ]
  const parts = [
    ...(mail.text === undefined ? [] : [part('text/plain', mail.text, mail)]),
    ...(mail.html === undefined ? [] : [part('text/html', mail.html, mail)]),
    ...(mail.picture ? [attached(mail.picture)] : []),
  ]
  const [only] = parts
  if (only === undefined) return [...head, '', ''].join('\r\n')
  if (parts.length === 1) return [...head, only].join('\r\n')
  const kind = mail.picture ? 'mixed' : 'alternative'
  const between = parts.flatMap((each) => [`--${BOUNDARY}`, each])
  return [
    ...head,
    `Content-Type: multipart/${kind}; boundary="${BOUNDARY}"`,
    '',
    ...between,
    `--${BOUNDARY}--`,
    '',
  ].join('\r\n')
}

const part = (type: string, text: string, { encoding, charset = 'utf-8' }: Mail): string => {
  const bytes = Buffer.from(text.replace(/\r?\n/g, '\r\n'), charset === 'utf-8' ? 'utf8' : 'latin1')
  const how = encoding ?? (bytes.every((byte) => byte < 0x80) ? '7bit' : 'base64')
  const body =
    how === 'base64' ? folded(bytes) : how === 'quoted-printable' ? quoted(bytes) : bytes.toString('latin1')
  return [`Content-Type: ${type}; charset=${charset}`, `Content-Transfer-Encoding: ${how}`, '', body].join(
    '\r\n',
  )
}

const attached = (bytes: Buffer): string =>
  [
    'Content-Type: image/png; name="plan.png"',
    'Content-Disposition: attachment; filename="plan.png"',
    'Content-Transfer-Encoding: base64',
    '',
    folded(bytes),
  ].join('\r\n')

const folded = (bytes: Buffer): string => bytes.toString('base64').replace(/.{76}/g, '$&\r\n')

/** RFC 2045, 6.7: lines of at most 76, soft breaks. */
const quoted = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .split('\r\n')
    .map((line) =>
      line
        .replace(/[^ -<>-~]/g, (char) => `=${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
        .replace(/.{72}(?<!=.?)(?=.)/g, '$&=\r\n'),
    )
    .join('\r\n')

/** RFC 2047, for a subject that is not ASCII. */
const worded = (text: string): string =>
  /^[ -~]*$/.test(text) ? text : `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`
