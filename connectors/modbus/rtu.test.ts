import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import { BridgeError } from '../../core/error.ts'
import { nextAnswer, sealed } from './codec.ts'
import { RtuPort } from './rtu.ts'

type Knows = 'answers' | 'refuses' | 'silent'

/** A unit that answers in order, each when it likes. The value that it reads at an address is the address. */
const slowUnit = (clock: SimulatedClock, knows: Knows, delays: readonly number[]): Duplex => {
  let busyUntil = 0
  let nth = 0
  const line = new Duplex({
    read() {},
    write(request: Buffer, _encoding, done) {
      const answer = answerOf(request, knows)
      busyUntil = Math.max(busyUntil, clock.mono() + (delays[nth++ % delays.length] ?? 0))
      if (answer) clock.after(busyUntil - clock.mono(), () => line.push(answer))
      done()
    },
  })
  return line
}

const answerOf = (request: Buffer, knows: Knows): Buffer | null => {
  if (request[1] === 3) return sealed(Buffer.from([1, 3, 2, request[2] ?? 0, request[3] ?? 0]))
  if (knows === 'silent') return null
  return knows === 'answers' ? Buffer.from(request) : sealed(Buffer.from([1, 0x88, 1]))
}

const limitMs = 100

/** Reads one register after the other; what is given for each, null where nothing came in time. */
const readAll = async (knows: Knows, delays: readonly number[]): Promise<(number | null)[]> => {
  const clock = new SimulatedClock()
  const stream = slowUnit(clock, knows, delays)
  const channel = { stream, where: 'line', shut: () => stream.destroy() }
  const port = new RtuPort(channel, { silenceMs: 2, echo: false }, clock, new Set())
  const read: (number | null)[] = []
  let told: number | null = null
  port.on('data', (answer: Buffer) => {
    told = answer.readUInt16BE(3)
  })
  for (let address = 1; address <= 30; address++) {
    told = null
    let isReady = false
    const ready = port.ready(1, limitMs).then(
      () => {
        isReady = true
      },
      () => {},
    )
    await clock.advance(limitMs + 10)
    await ready
    if (isReady) {
      port.write(sealed(Buffer.from([1, 3, 0, address, 0, 1])))
      await clock.advance(limitMs)
      if (told === null) port.unanswered(1, new BridgeError('TIMEOUT', 'nothing'))
    }
    read.push(told)
    await clock.advance(40)
  }
  port.close()
  return read
}

const addresses = Array.from({ length: 30 }, (_, n) => n + 1)

describe('row 7: a late answer is never taken for that to another request', () => {
  const seen = (read: readonly (number | null)[]) => {
    for (const [n, value] of read.entries()) expect([null, addresses[n]]).toContain(value)
  }

  test('however late, by a unit that has echoed once', async () => {
    const delay = fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 6_000 }))
    await fc.assert(
      fc.asyncProperty(fc.array(delay, { minLength: 1, maxLength: 20 }), async (delays) => {
        const read = await readAll('answers', [0, 0, ...delays])
        seen(read)
        expect(read[0]).toBe(1)
      }),
      { numRuns: 60 },
    )
  })

  test.each(['refuses', 'silent'] as const)(
    'up to a second after its time, by a unit that does not know the echo (%s)',
    async (knows) => {
      const delay = fc.oneof(fc.integer({ min: 0, max: 90 }), fc.integer({ min: 0, max: 1_000 }))
      await fc.assert(
        fc.asyncProperty(fc.array(delay, { minLength: 1, maxLength: 20 }), async (delays) =>
          seen(await readAll(knows, delays)),
        ),
        { numRuns: 60 },
      )
    },
  )

  test('a unit that ignores the echo and is in time is read all the same', async () => {
    const read = await readAll('silent', [3])
    expect(read.filter((value) => value !== null).length).toBeGreaterThan(15)
  })
})

describe('answers on a line', () => {
  // None of its bytes but its own function is one of ours, so that no second answer can begin within it: whose CRC would
  // be right once in 65,536 times.
  const byte = fc.integer({ min: 9, max: 128 })
  const frame = fc
    .record({
      unit: byte,
      values: fc.oneof(
        fc.array(byte, { minLength: 1, maxLength: 4 }),
        fc.array(byte, { minLength: 9, maxLength: 128 }),
      ),
    })
    .map(({ unit, values }) => sealed(Buffer.from([unit, 3, values.length, ...values])))

  test('an answer is found after noise, and only once it is whole', () => {
    const noise = fc
      .array(fc.constantFrom(0, 0xff, 0x55), { maxLength: 5 })
      .map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(noise, frame, (before, answer) => {
        const bytes = Buffer.concat([before, answer])
        expect(nextAnswer(bytes)?.bytes).toEqual(answer)
        expect(nextAnswer(bytes)?.end).toBe(bytes.length)
        expect(nextAnswer(bytes.subarray(0, -1))).toBeNull()
      }),
    )
  })

  test('FF FF 00 00 00 is noise, though its CRC is right', () => {
    expect(nextAnswer(Buffer.from([0xff, 0xff, 0, 0, 0]))).toBeNull()
  })

  test('one flipped bit makes it none', () => {
    fc.assert(
      fc.property(frame, fc.nat(), (answer, at) => {
        const bit = at % (answer.length * 8)
        answer[bit >> 3] = (answer[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(nextAnswer(answer)?.bytes.length ?? 0).not.toBe(answer.length)
      }),
    )
  })

  test('no bytes make it throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void nextAnswer(Buffer.from(bytes))))
  })
})
