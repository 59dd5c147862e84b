import {
  type Fields,
  fieldsOf,
  type Heard,
  isFields,
  jsonOf,
  listOf,
  Malformed,
  type Near,
  nameOf,
  type Pressed,
  type Read,
  timeOf,
} from '../heard.ts'

/** Quuppa tags, and others that tell the state of a button with the time of its last press. */
export const quuppa: Read = (message) => {
  const body = jsonOf(message)
  const heard = listOf(isFields(body) && 'tags' in body ? body['tags'] : body).flatMap(tag)
  if (heard.length === 0) throw new Malformed('no `tagId` in it')
  return heard
}

const tag = (fields: Fields): Heard[] => {
  const ids = [fields['tagId'], fields['deviceAddress'], fields['id'], fields['tagName']]
  const names = [...new Set(ids.map(nameOf))].filter((name) => name !== undefined)
  if (names.length === 0) return []
  const buttons = [1, 2, 3, 4].flatMap((number) =>
    button(`button${number}`, fields[`button${number}State`], fields[`button${number}LastPressTS`]),
  )
  const signs = [...buttons, ...button('button1', fields['buttonState'], fields['lastButtonPressTS'])]
  const states = signs.flatMap(({ sign }) => (sign.is === 'stamp' ? [sign.pushed] : []))
  const alarm = fields['batteryAlarm']
  return [
    {
      names,
      what: 'badge',
      near: zones(fields),
      at: timeOf(fields['locationTS']) ?? timeOf(fields['lastPacketTS']),
      batteryLow: alarm === 'low' ? true : alarm === 'ok' ? false : undefined,
      active: states.length === 0 ? undefined : states.includes(true),
      signs,
      raw: fields,
    },
  ]
}

/** The first button needs no name: it is the badge. */
const button = (name: string, state: unknown, lastPress: unknown): Pressed[] => {
  if (state !== 'pushed' && state !== 'notPushed') return []
  const pressedAt = timeOf(lastPress) ?? null
  const sign = { is: 'stamp', button: name, pushed: state === 'pushed', pressedAt } as const
  return [name === 'button1' ? { sign } : { sign, pattern: name }]
}

/** Names before ids, since people may have to read them. */
const zones = (fields: Fields): Near[] => {
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value.slice(0, 20) : [])
  const older = list(fields['zones']).map(fieldsOf)
  return [
    ...list(fields['locationZoneNames']),
    ...older.map((zone) => zone['name']),
    ...list(fields['locationZoneIds']),
    ...older.map((zone) => zone['id']),
    fields['areaName'],
    fields['areaId'],
  ]
    .map(nameOf)
    .filter((name) => name !== undefined)
    .map((name) => ({ is: 'zone', name }))
}
