import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type Badges, badgesAt, payloads } from '../../mocks/badges/index.ts'
import { Packets } from '../../mocks/mosquitto/deliveries.ts'
import { type Mosquitto, startMosquitto } from '../../mocks/mosquitto/index.ts'
import { testContext } from '../../test/context.ts'
import { Bridge, until } from './fixtures/bridge.ts'
import mqtt from './index.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

interface Stage {
  readonly broker: Mosquitto
  readonly badges: Badges
}

const stage = async (options: Parameters<typeof startMosquitto>[0] = {}): Promise<Stage> => {
  const broker = await startMosquitto(options)
  ends.push(() => broker.close())
  const badges = badgesAt({ port: broker.brokerPort })
  ends.push(() => badges.close())
  return { broker, badges }
}

const writtenFor = (port: number, more: object = {}) => ({
  config: {
    url: `mqtt://127.0.0.1:${port}`,
    profile: 'kontakt',
    areas: { 'gw-17': { place: 'north/hall', precision: 'zone' } },
    ...more,
  },
  inputs: { anna: 'badge-1', ben: 'badge-2' },
})

const bridgeTo = async ({ broker }: Stage, more: object = {}, before?: Bridge): Promise<Bridge> => {
  const bridge = await new Bridge(writtenFor(broker.port, more), before).start()
  ends.push(() => bridge.stop())
  await bridge.up()
  return bridge
}

/** The link alone, without core reopening it. */
const linkTo = async (port: number, more: object = {}, heard = () => {}) => {
  const around = testContext({ heard })
  const { config, inputs } = writtenFor(port, more)
  const opening = {
    name: 'badges',
    config: mqtt.config.parse(config),
    inputs: new Map(Object.entries(inputs).map(([device, id]) => [device, { id }])),
    outputs: new Map<string, never>(),
    cursors: new Map(),
  }
  const link = await mqtt.open(opening, around.ctx)
  ends.push(() => link.close())
  return { ...around, link }
}

describe.each([4, 5])('protocol level %i', (version) => {
  test('a cut of 20 s: the press made during it is seen, and the next within 5 s', async () => {
    const at = await stage()
    const bridge = await bridgeTo(at, { version })
    await at.badges.click('badge-1')
    await until(() => bridge.presses.length === 1, 'the press before the cut')
    const cut = at.broker.cut(20_000)
    await at.badges.click('badge-1', { gateways: ['gw-17', 'gw-2'] })
    await cut
    const backAt = performance.now()
    await until(() => bridge.presses.length === 2, 'the press made during the cut', 5_000)
    await at.badges.click('badge-2')
    await until(() => bridge.presses.length === 3, 'the next press', backAt + 5_000 - performance.now())
    await sleep(200)
    expect(bridge.presses.map(({ device }) => device)).toEqual(['anna', 'anna', 'ben'])
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'the broker restarts after %s: no press lost or doubled',
    async (signal) => {
      const at = await stage()
      const bridge = await bridgeTo(at, { version })
      await at.badges.click('badge-1')
      await until(() => bridge.presses.length === 1, 'the press before')
      await until(
        () => at.broker.deliveries.acknowledged === at.broker.deliveries.delivered,
        'its acknowledgement',
      )
      await at.broker.stopBroker(signal)
      await until(() => !bridge.isUp, 'the loss')
      const meanwhile = at.badges.click('badge-1')
      await at.broker.startBroker()
      const backAt = performance.now()
      await meanwhile
      await until(() => bridge.presses.length === 2, 'the press made while it was away', 5_000)
      await at.badges.click('badge-2')
      await until(() => bridge.presses.length === 3, 'the next press', backAt + 5_000 - performance.now())
      await sleep(200)
      expect(bridge.presses).toHaveLength(3)
    },
  )

  test('while we are away presses wait for us, each once', async () => {
    const at = await stage()
    const first = await bridgeTo(at, { version })
    await at.badges.click('badge-1')
    await until(() => first.presses.length === 1, 'the first press')
    await first.stop()
    await at.badges.click('badge-1', { repeats: 3, gateways: ['gw-17', 'gw-2'] })
    const second = await bridgeTo(at, { version }, first)
    await until(() => second.presses.length === 1, 'the press made while we were away')
    await sleep(200)
    expect(second.presses).toMatchObject([{ device: 'anna', sighting: { place: 'north/hall' } }])
  })
})

test('a broker that freezes is known to be lost within 20 s', async () => {
  const at = await stage()
  const { link } = await linkTo(at.broker.port)
  at.broker.behave({ is: 'half-open' })
  const frozenAt = performance.now()
  expect(await link.lost).toMatchObject({ code: 'TIMEOUT' })
  expect(performance.now() - frozenAt).toBeLessThan(20_000)
})

test('200 reconnections leave no socket, timer or listener', async () => {
  const at = await stage()
  await (await linkTo(at.broker.port)).link.close()
  const open = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout|TLS/.test(kind)).length
  const before = open()
  for (let cycle = 0; cycle < 200; cycle++) {
    const { link, abort } = await linkTo(at.broker.port, { version: cycle % 2 === 0 ? 4 : 5 })
    ends.pop()
    if (cycle % 4 === 0) abort.abort()
    else if (cycle % 4 === 1) await at.broker.cut(0)
    else await link.close()
    await link.lost
    await link.close()
  }
  await until(() => at.broker.openSockets === 0, 'no socket is left at the broker')
  await until(() => open() <= before, `what is open is what was: ${process.getActiveResourcesInfo()}`)
})

