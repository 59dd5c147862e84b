import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Frame, join, split } from './frame.ts'
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
