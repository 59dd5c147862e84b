import { frameOf } from './frame.ts'

/** What a body says before its data: SIA DC-09, clause 5.4.4. */
export interface Header {
  /** `SIA-DCS`, `ADM-CID`, `NULL`, `ACK`, `NAK`, `DUH`, `RSP` or what else there is, without the asterisk. */
  readonly id: string
  readonly encrypted: boolean
  /** 0001 to 9999; the receiver only echoes it. */
  readonly seq: string
  readonly receiver: string | null
  readonly line: string | null
  /** As written: zeros at its start belong to it. */
  readonly account: string | null
  /** A NAK's literal `A0` in place of an account. */
  readonly nakA0: boolean
  /** Everything behind the `[`: the content, or the hex digits of its cipher. */
  readonly rest: string
}

/** What is inside of the brackets, once it can be read. */
export interface Content {
  /** `#acct|payload`, as it was written. */
  readonly data: string
  /** Extension blocks such as `X012W34.1`, without brackets; unknown ones too. */
  readonly ext: readonly string[]
  /** `HH:MM:SS,MM-DD-YYYY`, GMT; null where there is none, or none that can be one. */
  readonly timestamp: string | null
  /** The account that the data names; null where it names none. */
  readonly dataAccount: string | null
  /** The data without the account. */
  readonly payload: string
}

const head =
  /^"(\*?)([A-Za-z0-9-]{1,20})"(\d{4})(?:R([0-9A-Fa-f]{1,6}))?(?:L([0-9A-Fa-f]{1,6}))?(?:#([0-9A-Fa-f]{1,16}))?\[/
/** In `L0A0[` the line is `0`: read greedily it would eat the `A0`. */
const nakHead = /^"(\*?)(NAK)"(\d{4})(?:R([0-9A-Fa-f]{1,6}))?L([0-9A-Fa-f]{1,6}?)A0\[/

/** Reads the body of a frame; null when it is none. Bytes stand for characters (latin1), so that nothing is lost. */
export const readHeader = (body: Buffer): Header | null => {
  const text = body.toString('latin1')
  const nak = nakHead.exec(text)
  const match = nak ?? head.exec(text)
  if (!match) return null
  const [whole, asterisk, id, seq, receiver, line, account] = match
  return {
    id: (id as string).toUpperCase(),
    encrypted: asterisk === '*',
    seq: seq as string,
    receiver: receiver ?? null,
    line: line ?? null,
    account: account ?? null,
    nakA0: nak !== null,
    rest: text.slice(whole.length),
  }
}

const inside = /^([^\]]*)\]((?:\[[^\]]*\])*)(?:_([\s\S]*))?$/
const withAccount = /^(?:#?([0-9A-Fa-f]{1,16}))?\|([\s\S]*)$/
const onlyAccount = /^#[0-9A-Fa-f]{1,16}$/

/** Reads what stands behind the `[` in clear; null when the brackets don't match. */
export const readContent = (text: string): Content | null => {
  const match = inside.exec(text)
  if (!match) return null
  const [, data = '', blocks = '', stamp] = match
  const [, account, payload] = withAccount.exec(data) ?? [null, undefined, data]
  return {
    data,
    ext: [...blocks.matchAll(/\[([^\]]*)\]/g)].map(([, block]) => block as string),
    timestamp: stamp !== undefined && timeOf(stamp) !== null ? stamp : null,
    dataAccount: account ?? null,
    payload: onlyAccount.test(payload as string) ? '' : (payload as string),
  }
}

/** `HH:MM:SS,MM-DD-YYYY` to ms since the epoch; null when there is no such time. It is GMT: clause 5.4.4.9. */
export const timeOf = (stamp: string): number | null => {
  const match = /^(\d{2}):(\d{2}):(\d{2}),(\d{2})-(\d{2})-(\d{4})$/.exec(stamp)
  if (!match) return null
  const [hour, minute, second, month, day, year] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12 || day < 1) return null
  const ms = Date.UTC(year, month - 1, day, hour, minute, second)
  return new Date(ms).getUTCDate() === day ? ms : null
}

/** ms since the epoch to `HH:MM:SS,MM-DD-YYYY`. */
export const stampOf = (ms: number): string => {
  const [date, time] = new Date(ms).toISOString().split('T') as [string, string]
  const [year, month, day] = date.split('-')
  return `${time.slice(0, 8)},${month}-${day}-${year}`
}

/** Text for people: UTF-8 where it is, else byte for byte. */
export const textOf = (latin1: string): string => {
  const bytes = Buffer.from(latin1, 'latin1')
  const text = bytes.toString('utf8')
  return (text.includes('\ufffd') ? latin1 : text).replace(/\p{Cc}+/gu, ' ').trim()
}

/** Sequence, receiver, line and account as the sender wrote them; what it left out stays out. */
const echo = ({ seq, receiver, line }: Header, account: string | null): string =>
  `${seq}${receiver === null ? '' : `R${receiver}`}${line === null ? '' : `L${line}`}${account === null ? '' : `#${account}`}`

/** Clause 5.5.2: taken. */
export const ack = (header: Header, account: string | null, binaryCrc: boolean): Buffer =>
  frameOf(`"ACK"${echo(header, account)}[]`, binaryCrc)

/** Clause 5.5.2.1: taken, in cipher; `seal` makes the hex digits of what stands behind the `[`. */
export const sealedAck = (
  header: Header,
  binaryCrc: boolean,
  now: number,
  seal: (content: string) => string,
): Buffer => frameOf(`"*ACK"${echo(header, header.account)}[${seal(`]_${stampOf(now)}`)}`, binaryCrc)

/** Clause 5.5.3.2: the time test failed; carries our time, and is never encrypted. */
export const nak = (now: number, binaryCrc: boolean): Buffer =>
  frameOf(`"NAK"0000R0L0A0[]_${stampOf(now)}`, binaryCrc)

/** Clause 5.5.3.3: received, and not to be processed; never encrypted. */
export const duh = (header: Header, account: string | null, binaryCrc: boolean): Buffer =>
  frameOf(`"DUH"${echo(header, account)}[]`, binaryCrc)
