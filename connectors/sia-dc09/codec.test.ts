import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { enciphered, wrap } from '../../mocks/dc09-panel/wire.ts'
import { keyOf, open, seal } from './cipher.ts'
import { readContent, readHeader, stampOf, textOf, timeOf } from './codec.ts'
import { readExtensions } from './extensions.ts'
import { type Cut, crc16, frameOf, Splitter } from './frame.ts'
import { readContactId, readSia } from './payload.ts'

const bodiesOf = (cuts: readonly Cut[]): string[] =>
  cuts.map((cut) => (cut.is === 'frame' ? cut.body.toString('latin1') : cut.account))

const body = fc
  .uint8Array({ minLength: 0, maxLength: 300 })
  .map((bytes) => Buffer.concat([Buffer.from('"NULL"0000L0#1234['), bytes]))

describe('frames', () => {
  test('the CRC is that of the standard', () => {
    expect(crc16(Buffer.from('123456789'))).toBe(0xbb3d)
  })

  test('are what another encoder writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (text, binaryCrc) => {
        const one = `"SIA-DCS"0001L0#1234[${text.toWellFormed()}]`
        expect(frameOf(one, binaryCrc)).toEqual(wrap(one, { binaryCrc }))
      }),
    )
  })

  test('come out however the stream is cut, with LF, CR and frames of both kinds inside', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(body, fc.boolean()), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat({ max: 2_000 }), { maxLength: 12 }),
        (frames, cutsAt) => {
          const stream = Buffer.concat(frames.map(([bytes, binary]) => frameOf(bytes, binary)))
          const splitter = new Splitter()
          const ends = [...new Set(cutsAt.map((at) => at % stream.length)), stream.length].sort(
            (a, b) => a - b,
          )
          const cuts: Cut[] = []
          let from = 0
          for (const end of ends) {
            cuts.push(...splitter.push(stream.subarray(from, end)))
            from = end
          }
          expect(bodiesOf(cuts)).toEqual(frames.map(([bytes]) => bytes.toString('latin1')))
          expect(splitter.waits).toBe(false)
        },
      ),
    )
  })

  test('come out of any garbage before them, at the latest when the stream rests', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), body, (garbage, bytes) => {
        const splitter = new Splitter()
        const cuts = [...splitter.push(Buffer.from(garbage)), ...splitter.push(frameOf(bytes))]
        while (splitter.waits) cuts.push(...splitter.giveUp())
        expect(bodiesOf(cuts)).toContain(bytes.toString('latin1'))
      }),
    )
  })

  test('hold what they may: 4,095 bytes', () => {
    const longest = Buffer.alloc(0xfff, '"')
    expect(new Splitter().push(frameOf(longest))).toHaveLength(1)
  })

  test('what waits for its end is bounded', () => {
    const splitter = new Splitter()
    for (let n = 0; n < 200; n++) splitter.push(Buffer.from('\n00000FFF"'.padEnd(1_000, '\n')))
    expect(splitter.giveUp().length).toBe(0)
  })
})

describe('ciphers', () => {
  const keys = fc
    .constantFrom(16, 24, 32)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))

  test('open what was sealed, here and elsewhere', () => {
    fc.assert(
      fc.property(keys, fc.stringMatching(/^[#0-9A-Z|/^ ]{0,60}$/), (bytes, text) => {
        const key = Buffer.from(bytes)
        const stamp = '_08:09:10,11-12-2026'
        expect(open(seal(`]${stamp}`, key), key)?.content).toBe(`]${stamp}`)
        const content = `#1234|${text}]${stamp}`
        expect(open(enciphered(content, key, true), key)?.content).toBe(content)
        expect(open(enciphered(`]${stamp}`, key, true), key)?.content).toBe(`]${stamp}`)
      }),
    )
  })

  test('a pad without a bar ends at the bracket, and a bar in the data cuts nothing', () => {
    const key = Buffer.alloc(16, 1)
    expect(open(enciphered(']_08:09:10,11-12-2026', key, false), key)?.content).toBe(']_08:09:10,11-12-2026')
    const content = '#1234|NRR|Atest]_08:09:10,11-12-2026'
    expect(open(enciphered(content, key, true), key)?.content).toBe(content)
  })

  test('keys are hex digits or characters, of 16, 24 or 32 bytes', () => {
    expect(keyOf('ab'.repeat(24), 'hex')?.length).toBe(24)
    expect(keyOf('ab'.repeat(24), 'text')).toBeNull()
    expect(keyOf('ab'.repeat(16), 'text')?.length).toBe(32)
    expect(keyOf('xy'.repeat(16), 'hex')).toBeNull()
    expect(keyOf('', 'text')).toBeNull()
  })

  test('nothing that is no cipher opens, or throws', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        open(text, Buffer.alloc(16, 1))
      }),
    )
    expect(open('00'.repeat(15), Buffer.alloc(16))).toBeNull()
    expect(open('', Buffer.alloc(16))).toBeNull()
  })
})

describe('bodies', () => {
  test('the A0 of a NAK is not eaten by its line', () => {
    expect(readHeader(Buffer.from('"NAK"0000R0L0A0[]'))).toMatchObject({
      line: '0',
      account: null,
      nakA0: true,
    })
  })

  test.each([
    ['[#1234|NRP]', '1234', 'NRP'],
    ['[36214|NRP]', '36214', 'NRP'],
    ['[|Nri1/CL501]', null, 'Nri1/CL501'],
    ['[Nri1/WA000]', null, 'Nri1/WA000'],
    ['[#1234|NRR|Atest]', '1234', 'NRR|Atest'],
    ['[#1234]', null, ''],
    ['[]', null, ''],
  ])('%s', (text, dataAccount, payload) => {
    expect(readContent(text.slice(1))).toMatchObject({ dataAccount, payload })
  })

  test('times are there and back the same; none is made of nonsense', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        expect(timeOf(stampOf(seconds * 1_000))).toBe(seconds * 1_000)
      }),
    )
    for (const text of ['24:00:00,01-01-2026', '00:00:00,02-30-2026', '00:00:00,13-01-2026', '', 'x'])
      expect(timeOf(text)).toBeNull()
  })

  test('text is UTF-8 where it can be, and never holds a control character', () => {
    expect(textOf(Buffer.from('Küche').toString('latin1'))).toBe('Küche')
    expect(textOf('K\xfcche\n1')).toBe('Küche 1')
  })

  test('no bytes make the readers throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const bytes = Buffer.from(`"SIA-DCS"0001L0#1234[#1234|${text}`, 'latin1')
        const content = readContent(readHeader(bytes)?.rest ?? '')
        if (!content) return
        readSia(content.payload)
        readContactId(content.payload)
        readExtensions(content.ext)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('SIA payloads', () => {
  test.each([
    ['Nri1/BA012', ['BA 12']],
    ['Nri1HH5', ['HH 5']],
    ['NRP', ['RP -']],
    ['OPA5', ['PA 5']],
    ['OP12', ['OP 12']],
    ['Nri1/BA1/BA2/PA3', ['BA 1', 'BA 2', 'PA 3']],
    ['Nri1/BA1FA2', ['BA 1', 'FA 2']],
    ['Nti19:44/id1/ri4/RP', ['RP -']],
    ['BA1F', ['BA 1F']],
    ["NBA03*'Door'NM", ['BA 3']],
    ['hello', []],
  ])('%s', (payload, wanted) => {
    expect(readSia(payload).events.map(({ code, number }) => `${code} ${number ?? '-'}`)).toEqual(wanted)
  })
})
