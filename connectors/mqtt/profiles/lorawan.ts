import {
  type Fields,
  fieldsOf,
  type Heard,
  isFields,
  jsonOf,
  listOf,
  Malformed,
  type Message,
  type Near,
  nameOf,
  numberOf,
  type Pressed,
  percentOf,
  type Read,
  timeOf,
} from '../heard.ts'
import { milesight } from './milesight.ts'

/** A confirmed uplink whose acknowledgement is lost is sent again with the same frame count, within this, ms. */
const frameSameMs = 600_000
/** Ids that a network server draws are used once, ms: as long as it may tell a message again. */
const drawnSameMs = 86_400_000

/** ChirpStack 4: `event/up` and `event/status`. */
export const chirpstack =
  (pressed: readonly string[]): Read =>
  (message) => {
    const event = fieldsOf(jsonOf(message))
    const info = fieldsOf(event['deviceInfo'])
    const [, eui] = /\/device\/([^/]+)\/event\//.exec(message.topic) ?? []
    const frame = numberOf(event['fCnt'])
    const drawn = nameOf(event['deduplicationId'])
    return uplink(message, event, {
      names: [nameOf(info['devEui']) ?? nameOf(event['devEui']) ?? eui, nameOf(info['deviceName'])],
      at: timeOf(event['time']),
      near: gatewaysOf(event['rxInfo'], ({ gatewayId }) => gatewayId),
      battery: percentOf(event['batteryLevel']),
      // After a join the count starts anew, but with another address.
      frame: frame === undefined ? undefined : `${nameOf(event['devAddr']) ?? ''}/${frame}`,
      drawn,
      decoded: event['object'],
      bytes: event['data'],
      simulated: false,
      pressed,
    })
  }

/** The Things Stack 3. What its console simulates says so, and must never be taken for a press. */
export const tts =
  (pressed: readonly string[]): Read =>
  (message) => {
    const event = fieldsOf(jsonOf(message))
    const ids = fieldsOf(event['end_device_ids'])
    const up = fieldsOf(event['uplink_message'])
    const frame = numberOf(up['f_cnt'])
    const session = nameOf(up['session_key_id']) ?? nameOf(ids['dev_addr']) ?? ''
    const correlated = Array.isArray(event['correlation_ids']) ? event['correlation_ids'].map(nameOf) : []
    return uplink(message, event, {
      names: [nameOf(ids['dev_eui']), nameOf(ids['device_id'])],
      at: timeOf(event['received_at']) ?? timeOf(up['received_at']),
      near: gatewaysOf(up['rx_metadata'], ({ gateway_ids }) => fieldsOf(gateway_ids)['gateway_id']),
      battery: percentOf(fieldsOf(up['last_battery_percentage'])['value']),
      frame: frame === undefined ? undefined : `${session}/${frame}`,
      drawn: correlated.find((id) => id?.startsWith('as:up:')),
      decoded: up['decoded_payload'],
      bytes: up['frm_payload'],
      simulated: event['simulated'] === true || up['simulated'] === true,
      pressed,
    })
  }

interface Uplink {
  readonly names: readonly (string | undefined)[]
  readonly at: number | undefined
  readonly near: readonly Near[]
  readonly battery: number | undefined
  readonly frame: string | undefined
  readonly drawn: string | undefined
  readonly decoded: unknown
  readonly bytes: unknown
  readonly simulated: boolean
  readonly pressed: readonly string[]
}

const uplink = (message: Message, event: Fields, up: Uplink): Heard[] => {
  const names = up.names.filter((name) => name !== undefined)
  if (names.length === 0) throw new Malformed('no device in it')
  const own = milesight(up.bytes)
  const object = fieldsOf(up.decoded)
  const press = pressIn(object, up.pressed) ?? own.press
  const battery =
    up.battery ?? percentOf(object['battery']) ?? percentOf(object['batteryLevel']) ?? own.battery
  return [
    {
      names,
      what: 'button',
      near: up.near,
      at: up.at,
      batteryPercent: battery,
      signs: press === undefined ? [] : [{ ...press, sign: signOf(message, up), simulated: up.simulated }],
      raw: event,
    },
  ]
}

/** A simulated frame must not be taken for the real one of the same count, nor the other way round. */
const signOf = ({ payload }: Message, { frame, drawn, at, simulated }: Uplink): Pressed['sign'] => {
  const whose = simulated ? 'simulated/' : ''
  if (frame !== undefined) return { is: 'event', id: `${whose}${frame}`, sameMs: frameSameMs }
  const id = drawn ?? at ?? payload.toString('base64').slice(0, 200)
  return { is: 'event', id: `${whose}${id}`, sameMs: drawnSameMs }
}

const gatewaysOf = (received: unknown, id: (fields: Fields) => unknown): Near[] =>
  (received === undefined ? [] : listOf(received)).flatMap((fields) => {
    const name = nameOf(id(fields))
    return name === undefined ? [] : [{ is: 'gateway', name, rssi: numberOf(fields['rssi']) }]
  })

/** What decoders say when nothing is pressed. */
const idle = new Set(
  [
    '',
    'none',
    'no',
    'idle',
    'off',
    'ok',
    'false',
    '0',
    'normal',
    'inactive',
    'clear',
    'release',
    'released',
  ].concat(['notpressed', 'not pressed', 'not_pressed', 'notpushed']),
)

/** Where decoders that make a map of a press put how it was. */
const inside = ['status', 'state', 'event', 'type', 'value', 'name']

/** How it was pressed, by the first of the fields that is there and not idle. */
const pressIn = (object: Fields, names: readonly string[]): { pattern?: string } | undefined => {
  for (const name of names) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined
    const press = isFields(value) ? pressIn(value, inside) : pressOf(value)
    if (press) return press
  }
  return undefined
}

const pressOf = (value: unknown): { pattern?: string } | undefined => {
  if (value === true || value === 1) return {}
  const pattern = nameOf(value)
  return pattern === undefined || idle.has(pattern.toLowerCase())
    ? undefined
    : { pattern: pattern.slice(0, 40) }
}
