import { hash } from 'node:crypto'
import {
  type Fields,
  fieldsOf,
  type Heard,
  isFields,
  listOf,
  Malformed,
  type Message,
  nameOf,
  percentOf,
  type Read,
  type Sign,
  timeOf,
} from '../heard.ts'

/** The same words again within this are the same press, ms: no finger is so fast, but gateways tell things twice. */
const echoMs = 1_000
/** The same words told again by the broker, or again and again by the button with the same count, ms. */
const repeatMs = 120_000

/** Wall buttons behind zigbee2mqtt, Shelly (both generations), Tasmota, and whatever else says how it was pressed. */
export const button: Read = (message) => {
  const body = bodyOf(message)
  if (typeof body === 'string') return [pressed(message, topicNames(message.topic), body, echo(message))]
  if (!isFields(body)) throw new Malformed('not a press of a button')
  if (typeof body['method'] === 'string') return shelly2(message, body)
  if ('event_cnt' in body) return shelly1(message, body)
  return [named(message, body)]
}

const bodyOf = ({ payload }: Message): unknown => {
  const text = payload.toString('utf8')
  try {
    return JSON.parse(text) as unknown
  } catch {
    // Some say just "single".
    if (/^[\w -]{1,40}$/.test(text)) return text
    throw new Malformed('neither JSON nor a word')
  }
}

/** zigbee2mqtt, Tasmota and alike. */
const named = (message: Message, body: Fields): Heard => {
  const device = fieldsOf(body['device'])
  const names = [device['ieeeAddr'], device['friendlyName'], body['id'], body['mac']].map(nameOf)
  const tasmota = Object.entries(body).find(([name, value]) => /^Button\d+$/.test(name) && isFields(value))
  const action =
    nameOf(body['action']) ??
    nameOf(body['click']) ??
    nameOf(body['event']) ??
    nameOf(fieldsOf(tasmota?.[1])['Action']) ??
    ''
  const at = timeOf(body['last_seen']) ?? timeOf(body['timestamp']) ?? timeOf(body['ts'])
  const sign: Sign = at === undefined ? echo(message) : event(`${at} ${action}`, repeatMs)
  const heard = pressed(message, [...names, ...topicNames(message.topic)], action, sign)
  return { ...heard, at, batteryPercent: percentOf(body['battery']), raw: body }
}

/** Told again with each report, with the same count; a battery device may start to count anew when it wakes up. */
const shelly1 = (message: Message, body: Fields): Heard[] => {
  const [, id = '', input = '0'] = /([^/]+)\/input_event\/(\d+)/.exec(message.topic) ?? []
  const names = id === '' ? topicNames(message.topic) : [`${id}/${input}`, id]
  const action = nameOf(body['event']) ?? ''
  return [pressed(message, names, action, event(`${input} ${nameOf(body['event_cnt'])} ${action}`, repeatMs))]
}

const shelly2 = (message: Message, body: Fields): Heard[] => {
  const id = nameOf(body['src'])
  if (id === undefined) throw new Malformed('no `src` in it')
  const { events = [] } = fieldsOf(body['params'])
  return listOf(events).map((each) => {
    const names = [`${id}/${nameOf(each['id']) ?? '0'}`, id]
    const action = nameOf(each['component'])?.startsWith('input') ? (nameOf(each['event']) ?? '') : ''
    const at = timeOf(each['ts'])
    const sign = at === undefined ? echo(message) : event(`${names[0]} ${at} ${action}`, repeatMs)
    return { ...pressed(message, names, action, sign), at, raw: each }
  })
}

/** The name in a topic: what is left of `zigbee2mqtt/hall/desk/action` is `hall/desk`, and its last level. */
const topicNames = (topic: string): string[] => {
  const levels = topic.split('/').filter((level) => level !== '')
  const inner = levels.slice(levels.length > 1 ? 1 : 0)
  if (inner.length > 1 && /^(action|RESULT|event|events|click|state)$/.test(inner.at(-1) as string))
    inner.pop()
  return [inner.join('/'), inner.at(-1) ?? ''].map(nameOf).filter((name) => name !== undefined)
}

const echo = ({ payload, again }: Message): Sign =>
  event(hash('sha256', payload, 'hex').slice(0, 16), again ? repeatMs : echoMs)

const event = (id: string, sameMs: number): Sign => ({ is: 'event', id, sameMs })

const words: Readonly<Record<string, string>> = {
  s: 'single',
  ss: 'double',
  sss: 'triple',
  l: 'long',
  single_push: 'single',
  double_push: 'double',
  triple_push: 'triple',
  long_push: 'long',
}
/** Ends of presses, and what goes with every press of a Shelly. */
const ends = /(^|_)(release|released|up|down)$/

const pressed = (
  { payload }: Message,
  named: readonly (string | undefined)[],
  action: string,
  sign: Sign,
): Heard => {
  const names = named.filter((name) => name !== undefined)
  if (names.length === 0) throw new Malformed('no button in it')
  const pattern = words[action.toLowerCase()] ?? action.toLowerCase().slice(0, 40)
  return {
    names,
    what: 'button',
    near: [],
    signs: pattern === '' || pattern === 'none' || ends.test(pattern) ? [] : [{ sign, pattern }],
    raw: payload.toString('utf8', 0, 500),
  }
}
