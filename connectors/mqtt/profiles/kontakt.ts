import {
  type Fields,
  type Heard,
  jsonOf,
  listOf,
  Malformed,
  nameOf,
  numberOf,
  type Pressed,
  percentOf,
  type Read,
  timeOf,
} from '../heard.ts'

/** `timeSinceClick` when there was none, or none since the counter of seconds ran over. */
const none = 65_535

/** Telemetry of Kontakt.io and others that count clicks: a press is no message, but a counter that has grown. */
export const kontakt: Read = (message) => {
  const [, uniqueId] = /^\/?stream\/([^/]+)\//.exec(message.topic) ?? []
  const heard = listOf(jsonOf(message)).flatMap((fields) => badge(fields, uniqueId))
  if (heard.length === 0) throw new Malformed('no `trackingId` in it')
  return heard
}

const badge = (fields: Fields, uniqueId: string | undefined): Heard[] => {
  const name = nameOf(fields['trackingId']) ?? nameOf(fields['uniqueId']) ?? uniqueId
  if (name === undefined) return []
  const gateway = nameOf(fields['sourceId'])
  return [
    {
      names: [name],
      what: 'badge',
      near: gateway === undefined ? [] : [{ is: 'gateway', name: gateway, rssi: numberOf(fields['rssi']) }],
      at: timeOf(fields['timestamp']),
      batteryPercent: percentOf(fields['batteryLevel']),
      signs: clicked(fields),
      raw: fields,
    },
  ]
}

const clicked = ({ clickCounter, timeSinceClick }: Fields): Pressed[] => {
  const counter = numberOf(clickCounter)
  if (counter === undefined || !Number.isSafeInteger(counter) || counter < 0) return []
  const since = numberOf(timeSinceClick)
  const sinceS = since === none ? null : since !== undefined && since >= 0 ? since : undefined
  return [{ sign: { is: 'counter', counter, sinceS } }]
}
