import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { payloads } from '../../mocks/badges/index.ts'
import { listening } from './fixtures/listening.ts'

const published = JSON.parse(
  readFileSync(new URL('./fixtures/payloads.json', import.meta.url), 'utf8'),
) as Record<string, { payload: any }>
const payloadOf = (id: string): any => structuredClone(published[id]?.payload)

type Listening = ReturnType<typeof listening>
let bridge: Listening
const presses = () => bridge.facts.filter((fact) => fact.is === 'press')
const noted = (device: string) =>
  Object.assign({}, ...bridge.notes.filter((note) => note.device === device).map(({ state }) => state))

describe('kontakt', () => {
  beforeEach(() => {
    bridge = listening({ profile: 'kontakt' }, { anna: 'd3:46:4c:e6:95:4b' })
  })
  const badge = { tag: 'd3464ce6954b', gateway: 'gw-1', clicks: 4, sinceMs: null }

  test('the published telemetry is no press, but a badge near a gateway', async () => {
    await bridge.say('telemetry/abcdef', payloadOf('kontakt-telemetry'))
    expect(presses()).toEqual([])
    const pressed = { ...payloadOf('kontakt-telemetry'), clickCounter: 1, timeSinceClick: 0 }
    await bridge.say('telemetry/abcdef', pressed)
    expect(presses()).toMatchObject([{ device: null, from: 'badge abcdef, near gateway abcdef' }])
  })

  test('a click that three gateways tell twice is one press, at the place of the loudest', async () => {
    await bridge.vendor(payloads.kontakt({ ...badge, gateway: 'gw-2', rssi: -50 }))
    for (const gateway of ['gw-1', 'gw-2', 'gw-9', 'gw-1', 'gw-2', 'gw-9'])
      await bridge.vendor(
        payloads.kontakt({ ...badge, gateway, rssi: gateway === 'gw-2' ? -51 : -80, clicks: 5, sinceMs: 0 }),
      )
    expect(presses()).toMatchObject([
      {
        device: 'anna',
        from: 'anna',
        phase: 'active',
        sighting: { place: 'north/l2/ed/triage', precision: 'room', from: 'badge' },
      },
    ])
    expect(noted('anna')).toMatchObject({ quality: 'good', batteryPercent: 93 })
  })

  test('near a gateway that nobody mapped there is no location, but everything else', async () => {
    await bridge.vendor(payloads.kontakt({ ...badge, gateway: 'gw-1', rssi: -80 }))
    await bridge.vendor(payloads.kontakt({ ...badge, gateway: 'ED-4', rssi: -40, clicks: 5, sinceMs: 0 }))
    expect(presses()).toHaveLength(1)
    expect(presses()[0]).not.toHaveProperty('sighting')
  })

  test('a badge that nobody configured: in words, and where it is when that is known', async () => {
    await bridge.vendor(payloads.kontakt({ ...badge, tag: '0117', gateway: 'ED-4', clicks: 9, sinceMs: 0 }))
    await bridge.vendor(payloads.kontakt({ ...badge, tag: '0118', gateway: 'GW-1', clicks: 9, sinceMs: 0 }))
    expect(presses()).toMatchObject([
      { device: null, from: 'badge 0117, near gateway ED-4' },
      { device: null, from: 'badge 0118, near gateway GW-1', sighting: { place: 'north/l2/ed/hall' } },
    ])
  })

  test('the time of a click is by the badge, its age by the counter of seconds', async () => {
    const at = Date.now() - 30_000
    await bridge.vendor(payloads.kontakt({ ...badge, at }))
    await bridge.vendor(payloads.kontakt({ ...badge, clicks: 7, sinceMs: 4_000, at }))
    expect(presses()).toMatchObject([{ occurredAt: at - 4_000, raw: { presses: 3 } }])
  })

  test('a list of telemetry, and names in topics', async () => {
    const body = (tag: string) => payloads.kontakt({ ...badge, tag, sinceMs: 0 }).body
    await bridge.say('telemetry/abc', [body('a'), body('b')])
    await bridge.say('/stream/c7/all', { clickCounter: 1, timeSinceClick: 0 })
    expect(presses().map(({ from }) => from)).toEqual([
      'badge a, near gateway gw-1',
      'badge b, near gateway gw-1',
      'badge c7',
    ])
  })
})

