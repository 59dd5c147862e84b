import {
  type Fields,
  type Heard,
  isFields,
  jsonOf,
  listOf,
  Malformed,
  nameOf,
  numberOf,
  percentOf,
  type Read,
} from '../heard.ts'
import type { Config } from '../index.ts'
import { canonical } from '../names.ts'

type Alarm = NonNullable<Config['alarm']>

interface Beacon {
  readonly uuid: string | undefined
  readonly major: number | undefined
  readonly minor: number | undefined
}

/** Minew G1 gateways and alike: a list of advertisements, the gateway itself among them. */
export const minew =
  (alarm: Alarm): Read =>
  (message) => {
    const entries = listOf(jsonOf(message))
    const gateway =
      nameOf(entries.find(({ type }) => type === 'Gateway')?.['mac']) ??
      /(?:^|\/)gw\/([^/]+)\//.exec(message.topic)?.[1]
    const heard = entries
      .filter(({ type }) => type !== 'Gateway')
      .flatMap((fields) => {
        const beacon = beaconOf(fields['ibeaconUuid'], fields['ibeaconMajor'], fields['ibeaconMinor'])
        // The MAC first: with `alarm`, UUID or numbers change while pressed.
        return advert(fields, [nameOf(fields['mac']), ...namesOf(beacon)], beacon, alarm, gateway)
      })
    if (heard.length === 0 && entries.length === 0) throw new Malformed('no list of advertisements')
    return heard
  }

/** OpenMQTTGateway and Theengs: one advertisement a message. MAC addresses may be random, so iBeacons go by their numbers. */
export const openmqttgateway =
  (alarm: Alarm): Read =>
  (message) => {
    const fields = jsonOf(message)
    const [, gateway] = /([^/]+)\/BTtoMQTT(?:\/|$)/.exec(message.topic) ?? []
    if (!isFields(fields)) throw new Malformed('not an advertisement')
    const beacon = beaconOf(fields['uuid'], fields['major'], fields['minor'])
    const names = [...namesOf(beacon), nameOf(fields['mac']) ?? nameOf(fields['id'])]
    const heard = advert(fields, names, beacon, alarm, gateway)
    if (heard.length === 0) throw new Malformed('neither `id` nor `uuid` in it')
    return heard
  }

const beaconOf = (uuid: unknown, major: unknown, minor: unknown): Beacon => ({
  uuid: typeof uuid === 'string' ? canonical(uuid).slice(0, 40) : undefined,
  major: numberOf(major),
  minor: numberOf(minor),
})

const namesOf = ({ uuid, major, minor }: Beacon): string[] =>
  major === undefined || minor === undefined
    ? []
    : [...(uuid === undefined ? [] : [`${uuid}/${major}/${minor}`]), `${major}/${minor}`]

const advert = (
  fields: Fields,
  named: readonly (string | undefined)[],
  beacon: Beacon,
  alarm: Alarm,
  gateway: string | undefined,
): Heard[] => {
  const names = named.filter((name) => name !== undefined)
  if (names.length === 0) return []
  // Beacons that measure none say 0.
  const battery = percentOf(fields['battery']) ?? percentOf(fields['batt'])
  return [
    {
      names,
      what: 'badge',
      near: gateway === undefined ? [] : [{ is: 'gateway', name: gateway, rssi: numberOf(fields['rssi']) }],
      batteryPercent: battery === 0 ? undefined : battery,
      signs: says(beacon, alarm) ? [{ sign: { is: 'advert' } }] : [],
      raw: fields,
    },
  ]
}

const says = (beacon: Beacon, { uuid, major, minor }: Alarm): boolean =>
  (uuid === undefined || beacon.uuid === canonical(uuid)) &&
  (major === undefined || beacon.major === major) &&
  (minor === undefined || beacon.minor === minor)
