import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readKey, Seal, type Speaker } from './seal.ts'

const key = Buffer.alloc(32, 7)
const bridge = new Seal(key, 'edge-1', 'bridge')
const worker = new Seal(key, 'edge-1', 'worker')

const bytes = fc.uint8Array({ maxLength: 2_000 })
const about = fc.string({ maxLength: 60 })

test('whatever one side seals the other opens as it was', () => {
  fc.assert(
    fc.property(bytes, about, fc.boolean(), (plain, as, isFromBridge) => {
      const [from, to] = isFromBridge ? [bridge, worker] : [worker, bridge]
      expect(to.open(from.close(plain, as), as)).toEqual(Buffer.from(plain))
    }),
  )
})

test('nothing of what is sealed can be read in it', () => {
  const plain = Buffer.from('Nurse A. Smith pressed in triage 2')
  expect(bridge.close(plain, 'parcel').includes(plain.subarray(0, 8))).toBe(false)
})

describe('it does not open', () => {
  test('with any bit changed', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (plain, at) => {
        const sealed = bridge.close(plain, 'parcel')
        const bit = at % (sealed.length * 8)
        sealed[bit >> 3] = (sealed[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(worker.open(sealed, 'parcel')).toBeNull()
      }),
    )
  })

  test('with its end cut off, or with more behind it', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 }), (plain, at, more) => {
        const sealed = bridge.close(plain, 'parcel')
        expect(worker.open(sealed.subarray(0, at % sealed.length), 'parcel')).toBeNull()
        expect(worker.open(Buffer.concat([sealed, more]), 'parcel')).toBeNull()
      }),
    )
  })

  test('as something else', () => {
    fc.assert(
      fc.property(bytes, about, about, (plain, as, other) => {
        fc.pre(as !== other)
        expect(worker.open(bridge.close(plain, as), other)).toBeNull()
      }),
    )
  })

  test('at another worker', () => {
    fc.assert(
      fc.property(bytes, fc.string({ maxLength: 60 }), (plain, name) => {
        fc.pre(name !== 'edge-1')
        expect(new Seal(key, name, 'worker').open(bridge.close(plain, 'parcel'), 'parcel')).toBeNull()
      }),
    )
  })

  test.each<Speaker>(['bridge', 'worker'])('in the direction that it came from: %s', (speaker) => {
    const [one, two] = [new Seal(key, 'edge-1', speaker), new Seal(key, 'edge-1', speaker)]
    expect(two.open(one.close(Buffer.from('open'), 'parcel'), 'parcel')).toBeNull()
    expect(one.open(one.close(Buffer.from('open'), 'parcel'), 'parcel')).toBeNull()
  })

  test('with another key', () => {
    fc.assert(
      fc.property(bytes, fc.uint8Array({ minLength: 32, maxLength: 32 }), (plain, other) => {
        fc.pre(!key.equals(other))
        const stranger = new Seal(Buffer.from(other), 'edge-1', 'worker')
        expect(stranger.open(bridge.close(plain, 'parcel'), 'parcel')).toBeNull()
      }),
    )
  })

  test('when it is no sealed message at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (hostile) => {
        expect(worker.open(hostile, 'parcel')).toBeNull()
        expect(worker.open(Buffer.concat([Buffer.of(1), hostile]), 'parcel')).toBeNull()
      }),
    )
    expect(worker.open(randomBytes(8 * 1024 * 1024), 'parcel')).toBeNull()
  })
})

/** Salt and nonce: with the key they are what may never be the same twice (SP 800-38D, 8). */
const lotOf = (sealed: Buffer): string => sealed.subarray(1, 29).toString('hex')

test('no nonce is used twice, not by another life of the sender either', () => {
  const lots = new Set<string>()
  for (let life = 0; life < 20; life++) {
    const seal = new Seal(key, 'edge-1', 'bridge')
    for (let n = 0; n < 500; n++) lots.add(lotOf(seal.close(Buffer.of(n & 255), 'parcel')))
  }
  expect(lots.size).toBe(20 * 500)
})

test('every life of the other side is understood, however many strangers speak between', () => {
  const lives = Array.from({ length: 30 }, () => new Seal(key, 'edge-1', 'bridge'))
  for (let round = 0; round < 3; round++)
    for (const life of lives) {
      worker.open(randomBytes(100).fill(1, 0, 1), 'parcel')
      expect(worker.open(life.close(Buffer.from('open'), 'parcel'), 'parcel')?.toString()).toBe('open')
    }
})

describe('the key', () => {
  test('is 32 bytes in base64, with or without a line end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
        const text = Buffer.from(raw).toString('base64')
        expect(readKey(text)).toEqual(Buffer.from(raw))
        expect(readKey(`${text}\n`)).toEqual(Buffer.from(raw))
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['too short', Buffer.alloc(31).toString('base64')],
    ['too long', Buffer.alloc(33).toString('base64')],
    ['in hexadecimal', Buffer.alloc(32).toString('hex')],
    ['of the URL kind', Buffer.alloc(32, 255).toString('base64url')],
    ['two lines', `${Buffer.alloc(16).toString('base64')}\n${Buffer.alloc(16).toString('base64')}`],
  ])('that is %s is refused with what to do, and is not repeated', (_, text) => {
    expect(() => readKey(text)).toThrow('openssl rand -base64 32')
    if (text) expect(() => readKey(text)).not.toThrow(text.slice(0, 8))
  })
})