describe('quuppa', () => {
  beforeEach(() => {
    bridge = listening({ profile: 'quuppa' }, { anna: 'efba5c8e412a' })
  })
  const tag = { tag: 'efba5c8e412a', pushed: false, lastPressAt: null }

  test('pushed, told five times, released: one press, and nothing is taken back', async () => {
    const lastPressAt = Date.now()
    await bridge.vendor(payloads.quuppa({ ...tag, zone: 'gw-2' }))
    for (let time = 0; time < 5; time++)
      await bridge.vendor(payloads.quuppa({ ...tag, pushed: true, lastPressAt, zone: 'gw-2' }))
    await bridge.vendor(payloads.quuppa({ ...tag, lastPressAt }))
    expect(presses()).toMatchObject([
      { device: 'anna', phase: 'active', occurredAt: lastPressAt, sighting: { place: 'north/l2/ed/triage' } },
    ])
    expect(noted('anna')).toMatchObject({ active: false })
  })

  test('a press between two tellings is seen by its time', async () => {
    await bridge.vendor(payloads.quuppa({ ...tag, lastPressAt: Date.now() - 9_000_000 }))
    expect(presses()).toEqual([])
    await bridge.vendor(payloads.quuppa({ ...tag, lastPressAt: Date.now() - 3_000 }))
    expect(presses()).toHaveLength(1)
  })

  test('a low battery is a trouble, once, and its end', async () => {
    for (const batteryLow of [false, true, true, false])
      await bridge.vendor(payloads.quuppa({ ...tag, batteryLow }))
    expect(
      bridge.facts.map((fact) => [
        fact.is,
        fact.is === 'trouble' && fact.trouble,
        'phase' in fact && fact.phase,
      ]),
    ).toEqual([
      ['trouble', 'low-battery', 'active'],
      ['trouble', 'low-battery', 'restored'],
    ])
  })

  test('the second button is a pattern, a single tag or a list of them will do, and older names', async () => {
    await bridge.say('quuppa/x', {
      tagId: 'a',
      button1State: 'notPushed',
      button2State: 'pushed',
      button2LastPressTS: Date.now(),
    })
    await bridge.say('quuppa/x', [
      { id: 'b', buttonState: 'pushed', lastButtonPressTS: Date.now(), areaName: 'ED-4' },
    ])
    expect(presses()).toMatchObject([
      { from: 'badge a', pattern: 'button2' },
      { from: 'badge b, in zone ED-4' },
    ])
  })
})

describe('minew', () => {
  const alarm = { uuid: 'E2C56DB5-DFFB-48D2-B060-D0F5A71096E1' }
  beforeEach(() => {
    bridge = listening({ profile: 'minew', alarm }, { anna: 'AC233F8C7CEE' })
  })
  const idle = 'E2C56DB5DFFB48D2B060D0F5A71096E0'
  const pressed = 'E2C56DB5DFFB48D2B060D0F5A71096E1'

  test('the published list is two badges near a gateway, none of them pressed', async () => {
    await bridge.say('/gw/ac233fc0bc43/status', payloadOf('minew-g1'))
    expect(presses()).toEqual([])
    expect(bridge.notes).toMatchObject([{ device: 'anna', state: { quality: 'good' } }])
    expect(noted('anna')).not.toHaveProperty('batteryPercent')
  })

  test('N gateways, M repeats: one press, where it is heard best', async () => {
    const mac = 'AC233F8C7CEE'
    for (let repeat = 0; repeat < 5; repeat++) {
      await bridge.vendor(
        payloads.minew('GW-1', [
          { mac, uuid: pressed, rssi: -81 },
          { mac: 'AC0000000001', uuid: idle },
        ]),
      )
      await bridge.vendor(payloads.minew('GW-2', [{ mac, uuid: pressed, rssi: -44 }]))
    }
    expect(presses()).toHaveLength(1)
    expect(noted('anna').sighting).toMatchObject({ place: 'north/l2/ed/triage', precision: 'room' })
  })

  test('while it is not on disk, each telling is offered as the same press', async () => {
    const kept = presses
    const { vendor } = bridge
    await vendor(payloads.minew('GW-1', [{ mac: 'AC233F8C7CEE', uuid: pressed }]))
    await vendor(payloads.minew('GW-2', [{ mac: 'ac:23:3f:8c:7c:ee', uuid: pressed }]))
    expect(kept()).toHaveLength(1)
  })
})