test('row 12: what a broker keeps of old is not told as fresh after a loss', async () => {
  const at = await stage()
  await at.badges.say(
    payloads.kontakt({
      tag: 'badge-1',
      gateway: 'gw-17',
      clicks: 3,
      sinceMs: 0,
      at: Date.now() - 86_400_000,
    }),
    { retain: true },
  )
  const bridge = await bridgeTo(at)
  await until(() => bridge.notes.length > 0, 'the retained telemetry is heard')
  expect(bridge.presses).toEqual([])
})

test('row 19: subscribing again after each loss makes no doubles', async () => {
  const at = await stage()
  const bridge = await bridgeTo(at, { topics: ['telemetry/+', 'telemetry/#'] })
  await at.badges.say(payloads.kontakt({ tag: 'badge-1', gateway: 'gw-17', clicks: 3, sinceMs: null }), {
    retain: true,
  })
  for (let loss = 1; loss <= 5; loss++) {
    await at.badges.click('badge-2')
    await until(() => bridge.presses.length === loss, `press ${loss}`)
    await at.broker.cut(1)
    await until(() => bridge.opens > loss && bridge.isUp, 'the link is back')
  }
  await sleep(200)
  expect(bridge.presses).toHaveLength(5)
})

test('row 13: a message that makes no sense is acknowledged, counted, logged once, and disturbs nothing', async () => {
  const at = await stage()
  const bridge = await bridgeTo(at, { 'max-payload': 1_000 })
  for (const payload of [
    '{"trackingId":',
    '[]',
    'null',
    Buffer.from([0xff, 0x00, 0xc0]),
    '',
    '{"a":1}',
    '"x"',
  ])
    await at.badges.raw('telemetry/x', payload)
  await at.badges.raw('telemetry/x', JSON.stringify({ trackingId: 'x', more: 'x'.repeat(400_000) }))
  await at.badges.click('badge-1')
  await until(() => bridge.presses.length === 1, 'the press behind them')
  const { deliveries } = at.broker
  await until(() => deliveries.delivered === 9 && deliveries.acknowledged === 9, 'all are acknowledged')
  expect(await bridge.probe()).toMatchObject({ thrownAway: 7, unacknowledged: 0 })
  expect(bridge.lines.filter(({ text }) => text.includes('makes no sense'))).toHaveLength(1)
  await at.broker.cut(1)
  await until(() => bridge.opens === 2 && bridge.isUp, 'the link is back')
  expect(deliveries.delivered).toBe(9)
})

