import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodePublish } from '../../mocks/badges/publisher.ts'
import { Packets } from '../../mocks/mosquitto/deliveries.ts'
import { NoMqtt, Sluice } from './sluice.ts'

const max = 1_000

interface Passed {
  readonly flags: number
  readonly topic: string
  readonly id: number | null
  readonly payload: string
}

const through = (version: 4 | 5, chunks: readonly Buffer[]) => {
  const cuts: { topic: string; bytes: number }[] = []
  const packets: Passed[] = []
  const read = new Packets((_type, flags, body) => {
    const end = 2 + body.readUInt16BE(0)
    const hasId = (flags & 0b110) !== 0
    const payload = body.subarray(end + (hasId ? 2 : 0))
    packets.push({
      flags,
      topic: body.toString('utf8', 2, end),
      id: hasId ? body.readUInt16BE(end) : null,
      payload: payload.toString('latin1'),
    })
  })
  const sluice = new Sluice(max, version, (topic, bytes) => cuts.push({ topic, bytes }))
  let held = 0
  for (const chunk of chunks)
    for (const part of sluice.pass(chunk)) {
      held += part.length
      read.take(part)
    }
  return { packets, cuts, held }
}

const publish = (topic: string, length: number, qos: 0 | 1, id = 7): Buffer =>
  encodePublish(topic, Buffer.alloc(length, 0x2e), { qos, retain: false, id })

const cutInto = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = []
  let at = 0
  for (const size of sizes) {
    if (at >= bytes.length) break
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return [...chunks, bytes.subarray(at)]
}

describe('what is too large', () => {
  test.each([4, 5] as const)('leaves an empty message with its topic and identifier, level %i', (version) => {
    const { packets, cuts, held } = through(version, [publish('a/b', 200_000, 1, 513), publish('c', 3, 1)])
    const none = version === 5 ? '\0' : ''
    expect(packets).toEqual([
      { flags: 2, topic: 'a/b', id: 513, payload: none },
      { flags: 2, topic: 'c', id: 7, payload: '...' },
    ])
    expect(cuts).toEqual([{ topic: 'a/b', bytes: 200_007 }])
    expect(held).toBeLessThan(40)
  })

  test('leaves it only once it has come whole, so that nothing is acknowledged before', () => {
    const bytes = publish('a/b', 200_000, 1)
    expect(through(4, [bytes.subarray(0, -1)])).toEqual({ packets: [], cuts: [], held: 0 })
    expect(through(4, [bytes.subarray(0, -1), bytes.subarray(-1)]).packets).toHaveLength(1)
  })

  test.each([
    ['a packet that is no message', Buffer.from([0x90, 0xff, 0xff, 0x7f, 0, 1])],
    ['a length that never ends', Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1])],
    ['a topic of 60 KB', publish('t'.repeat(60_000), 10_000, 1)],
  ])('%s is no MQTT', (_, bytes) => {
    expect(() => through(4, [bytes])).toThrow(NoMqtt)
  })
})

test('however the bytes are cut, the same packets come through', () => {
  const message = fc.record({
    topic: fc.constantFrom('a', 'telemetry/abc', 't'.repeat(200)),
    length: fc.constantFrom(0, 1, 100, 127, 128, 9_000, 9_192, 30_000),
    qos: fc.constantFrom(0 as const, 1 as const),
    id: fc.integer({ min: 1, max: 65_535 }),
  })
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 20_000 })), {
    maxLength: 60,
  })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), sizes, (messages, sizes) => {
      const all = Buffer.concat(messages.map(({ topic, length, qos, id }) => publish(topic, length, qos, id)))
      const { packets, cuts } = through(4, cutInto(all, sizes))
      expect(packets.map(({ topic, id }) => [topic, id])).toEqual(
        messages.map(({ topic, qos, id }) => [topic, qos === 1 ? id : null]),
      )
      const large = messages.filter(
        ({ topic, length, qos }) => 2 + topic.length + qos * 2 + length > max + 8_192,
      )
      expect(cuts).toHaveLength(large.length)
      packets.forEach(({ payload }, nth) => {
        const { length } = messages[nth] as { length: number }
        expect(
          payload.length === length || (payload.length === 0 && large.includes(messages[nth] as never)),
        ).toBe(true)
      })
    }),
  )
})

test('any bytes: NoMqtt or not, but nothing more than came in', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
      const sluice = new Sluice(max, 5, () => {})
      let came = 0
      let out = 0
      try {
        for (const chunk of chunks) {
          came += chunk.length
          for (const part of sluice.pass(Buffer.from(chunk))) out += part.length
        }
      } catch (error) {
        expect(error).toBeInstanceOf(NoMqtt)
      }
      expect(out).toBeLessThanOrEqual(came + 2)
    }),
  )
})
