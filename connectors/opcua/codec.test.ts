import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Chunks,
  chunkBytesMax,
  counted,
  counterBits,
  doorModeOf,
  fingerprintOf,
  means,
  nodeIdPattern,
  overflowed,
  plain,
  qualityOf,
  resolved,
  told,
} from './codec.ts'

describe('status codes (Part 4, 7.39.1; Part 6, A.2)', () => {
  test.each([
    [0x00000000, 'good'],
    [0x00000480, 'good'],
    [0x408f0000, 'uncertain'],
    [0x80340000, 'bad'],
    [0xc0000000, 'bad'],
  ] as const)('%i is %s', (status, quality) => expect(qualityOf(status)).toBe(quality))

  test('the overflow bit counts only where the info bits are of a data value', () => {
    expect(overflowed(0x00000480)).toBe(true)
    expect(overflowed(0x00000080)).toBe(false)
    expect(overflowed(0x00000400)).toBe(false)
    expect(overflowed(0x80340480)).toBe(true)
  })

  test('every status has one quality', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (status) => {
        expect(['good', 'uncertain', 'bad']).toContain(qualityOf(status))
      }),
    )
  })
})

describe('values', () => {
  test.each([
    [true, true, true],
    [false, true, false],
    [false, false, true],
    [1, true, true],
    [2, true, true],
    [0, false, true],
    [true, 1, true],
    [3, 3, true],
    [[0, 7], 7, true],
    ['Alarm', 'Alarm', true],
    ['alarm', 'Alarm', false],
    [{ text: 'Alarm', locale: 'en' }, 'Alarm', true],
    ['1', 1, null],
    [null, true, null],
    [undefined, false, null],
    [Number.NaN, 1, null],
    [{ some: 'structure' }, true, null],
  ] as const)('%j as %j is %j', (value, wanted, expected) => expect(means(value, wanted)).toBe(expected))

  test('64-bit numbers come as two halves', () => {
    expect(plain([1, 2])).toBe(2 ** 32 + 2)
    expect(told([1, 2])).toBe(2 ** 32 + 2)
  })

  test('anything has words', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: false }), (value) => {
        let json: unknown
        try {
          json = told(value)
        } catch {
          // Only what can't even be written as text.
          expect(() => String(value)).toThrow()
          return
        }
        // As text, which knows no -0.
        const text = JSON.stringify(json)
        expect(JSON.stringify(JSON.parse(text))).toBe(text)
      }),
    )
  })

  test('a mode is the first that has the value, and unknown without one', () => {
    const is = { locked: [1, 2], lockdown: [3], unlocked: [false] }
    expect(doorModeOf(2, is)).toBe('locked')
    expect(doorModeOf(3, is)).toBe('lockdown')
    expect(doorModeOf(0, is)).toBe('unlocked')
    expect(doorModeOf(9, is)).toBe('unknown')
    expect(doorModeOf(null, is)).toBe('unknown')
  })
})

describe('counters', () => {
  test.each([
    [3, 5, 32, 2, false],
    [65_535, 0, 16, 1, false],
    [65_535, 0, 32, 0, true],
    [2 ** 32 - 1, 2, 32, 3, false],
    [17, 0, 16, 0, true],
  ])('from %i to %i with %i bits', (before, now, bits, presses, restarted) =>
    expect(counted(before, now, bits)).toEqual({ presses, restarted }),
  )

  test('an integer type has bits, others have none', () => {
    expect(counterBits(5)).toBe(16)
    expect(counterBits(7)).toBe(32)
    expect(counterBits(1)).toBeNull()
    expect(counterBits(12)).toBeNull()
  })
})

describe('names', () => {
  test.each([
    'i=2253',
    'ns=2;s=Panel.Button 1',
    'ns=4;i=17',
    'g=09087e75-8e5e-499b-954f-f2a9603db28a',
    'ns=1;b=M/RbKBsRVkePCePcx24oRA==',
    'nsu=http://example.org/plc;s=Button',
  ])('%s is a NodeId', (node) => expect(node).toMatch(nodeIdPattern))

  test.each(['', 'Button', 's=', 'ns=;s=a', 'ns=2;Button', 'i=x', 'g=1', 'svr=1;i=1'])('%s is none', (node) =>
    expect(node).not.toMatch(nodeIdPattern),
  )

  test('the URI of a namespace becomes the index that it has here', () => {
    const namespaces = ['http://opcfoundation.org/UA/', 'urn:plc']
    expect(resolved('nsu=urn:plc;s=a;b', namespaces)).toBe('ns=1;s=a;b')
    expect(resolved('nsu=urn:other;s=a', namespaces)).toBeNull()
    expect(resolved('ns=3;s=a', namespaces)).toBe('ns=3;s=a')
  })

  test('fingerprints are compared without colons and case', () => {
    expect(fingerprintOf('AB:cd:01')).toBe('abcd01')
  })
})

describe('chunks', () => {
  const chunk = (type: string, size: number) => {
    const bytes = Buffer.alloc(size)
    bytes.write(`${type}F`, 'latin1')
    bytes.writeUInt32LE(size, 4)
    return bytes
  }
  const bytes = Buffer.concat([chunk('ACK', 28), chunk('OPN', 132), chunk('MSG', 8), chunk('MSG', 900)])

  test('go by in whatever pieces they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 })), (sizes) => {
        const chunks = new Chunks()
        let at = 0
        for (const size of [...sizes, bytes.length]) {
          expect(chunks.problem(bytes.subarray(at, at + size))).toBeNull()
          at += size
        }
      }),
    )
  })

  test('one that is too large, or of no type, is told by its header alone', () => {
    expect(new Chunks().problem(chunk('MSG', chunkBytesMax).subarray(0, 8))).toBeNull()
    const large = Buffer.alloc(8)
    large.write('MSGF', 'latin1')
    large.writeUInt32LE(chunkBytesMax + 1, 4)
    expect(new Chunks().problem(large)).toContain('bytes')
    expect(new Chunks().problem(Buffer.from('HTTP/1.1 400'))).toContain('not OPC UA')
  })

  test('random bytes do not get far', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), (random) => {
        const first = random[0] as number
        fc.pre(!'AEOMC'.includes(String.fromCharCode(first)))
        expect(new Chunks().problem(Buffer.from(random))).not.toBeNull()
      }),
    )
  })
})
