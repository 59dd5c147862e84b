import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { type CarriedOrder, decode, encode, Openings, ordersIn, pack, ToBridge, ToWorker } from './parcel.ts'

const parcel: Extract<ToWorker, { is: 'orders' }> = {
  is: 'orders',
  parcel: 'a-1',
  session: 's',
  openings: 'd',
  startBy: 12.5,
  messages: [{ incident: 'i', where: 'Ward 3' }],
  orders: [
    {
      id: 'i/0.0/door',
      attempt: 1,
      link: 'doors',
      capability: 'door.secure',
      address: null,
      args: {},
      ms: 5_000,
    },
    {
      id: 'i/0.1/pager',
      attempt: 1,
      link: 'pagers',
      capability: 'page.send',
      address: null,
      args: {},
      message: 0,
      ms: 5_000,
    },
  ],
}
const report: ToBridge = {
  session: 's',
  seq: 1,
  canary: { id: 'a-2', mono: 3.5, openings: 'd', links: [{ name: 'doors', up: false, why: 'no route' }] },
  ended: [
    { parcel: 'a-1', n: 0, outcome: { ok: true, proof: 'confirmed', result: {} } },
    { parcel: 'a-1', n: 1, outcome: null, refused: 'late', why: 'it came too late' },
  ],
  notes: [{ device: 'door', state: { quality: 'good' } }],
  kept: [{ bytes: 'AAAA', mediaType: 'image/jpeg', capturedAt: 1 }],
}
const openings: Openings = {
  links: [
    {
      name: 'doors',
      type: 'onvif',
      connector: 'doors',
      isolate: false,
      config: {},
      outputs: [['door', { token: 'A' }]],
    },
  ],
}
const all: readonly (readonly [z.ZodType<unknown>, ToWorker | ToBridge | Openings])[] = [
  [ToWorker, parcel],
  [ToBridge, report],
  [Openings, openings],
]

test('what was encoded is decoded as it was', () => {
  for (const [schema, message] of all) expect(decode(schema, encode(message))).toEqual(message)
})

test('what is no message is null, and harms nobody', () => {
  for (const [schema] of all) {
    expect(decode(schema, null)).toBeNull()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (garbage) => {
        expect(decode(schema, Buffer.from(garbage))).toBeNull()
      }),
    )
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(decode(schema, Buffer.from(json))).toBeNull()
      }),
    )
  }
})

test('a message cut anywhere is null', () => {
  for (const [schema, message] of all) {
    const bytes = encode(message)
    for (let length = 0; length < bytes.length; length++)
      expect(decode(schema, bytes.subarray(0, length))).toBeNull()
  }
})

/** Every place of a message, as a path. */
const places = (value: unknown, path: (string | number)[] = []): (string | number)[][] =>
  value !== null && typeof value === 'object'
    ? [path, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...path, key]))]
    : [path]

const put = (message: unknown, [key, ...rest]: readonly (string | number)[], value: unknown): unknown => {
  if (key === undefined) return value
  const copy: any = Array.isArray(message) ? [...message] : { ...(message as object) }
  copy[key] = put(copy[key], rest, value)
  return copy
}

test('anything in any place of a message is either understood or null', () => {
  for (const [schema, message] of all)
    fc.assert(
      fc.property(fc.constantFrom(...places(message)), fc.jsonValue(), (path, value) => {
        const read = decode<unknown>(schema, Buffer.from(JSON.stringify(put(message, path, value))))
        if (read !== null) expect(decode(schema, encode(read as never))).toEqual(read)
      }),
      { numRuns: 500 },
    )
})

const order = (args: CarriedOrder['args']): CarriedOrder => ({
  id: 'i/0.0/a',
  attempt: 1,
  link: 'a',
  capability: 'event.send',
  address: null,
  args,
  ms: 1,
})

test('orders that share a message have it once in a parcel, and share it again where they are unpacked', () => {
  const [first, second] = [{ incident: 'i' }, { incident: 'j' }]
  const all = [{ message: first }, { message: second, area: 'b' }, { message: first, area: 'c' }].map(order)
  const { messages, orders } = pack(all)
  expect(messages).toEqual([first, second])
  const sent = decode(ToWorker, encode({ ...parcel, messages, orders })) as typeof parcel
  const unpacked = ordersIn(sent)
  expect(unpacked).toEqual(all)
  const [a, , c] = unpacked.map(({ args }) => (args as { message: unknown }).message)
  expect(a).toBe(c)
})

test('whatever orders say, they are unpacked as they were packed', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 20 }), (said) => {
      const all = said.map((args) => order(args as CarriedOrder['args']))
      const travelled = JSON.parse(JSON.stringify(pack(all)))
      expect(ordersIn(travelled)).toEqual(JSON.parse(JSON.stringify(all)))
    }),
  )
})

test('a parcel in which a message is missing is not understood', () => {
  expect(decode(ToWorker, encode({ ...parcel, messages: [] }))).toBeNull()
})

test('a state that is none, or an outcome without an end, is not taken', () => {
  const with_ = (change: object) => decode(ToBridge, Buffer.from(JSON.stringify({ ...report, ...change })))
  expect(with_({ notes: [{ device: 'door', state: null }] })).toBeNull()
  expect(with_({ ended: [{ parcel: 'a-1', n: 0, outcome: {} }] })).toBeNull()
})
