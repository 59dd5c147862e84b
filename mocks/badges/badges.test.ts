import mqtt from 'mqtt'
import { afterEach, expect, test } from 'vitest'
import { type Mosquitto, startMosquitto } from '../mosquitto/index.ts'
import { badgesAt, payloads } from './index.ts'
import { encodePublish } from './publisher.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Heard {
  readonly topic: string
  readonly body: any
  readonly qos: number
  readonly retain: boolean
}

/** What a subscriber with another implementation of MQTT hears. */
const subscriber = async (broker: Mosquitto): Promise<Heard[]> => {
  const heard: Heard[] = []
  const client = await mqtt.connectAsync({ host: '127.0.0.1', port: broker.brokerPort })
  ends.push(() => client.endAsync(true))
  client.on('message', (topic, payload, { qos, retain }) => {
    heard.push({ topic, body: JSON.parse(payload.toString()), qos, retain })
  })
  await client.subscribeAsync('#', { qos: 1 })
  return heard
}

const start = async () => {
  const broker = await startMosquitto()
  ends.push(() => broker.close())
  const badges = badgesAt({ port: broker.brokerPort })
  ends.push(() => badges.close())
  return { broker, badges }
}

const until = async (check: () => boolean) => {
  for (const end = Date.now() + 5_000; !check(); await new Promise((resolve) => setTimeout(resolve, 5)))
    if (Date.now() > end) throw new Error('not within 5 s')
}

test('the bytes of a PUBLISH: the example of MQTT 3.1.1, 3.3, and a length of two bytes', () => {
  expect(encodePublish('a/b', Buffer.from('hi'), { qos: 1, retain: false, id: 10 }).toString('hex')).toBe(
    '32090003612f62000a6869',
  )
  expect(
    encodePublish('a/b', Buffer.alloc(200), { qos: 0, retain: true, id: 1 }).subarray(0, 8).toString('hex'),
  ).toBe('31cd010003612f62')
})

test('another implementation hears what the badges say', async () => {
  const { broker, badges } = await start()
  const heard = await subscriber(broker)
  await badges.click('17', { gateways: ['a', 'b'] })
  await badges.advertise('17', ['a'])
  await badges.say(payloads.zigbee('desk', 'single'), { qos: 0 })
  await until(() => heard.length === 4)
  expect(heard.map(({ body }) => [body.sourceId, body.clickCounter])).toEqual([
    ['a', 1],
    ['b', 1],
    ['a', 1],
    [undefined, undefined],
  ])
  expect(heard.map(({ qos }) => qos)).toEqual([1, 1, 1, 0])
})

test('badges wait for a broker that restarts, which keeps what it had', async () => {
  const { broker, badges } = await start()
  await badges.say(payloads.zigbee('desk', 'single'), { retain: true })
  await broker.stopBroker('SIGTERM')
  const meanwhile = badges.say(payloads.zigbee('hall', 'double'), { retain: true })
  await broker.startBroker()
  await meanwhile
  const heard = await subscriber(broker)
  await until(() => heard.length === 2)
  expect(heard.map(({ topic, retain }) => [topic, retain]).toSorted()).toEqual([
    ['zigbee2mqtt/desk', true],
    ['zigbee2mqtt/hall', true],
  ])
})

test('the line counts what is delivered and acknowledged, and can be cut', async () => {
  const { broker, badges } = await start()
  const client = await mqtt.connectAsync({ host: '127.0.0.1', port: broker.port, reconnectPeriod: 0 })
  ends.push(() => client.endAsync(true))
  await client.subscribeAsync('#', { qos: 1 })
  await badges.click('17')
  await until(() => broker.deliveries.acknowledged === 1)
  expect(broker.deliveries.delivered).toBe(1)
  const gone = new Promise<void>((resolve) => client.once('close', () => resolve()))
  await broker.cut(0)
  await gone
  await until(() => broker.openSockets === 0)
})
