import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Frame, join, split } from './frame.ts'
import { checkSum, joinRtu, splitRtu } from './rtu.ts'
import { Unit, writes } from './unit.ts'

const pdu = fc.uint8Array({ minLength: 1, maxLength: 253 }).map((bytes) => Buffer.from(bytes))
const frame: fc.Arbitrary<Frame> = fc.record({
  transaction: fc.nat({ max: 0xffff }),
  unit: fc.nat({ max: 0xff }),
  pdu,
})

test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat({ max: 300 })), (frames, cuts) => {
      let stream = Buffer.concat(frames.map(join))
      let held: Buffer = Buffer.alloc(0)
      const out: Frame[] = []
      for (const cut of [...cuts, stream.length]) {
        const taken = split(Buffer.concat([held, stream.subarray(0, cut)]))
        stream = stream.subarray(cut)
        held = taken.rest
        out.push(...taken.frames)
        expect(taken.broken).toBe(false)
      }
      expect(out).toEqual(frames)
    }),
  )
})

test('no bytes make it throw, and what is held back is less than a frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
      const { rest, broken } = split(Buffer.from(bytes))
      expect(broken || rest.length < 260).toBe(true)
    }),
  )
})

test('any request gets its answer or an exception, of at most 253 bytes', () => {
  const counters = { at: 0x10, table: 'input', wordOrder: 'hi-lo' } as const
  const unit = new Unit({ discretes: 64, coils: 64, registers: 256 }, counters)
  const likely = fc
    .tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 15, 16), fc.uint8Array({ maxLength: 20 }))
    .map(([code, rest]) => Buffer.from([code, ...rest]))
  fc.assert(
    fc.property(fc.oneof(pdu, likely), (request) => {
      const answer = unit.execute(request)
      expect((answer[0] ?? 0) & 0x7f).toBe((request[0] ?? 0) & 0x7f)
      expect(answer.length).toBeLessThanOrEqual(253)
      expect(writes(request).length).toBeLessThanOrEqual(0x7b0)
    }),
    { numRuns: 500 },
  )
})

test('the check sum of 02 07 is 41 12, as in Modbus over Serial Line 1.02, 6.2.2', () => {
  expect(checkSum(Buffer.from([0x02, 0x07]))).toEqual(Buffer.from([0x41, 0x12]))
})

/** Above every function code: after noise, a lower one would read as the function of a unit that the noise names. */
const anyUnit = fc.integer({ min: 17, max: 247 })

const reading = fc
  .tuple(anyUnit, fc.constantFrom(1, 2, 3, 4, 5, 6, 8), fc.uint8Array({ minLength: 4, maxLength: 4 }))
  .map(([unit, code, rest]) => ({ transaction: 0, unit, pdu: Buffer.from([code, ...rest]) }))
const writing = fc
  .tuple(anyUnit, fc.constantFrom(15, 16), fc.uint8Array({ minLength: 1, maxLength: 200 }))
  .map(([unit, code, data]) => ({
    transaction: 0,
    unit,
    pdu: Buffer.from([code, 0, 0, 0, 1, data.length, ...data]),
  }))

test('serial requests come out as they went in, wherever the stream is cut, and after noise', () => {
  // No byte of the noise looks like the start of a request.
  const noise = fc.array(fc.constantFrom(0x55, 0xff), { maxLength: 4 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(
      noise,
      fc.array(fc.oneof(reading, writing), { minLength: 1, maxLength: 5 }),
      fc.nat(),
      (before, frames, cut) => {
        const stream = Buffer.concat([before, ...frames.map(joinRtu)])
        const first = splitRtu(stream.subarray(0, cut % stream.length))
        const second = splitRtu(Buffer.concat([first.rest, stream.subarray(cut % stream.length)]))
        expect([...first.frames, ...second.frames]).toEqual(frames)
      },
    ),
  )
})

test('no bytes make the serial side throw, and what is held back is less than a frame', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
      expect(splitRtu(Buffer.from(bytes)).rest.length).toBeLessThan(265)
    }),
  )
})
