import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blocks } from '../../mocks/tap-sender/frame.ts'
import { checksumOf, Decoder, pageOf, type Said } from './codec.ts'

const said = (bytes: string | Uint8Array, decoder = new Decoder()): Said[] =>
  [...Buffer.from(bytes as string, 'latin1')].flatMap((byte) => decoder.take(byte) ?? [])

describe('the checksum', () => {
  test('STX 123 CR ABC CR ETX adds up to 379 = 0x17B, written 17;', () => {
    expect(checksumOf(Buffer.from('\x02123\rABC\r\x03'))).toBe('17;')
  })

  test('counts seven bits of each character', () => {
    expect(checksumOf(Buffer.from('\x02\xb1\xb2\xb3\rABC\r\x03', 'latin1'))).toBe('17;')
  })
})

describe('what the sender says', () => {
  test('knocks, logs in, pages, says goodbye', () => {
    expect(said('\r\x1bPG1\r\x02123\rABC\r\x0317;\r\x04\r')).toEqual([
      { is: 'knock' },
      { is: 'line', text: '\x1bPG1' },
      { is: 'block', body: '123\rABC\r', intact: true, more: false },
      { is: 'bye' },
    ])
  })

  test('line feeds and fillers are nothing', () => {
    expect(said('\n\0\r\n\x1bPG1\r\n\x7f')).toEqual([{ is: 'knock' }, { is: 'line', text: '\x1bPG1' }])
  })

  test('a checksum that the zetron manual prints wrongly is wrong', () => {
    expect(said('\x02123\rABC\r\x03178\r')).toMatchObject([{ is: 'block', intact: false }])
  })

  test('a block that starts anew in the middle of another is the one that counts', () => {
    expect(said('\x02123\rAB\x02123\rABC\r\x0317;\r')).toEqual([
      { is: 'block', body: '123\rABC\r', intact: true, more: false },
    ])
  })

  test('a block without end is a block that went wrong, and its rest is skipped', () => {
    expect(said(`\x02${'A'.repeat(3_000)}\r\r`)).toEqual([
      { is: 'block', body: expect.any(String), intact: false, more: true },
      { is: 'knock' },
    ])
  })

  test('a line without end is nothing', () => {
    expect(said(`${'A'.repeat(3_000)}\r\r`)).toEqual([{ is: 'knock' }])
  })
})

describe('a page', () => {
  test('is a pager and a text, of one field or several', () => {
    expect(pageOf('123\rABC\r')).toEqual({ pager: '123', text: 'ABC' })
    expect(pageOf('123\rABC\rDEF\r')).toEqual({ pager: '123', text: 'ABC DEF' })
    expect(pageOf('123\r')).toEqual({ pager: '123', text: '' })
    expect(pageOf('')).toEqual({ pager: '', text: '' })
  })

  test('may go on in a second block, at the end of a field or within one', () => {
    for (const continued of ['ETB', 'US'] as const) {
      const bodies = said(blocks('123', 'CODE GRAY ED 2', continued).join(''))
      expect(bodies).toMatchObject([
        { more: true, intact: true },
        { more: false, intact: true },
      ])
      const whole = bodies.map((each) => (each.is === 'block' ? each.body : '')).join('')
      expect(pageOf(whole)).toEqual({ pager: '123', text: 'CODE GRAY ED 2' })
    }
    expect(said('\x02123\x17000\r')).toMatchObject([{ body: '123\r', more: true }])
  })

  test('SUB M stands for a carriage return within a field', () => {
    expect(pageOf('123\rline one\x1aMline two\r').text).toBe('line one\rline two')
  })
})

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
})

describe('whatever comes', () => {
  test('each page that another encoder writes is read as it was', () => {
    fc.assert(
      fc.property(printable, printable, (pager, text) => {
        const [block, ...more] = said(blocks(pager, text).join(''))
        expect(more).toEqual([])
        expect(block).toMatchObject({ is: 'block', intact: true, more: false })
        expect(pageOf(block?.is === 'block' ? block.body : '')).toEqual({
          pager: pager.trim(),
          text: text.trim(),
        })
      }),
      { numRuns: 2_000 },
    )
  })

  test('100,000 mutated streams: nothing is thrown, nothing grows, and the page after them is read', () => {
    const stream = Buffer.from(
      `\r\x1bPG1\r${blocks('123', 'CODE GRAY ED 2', 'US').join('')}${blocks('7', 'X')}\x04\r`,
      'latin1',
    )
    const [page = ''] = blocks('123', 'CODE GRAY ED 2')
    const decoder = new Decoder()
    let seed = 17
    const below = (max: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % max
    }
    for (let run = 0; run < 100_000; run++) {
      const mutated = Buffer.from(stream.subarray(0, 1 + below(stream.length)))
      for (let flips = below(4); flips >= 0; flips--) mutated[below(mutated.length)] = below(256)
      for (const byte of mutated) decoder.take(byte)
      const heard = said(page, decoder)
      if (heard.length !== 1 || heard[0]?.is !== 'block' || !heard[0].intact)
        throw new Error(`run ${run}: after ${mutated.toString('hex')}: ${JSON.stringify(heard)}`)
    }
  })

  test('any bytes at all, in any pieces, mean the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, cut) => {
        const decoder = new Decoder()
        const pieces = [...said(bytes.subarray(0, cut), decoder), ...said(bytes.subarray(cut), decoder)]
        expect(pieces).toEqual(said(bytes))
      }),
      { numRuns: 2_000 },
    )
  })
})