describe('a press that is refused', () => {
  test('gets no acknowledgement until it is recorded, and costs nobody else the connection', async () => {
    const at = await stage()
    const bridge = await bridgeTo(at)
    bridge.refuses = ({ device }) => device === 'anna'
    await at.badges.click('badge-1')
    await until(() => bridge.offered.length > 0, 'it is offered')
    await at.badges.click('badge-2')
    for (let telemetry = 0; telemetry < 50; telemetry++) await at.badges.advertise('badge-2')
    await until(() => at.broker.deliveries.acknowledged === 51, 'all others are acknowledged')
    expect(at.broker.deliveries.delivered).toBe(52)
    expect(bridge.presses.map(({ device }) => device)).toEqual(['ben'])
    bridge.refuses = () => false
    await until(() => bridge.presses.length === 2, 'it is recorded')
    await until(() => at.broker.deliveries.acknowledged === 52, 'it is acknowledged')
    expect(new Set(bridge.offered.filter(({ device }) => device === 'anna').map(({ key }) => key)).size).toBe(
      1,
    )
    expect(bridge.opens).toBe(1)
  })

  test('more of them than the broker sends at once do not keep the next out', async () => {
    const at = await stage({ lines: ['max_inflight_messages 20'] })
    const bridge = await bridgeTo(at)
    bridge.refuses = () => true
    for (let badge = 0; badge < 40; badge++) await at.badges.click(`stranger-${badge}`)
    await until(() => new Set(bridge.offered.map(({ key }) => key)).size === 40, 'all are offered', 20_000)
    const unacknowledged = () => at.broker.deliveries.delivered - at.broker.deliveries.acknowledged
    await until(() => unacknowledged() === 10, 'ten are left unacknowledged')
    bridge.refuses = () => false
    await until(() => bridge.presses.length === 40, 'all are recorded')
    await until(() => unacknowledged() === 0, 'all are acknowledged')
  })

  test('is offered again by the next connection', async () => {
    const at = await stage()
    const bridge = await bridgeTo(at)
    bridge.refuses = () => true
    await at.badges.click('badge-1')
    await until(() => bridge.offered.length > 0, 'it is offered')
    await at.broker.cut(1)
    await until(() => bridge.opens === 2 && bridge.isUp, 'the link is back')
    bridge.refuses = () => false
    await until(() => bridge.presses.length === 1, 'it is recorded')
    await until(() => at.broker.deliveries.acknowledged === 1, 'what the broker told again is acknowledged')
    await sleep(100)
    expect(bridge.presses).toHaveLength(1)
  })
})

describe('the heartbeat', () => {
  test.each([4, 5])(
    'goes the way of a press and comes back with its mark, protocol level %i',
    async (version) => {
      const at = await stage()
      const { link, facts } = await linkTo(at.broker.port, { version })
      await link.beat?.('mark-1', new AbortController().signal)
      await until(() => facts.length === 1, 'the heartbeat comes in')
      expect(facts).toMatchObject([{ is: 'press', device: null, from: 'heartbeat', heartbeat: 'mark-1' }])
    },
  )

  test('what nobody called for is none', async () => {
    const at = await stage()
    const { link, facts } = await linkTo(at.broker.port)
    const topic = 'duress-bridge/duress-bridge-badges/heartbeat'
    await at.badges.raw(topic, 'mark-2')
    const { body } = payloads.kontakt({ tag: 'badge-1', gateway: 'gw-17', clicks: 3, sinceMs: 0 })
    await at.badges.raw(topic, JSON.stringify(body))
    await until(() => facts.length === 1, 'a press on its topic is a press')
    expect(facts[0]).toMatchObject({ device: 'anna' })
    expect(facts[0]).not.toHaveProperty('heartbeat')
    await link.close()
    await expect(link.beat?.('mark-3', new AbortController().signal)).rejects.toMatchObject({
      code: 'LINK_DOWN',
    })
  })
})