describe('openmqttgateway', () => {
  const idle = '1de4b189115e45f6b44e509352269977'
  const pressed = '1de4b189115e45f6b44e509352269978'
  beforeEach(() => {
    bridge = listening({ profile: 'openmqttgateway', alarm: { uuid: pressed } }, { anna: '7/301' })
  })

  test('random addresses: the numbers tell who it is, the UUID that it is pressed', async () => {
    const advert = { major: 7, minor: 301 }
    await bridge.vendor(payloads.openmqttgateway('gw-1', { ...advert, mac: '58:78:20:76:BC:24', uuid: idle }))
    expect(presses()).toEqual([])
    for (const mac of ['58:78:20:76:BC:25', '4B:11:00:FA:01:9C'])
      await bridge.vendor(payloads.openmqttgateway('gw-1', { ...advert, mac, uuid: pressed }))
    expect(presses()).toMatchObject([{ device: 'anna', sighting: { place: 'north/l2/ed/hall' } }])
  })

  test('one that nobody configured goes by its numbers', async () => {
    await bridge.vendor(
      payloads.openmqttgateway('ED-4', { mac: '58:78:20:76:BC:24', uuid: pressed, major: 9, minor: 9 }),
    )
    expect(presses()).toMatchObject([{ device: null, from: `badge ${pressed}/9/9, near gateway ED-4` }])
  })
})

describe('chirpstack', () => {
  beforeEach(() => {
    bridge = listening({ profile: 'chirpstack' }, { desk: '24E124535D387374' })
  })
  const up = { eui: '24e124535d387374', frame: 94 }
  const event = 'application/268a/device/24e124535d387374/event/up'

  test('the published frame is a short press', async () => {
    await bridge.say(event, payloadOf('milesight-chirpstack'))
    expect(presses()).toMatchObject([
      { device: 'desk', pattern: 'short', occurredAt: Date.parse('2024-04-24T11:33:35.335Z') },
    ])
  })

  test('without a decoder the bytes tell: press and battery', async () => {
    const { object: _, ...frame } = payloadOf('milesight-chirpstack')
    await bridge.say(event, frame)
    await bridge.vendor(payloads.chirpstack({ ...up, frame: 95, bytes: [0x01, 0x75, 0x61, 0xff, 0x2e, 3] }))
    await bridge.vendor(payloads.chirpstack({ ...up, frame: 96, bytes: [0xff, 0x2e, 2] }))
    await bridge.vendor(payloads.chirpstack({ ...up, frame: 97, bytes: [0xff, 0x2e, 9] }))
    expect(presses().map(({ pattern }) => pattern)).toEqual(['short', 'double', 'long', 'button-9'])
    expect(noted('desk')).toMatchObject({ batteryPercent: 0x61 })
  })

  test('a frame that is sent again, drawn another id, is the same; a new session counts anew', async () => {
    for (const drawn of ['one', 'two'])
      await bridge.vendor(payloads.chirpstack({ ...up, bytes: [0xff, 0x2e, 1], drawn }))
    expect(presses()).toHaveLength(1)
    await bridge.vendor(payloads.chirpstack({ ...up, address: '01020304', bytes: [0xff, 0x2e, 1] }))
    expect(presses()).toHaveLength(2)
  })

  test.each([
    [{ press: 'long' }, 'long'],
    [{ button_event: { status: 'double press' } }, 'double press'],
    [{ pressed: true }, undefined],
    [{ alarm: 1, battery: 88 }, undefined],
    [{ sos: 'SOS' }, 'SOS'],
  ])('decoders say %j', async (decoded, pattern) => {
    await bridge.vendor(payloads.chirpstack({ ...up, decoded }))
    expect(presses()).toHaveLength(1)
    expect(presses()[0]?.pattern).toBe(pattern)
  })

  test.each([
    [{ battery: 12 }],
    [{ press: 'none' }],
    [{ alarm: 0 }],
    [{ pressed: false }],
    [{ temperature: 21 }],
    [{}],
  ])('%j is no press', async (decoded) => {
    await bridge.vendor(payloads.chirpstack({ ...up, decoded }))
    expect(presses()).toEqual([])
  })

  test('the nearest gateway is where it was heard', async () => {
    const gateways = [
      { id: 'gw-1', rssi: -101 },
      { id: 'gw-2', rssi: -60 },
    ]
    await bridge.vendor(payloads.chirpstack({ ...up, decoded: { press: 'short' }, gateways }))
    expect(presses()).toMatchObject([{ sighting: { place: 'north/l2/ed/triage' } }])
  })

  test('a status is a battery', async () => {
    await bridge.say('application/1/device/24e124535d387374/event/status', {
      deviceInfo: { devEui: '24e124535d387374' },
      batteryLevel: 75.5,
    })
    expect(noted('desk')).toMatchObject({ batteryPercent: 75.5 })
  })
})

