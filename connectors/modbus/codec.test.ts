import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bitAt, counted, counterAt, covers, crc16, frame, unframe } from './codec.ts'
import { type Run, requestsFor } from './points.ts'

const run = fc
  .record({
    read: fc.constantFrom<Run['read'][]>(1, 2, 3, 4),
    address: fc.integer({ min: 0, max: 60_000 }),
    length: fc.constantFrom(1, 2),
  })
  .map((each): Run => each)

describe('grouping of readings', () => {
  test('every address is read, no request is longer than Modbus allows, none reads across a larger gap', () => {
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), fc.integer({ min: 0, max: 256 }), (runs, gap) => {
        const requests = requestsFor(runs, gap)
        for (const each of runs) expect(requests.some((request) => covers(request, each))).toBe(true)
        for (const { read, length } of requests) expect(length).toBeLessThanOrEqual(read <= 2 ? 2000 : 125)
        for (const request of requests)
          for (let at = 0; at + gap < request.length; at++)
            expect(
              runs.some(
                ({ read, address, length }) =>
                  read === request.read &&
                  address <= request.address + at + gap &&
                  address + length > request.address + at,
              ),
            ).toBe(true)
      }),
    )
  })

  test('neighbours share a request; levels are read before counters', () => {
    const requests = requestsFor(
      [
        { read: 4, address: 18, length: 2 },
        { read: 2, address: 5, length: 1 },
        { read: 4, address: 16, length: 2 },
        { read: 2, address: 1, length: 1 },
      ],
      16,
    )
    expect(requests).toEqual([
      { read: 2, address: 1, length: 5 },
      { read: 4, address: 16, length: 4 },
    ])
  })
})

describe('values', () => {
  test('a counter is put together in either word order', () => {
    const at = { read: 4, address: 16, length: 2 } as const
    const all = { read: 4, address: 10, length: 10 } as const
    const values = [0, 0, 0, 0, 0, 0, 0x0001, 0x0002, 0, 0]
    expect(counterAt(all, values, at, 'hi-lo')).toBe(0x0001_0002)
    expect(counterAt(all, values, at, 'lo-hi')).toBe(0x0002_0001)
  })

  test('a bit of a register counts from the lowest', () => {
    const at = { read: 4, address: 48, length: 1 } as const
    expect(bitAt(at, [0b1000], { ...at, bit: 3 })).toBe(true)
    expect(bitAt(at, [0b1000], { ...at, bit: 2 })).toBe(false)
    expect(bitAt(at, [0x8000], { ...at, bit: 15 })).toBe(true)
  })

  test('a counter that goes down is a restart, at the end of its range it goes round', () => {
    expect(counted(7, 9)).toEqual({ presses: 2, restarted: false })
    expect(counted(500, 0)).toEqual({ presses: 0, restarted: true })
    expect(counted(500, 499)).toEqual({ presses: 0, restarted: true })
    expect(counted(2 ** 32 - 1, 0)).toEqual({ presses: 1, restarted: false })
    expect(counted(2 ** 32 - 3, 2)).toEqual({ presses: 5, restarted: false })
    expect(counted(2 ** 32 - 3, 5_000)).toEqual({ presses: 0, restarted: true })
  })
})

describe('frames', () => {
  test('what is framed comes back, whole or in pieces', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65_535 }),
        fc.uint8Array({ minLength: 3, maxLength: 254 }),
        (id, body) => {
          const bytes = frame(id, body)
          expect(unframe(bytes)).toEqual({ id, body: Buffer.from(body) })
          for (let end = 0; end < bytes.length; end++) expect(unframe(bytes.subarray(0, end))).toBe('more')
          expect(unframe(Buffer.concat([bytes, Buffer.from([0])]))).toHaveProperty('wrong')
        },
      ),
    )
  })

  test('no bytes make it throw, and it never waits for more than a frame can have', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const whole = unframe(Buffer.from(bytes))
        if (bytes.length > 260) expect(whole).toHaveProperty('wrong')
      }),
    )
  })

  test('CRC of the example in Modbus over Serial Line 1.02, 6.2.2', () => {
    expect(crc16(Buffer.from([0x02, 0x07]))).toBe(0x1241)
  })
})