/** A broker that says what Mosquitto never does; `answer` gives the bytes for each packet of ours. */
const oddBroker = async (answer: (type: number, body: Buffer) => readonly number[]) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    const packets = new Packets((type, _flags, body) => socket.write(Buffer.from(answer(type, body))))
    socket.on('data', (bytes) => packets.take(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => new Promise((resolve) => server.close(() => resolve())))
  return { port: (server.address() as AddressInfo).port, sockets }
}

describe('who may not', () => {
  test('subscribe to the badges: said when opening', async () => {
    const { port, sockets } = await oddBroker((type, body) =>
      type === 1 ? [0x20, 2, 0, 0] : [0x90, 3, body[0] ?? 0, body[1] ?? 0, 0x80],
    )
    await expect(linkTo(port, { topics: ['telemetry/+'] })).rejects.toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('telemetry/+'),
    })
    await until(() => sockets.size === 0, 'nothing stays open')
  })

  test.each([
    [4, 5, 'UNAUTHORIZED', 'password'],
    [4, 1, 'REFUSED', 'version'],
    [4, 3, 'BUSY', 'not ready'],
    [5, 135, 'UNAUTHORIZED', 'password'],
    [5, 132, 'REFUSED', 'version'],
  ])('log in: level %i, code %i is %s', async (version, code, means, words) => {
    const { port, sockets } = await oddBroker(() =>
      version === 4 ? [0x20, 2, 0, code] : [0x20, 3, 0, code, 0],
    )
    await expect(linkTo(port, { version })).rejects.toMatchObject({
      code: means,
      message: expect.stringContaining(words),
    })
    await until(() => sockets.size === 0, 'nothing stays open')
  })

  test('send QoS 2: nobody subscribed to it', async () => {
    const publish = [0x34, 7, 0, 1, 0x74, 0, 9, 0x7b, 0x7d]
    const { port } = await oddBroker((type, body) =>
      type === 1 ? [0x20, 2, 0, 0] : [0x90, 3, body[0] ?? 0, body[1] ?? 0, 1, ...publish],
    )
    const outcome = await linkTo(port).then(
      ({ link }) => link.lost,
      (error: unknown) => error,
    )
    expect(outcome).toMatchObject({ code: 'BAD_ANSWER' })
  })

  test('two with the same client id', async () => {
    const at = await stage()
    const first = await linkTo(at.broker.port, { version: 5 })
    await linkTo(at.broker.port, { version: 5 })
    expect(await first.link.lost).toMatchObject({ message: expect.stringContaining('client-id') })
    const { port } = await oddBroker((type, body) =>
      type === 1 ? [0x20, 3, 0, 0, 0] : [0x90, 4, body[0] ?? 0, body[1] ?? 0, 0, 1, 0xe0, 2, 142, 0],
    )
    const outcome = await linkTo(port, { version: 5 }).then(
      ({ link }) => link.lost,
      (error: unknown) => error,
    )
    expect(outcome).toMatchObject({ message: expect.stringContaining('taken over') })
  })
})

test('a badge that nobody configured still summons help, once, wherever it is heard', async () => {
  const at = await stage()
  const bridge = await bridgeTo(at)
  await at.badges.click('0117', { gateways: ['ED-4', 'ED-4', 'gw-17'], repeats: 2 })
  await until(() => bridge.presses.length === 1, 'the press')
  await sleep(100)
  expect(bridge.presses).toMatchObject([{ device: null, from: 'badge 0117, near gateway ED-4' }])
})

test('the answer to a ping is a proof of life of the link, and of no badge', async () => {
  const at = await stage()
  let heard = 0
  const { notes } = await linkTo(at.broker.port, { keepalive: '1s' }, () => heard++)
  const before = heard
  await until(() => heard >= before + 2, 'pings are heard')
  expect(notes).toEqual([])
})