describe('tts', () => {
  beforeEach(() => {
    bridge = listening({ profile: 'tts' }, { desk: 'button-a1b2' })
  })
  const up = { eui: 'A1B2', frame: 7, decoded: { press: 'short' } }

  test('the published simulation is marked as one', async () => {
    await bridge.say('v3/icicle-monitor@tenant/devices/portenta-h7-icicle-00/up', payloadOf('tts-simulated'))
    expect(presses()).toMatchObject([{ simulated: true, from: 'button 3036363266398F0D, near gateway test' }])
  })

  test('what is simulated never hides what is real', async () => {
    await bridge.vendor(payloads.tts({ ...up, simulated: true, drawn: 'x' }))
    await bridge.vendor(payloads.tts(up))
    await bridge.vendor(payloads.tts({ ...up, drawn: 'again' }))
    expect(presses().map(({ simulated }) => simulated)).toEqual([true, undefined])
    expect(presses()).toMatchObject([{ device: 'desk' }, { device: 'desk', pattern: 'short' }])
  })
})

describe('button', () => {
  beforeEach(() => {
    bridge = listening({ profile: 'button' }, { desk: 'desk', left: 'shellyix3-9/0' })
  })

  test.each([
    [payloads.zigbee('desk', 'single'), 'single'],
    [payloads.zigbee('desk', 'double'), 'double'],
    [payloads.zigbee('desk', 'hold'), 'hold'],
    [payloads.shelly1('desk', 'L', 4), 'long'],
    [payloads.shelly1('desk', 'SSS', 5), 'triple'],
    [payloads.shelly2('desk', 'double_push'), 'double'],
    [{ topic: 'stat/desk/RESULT', body: { Button1: { Action: 'SINGLE' } } }, 'single'],
    [{ topic: 'zigbee2mqtt/desk/action', body: 'single' }, 'single'],
  ])('%j', async (published, pattern) => {
    await bridge.vendor(published)
    expect(presses()).toMatchObject([{ device: 'desk', pattern }])
  })

  test('reports, releases and ends of presses are none', async () => {
    await bridge.vendor(payloads.zigbee('desk', ''))
    await bridge.vendor(payloads.zigbee('desk', 'hold_release'))
    await bridge.vendor(payloads.shelly2('desk', 'btn_down'))
    await bridge.vendor(payloads.shelly2('desk', 'btn_up'))
    await bridge.say('desk/events/rpc', { src: 'desk', method: 'NotifyStatus', params: {} })
    expect(presses()).toEqual([])
    expect(noted('desk')).toMatchObject({ quality: 'good', batteryPercent: 97 })
  })

  test('a count that is told again is the same press, one of two inputs its own device', async () => {
    for (const count of [4, 4, 5]) await bridge.vendor(payloads.shelly1('shellyix3-9', 'S', count))
    expect(presses()).toMatchObject([{ device: 'left' }, { device: 'left' }])
  })

  test('the same word twice is two presses, but not as the echo of one', async () => {
    const again = payloads.zigbee('desk', 'single', { last_seen: '2026-01-05T08:00:00Z' })
    await bridge.vendor(again)
    await bridge.vendor(again, { again: true })
    await bridge.vendor(payloads.zigbee('desk', 'single', { last_seen: '2026-01-05T08:00:03Z' }))
    expect(presses()).toHaveLength(2)
    await bridge.vendor(payloads.zigbee('desk', 'double'))
    await bridge.vendor(payloads.zigbee('desk', 'double'))
    expect(presses()).toHaveLength(3)
  })

  test('retained: the last press, not one now', async () => {
    await bridge.vendor(payloads.zigbee('desk', 'single'), { retained: true })
    expect(presses()).toEqual([])
  })
})
