/** Payloads as the vendors' systems publish them, built from what is public about each (`topic` and JSON). */
export interface Published {
  readonly topic: string
  readonly body: unknown
}

const iso = (at: number): string => new Date(at).toISOString()

export interface KontaktTelemetry {
  readonly tag: string
  readonly gateway: string
  readonly rssi?: number
  /** Clicks so far, and ms since the last; null: none. */
  readonly clicks: number
  readonly sinceMs: number | null
  readonly battery?: number
  readonly at?: number
}

/** Kontakt.io location streams: one object for each telemetry that a gateway has heard. */
export const kontakt = (of: KontaktTelemetry): Published => {
  const { tag, gateway, rssi = -70, clicks, sinceMs, battery = 93, at = Date.now() } = of
  return {
    topic: 'telemetry/2c5e',
    body: {
      companyId: '2c5e',
      userId: '71aa',
      sourceId: gateway,
      sourceType: 'GATEWAY',
      trackingId: tag,
      rssi,
      timestamp: iso(at),
      beaconTimestamp: Math.floor(at / 1_000),
      batteryLevel: battery,
      timeSinceClick: sinceMs === null ? 65_535 : Math.min(65_535, Math.floor(sinceMs / 1_000)),
      clickCounter: clicks,
      temperature: 21.5,
    },
  }
}

export interface QuuppaTag {
  readonly tag: string
  readonly zone?: string
  readonly pushed: boolean
  readonly lastPressAt: number | null
  readonly batteryLow?: boolean
  readonly at?: number
}

/** A Quuppa positioning engine that pushes its tag data. */
export const quuppa = ({
  tag,
  zone,
  pushed,
  lastPressAt,
  batteryLow = false,
  at = Date.now(),
}: QuuppaTag): Published => ({
  topic: 'quuppa/tags',
  body: {
    version: '2.1',
    responseTS: at,
    tags: [
      {
        tagId: tag,
        tagName: null,
        lastPacketTS: at,
        locationTS: at,
        location: [12.1, 4.4, 1.2],
        locationZoneIds: zone === undefined ? [] : [`id-${zone}`],
        locationZoneNames: zone === undefined ? [] : [zone],
        button1State: pushed ? 'pushed' : 'notPushed',
        button1StateTS: at,
        button1LastPressTS: lastPressAt,
        batteryAlarm: batteryLow ? 'low' : 'ok',
        batteryAlarmTS: at,
      },
    ],
  },
})

export interface Advert {
  readonly mac: string
  readonly uuid: string
  readonly major?: number
  readonly minor?: number
  readonly rssi?: number
}

/** A Minew G1 gateway: itself first, then the advertisements that it has gathered. */
export const minew = (gateway: string, adverts: readonly Advert[], at = Date.now()): Published => ({
  topic: `/gw/${gateway.toLowerCase()}/status`,
  body: [
    { timestamp: iso(at), type: 'Gateway', mac: gateway, gatewayFree: 31, gatewayLoad: 0.9 },
    ...adverts.map(({ mac, uuid, major = 0, minor = 0, rssi = -60 }) => ({
      timestamp: iso(at),
      type: 'iBeacon',
      mac,
      bleName: '',
      ibeaconUuid: uuid,
      ibeaconMajor: major,
      ibeaconMinor: minor,
      rssi,
      ibeaconTxPower: -59,
      battery: 0,
    })),
  ],
})

/** OpenMQTTGateway: one message for each advertisement; `mac` may well be another one each time. */
export const openmqttgateway = (
  gateway: string,
  { mac, uuid, major = 0, minor = 0, rssi = -70 }: Advert,
): Published => ({
  topic: `home/${gateway}/BTtoMQTT/${mac.replaceAll(':', '')}`,
  body: {
    id: mac,
    mac_type: 1,
    rssi,
    brand: 'GENERIC',
    model: 'iBeacon',
    model_id: 'IBEACON',
    mfid: '4c00',
    uuid,
    major,
    minor,
    txpower: -66,
  },
})

export interface LoraUplink {
  readonly eui: string
  readonly frame: number
  readonly address?: string
  /** As the network server decodes it; without it only the bytes are there. */
  readonly decoded?: Readonly<Record<string, unknown>>
  readonly bytes?: readonly number[]
  readonly gateways?: readonly { readonly id: string; readonly rssi: number }[]
  readonly at?: number
  /** Of the network server, drawn anew when a frame is repeated. */
  readonly drawn?: string
}

const FULL = { rssi: -88, id: '24e124fffef86c30' } as const

/** ChirpStack 4, `event/up`. */
export const chirpstack = (up: LoraUplink): Published => ({
  topic: `application/268a028f/device/${up.eui}/event/up`,
  body: {
    deduplicationId: up.drawn ?? `${up.eui}-${up.frame}`,
    time: iso(up.at ?? Date.now()).replace('Z', '+00:00'),
    deviceInfo: { applicationName: 'buttons', deviceName: `button ${up.eui.slice(-4)}`, devEui: up.eui },
    devAddr: up.address ?? '00754d8f',
    fCnt: up.frame,
    fPort: 85,
    confirmed: true,
    data: Buffer.from(up.bytes ?? []).toString('base64'),
    ...(up.decoded && { object: up.decoded }),
    rxInfo: (up.gateways ?? [FULL]).map(({ id, rssi }) => ({
      gatewayId: id,
      rssi,
      snr: 9.5,
      crcStatus: 'CRC_OK',
    })),
  },
})

/** The Things Stack 3, `up`; `simulated` is what its console makes, without a frame count. */
export const tts = (up: LoraUplink & { readonly simulated?: boolean }): Published => ({
  topic: `v3/hospital@tenant/devices/button-${up.eui.toLowerCase()}/up`,
  body: {
    end_device_ids: {
      device_id: `button-${up.eui.toLowerCase()}`,
      dev_eui: up.eui,
      dev_addr: up.address ?? '260B1234',
    },
    correlation_ids: [`as:up:${up.drawn ?? `${up.eui}-${up.frame}`}`],
    received_at: iso(up.at ?? Date.now()),
    uplink_message: {
      f_port: 85,
      ...(up.simulated ? {} : { f_cnt: up.frame, session_key_id: 'AYzQ' }),
      frm_payload: Buffer.from(up.bytes ?? []).toString('base64'),
      ...(up.decoded && { decoded_payload: up.decoded }),
      rx_metadata: (up.gateways ?? [FULL]).map(({ id, rssi }) => ({
        gateway_ids: { gateway_id: id },
        rssi,
        snr: 7,
      })),
    },
    ...(up.simulated && { simulated: true }),
  },
})

/** A button behind zigbee2mqtt. */
export const zigbee = (
  name: string,
  action: string,
  more: Readonly<Record<string, unknown>> = {},
): Published => ({
  topic: `zigbee2mqtt/${name}`,
  body: { action, battery: 97, linkquality: 120, ...more },
})

/** A Shelly button of the first generation: S, SS, SSS or L, and a count. */
export const shelly1 = (id: string, event: 'S' | 'SS' | 'SSS' | 'L', count: number): Published => ({
  topic: `shellies/${id}/input_event/0`,
  body: { event, event_cnt: count },
})

/** A Shelly of the second generation. */
export const shelly2 = (id: string, event: string, at = Date.now()): Published => ({
  topic: `${id}/events/rpc`,
  body: {
    src: id,
    dst: `${id}/events`,
    method: 'NotifyEvent',
    params: { ts: at / 1_000, events: [{ component: 'input:0', id: 0, event, ts: at / 1_000 }] },
  },
})
