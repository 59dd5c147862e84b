import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { block } from '../../mocks/espa-station/frame.ts'
import { bccOf, callOf, Decoder, type Said } from './codec.ts'

const said = (bytes: string | Uint8Array, decoder = new Decoder(7)): Said[] =>
  [...Buffer.from(bytes as string, 'latin1')].flatMap((byte) => decoder.take(byte) ?? [])

const panic = Buffer.from(
  '01310231' + '1f333030311e321f50414e4943204544205452494147452032' + '1e331f351e341f331e351f311e361f310367',
  'hex',
)

describe('a block', () => {
  test('the worked example: a panic call with the check character 0x67', () => {
    const [heard] = said(panic)
    expect(bccOf(panic.subarray(1, -1))).toBe(0x67)
    expect(heard).toMatchObject({ is: 'block', intact: true })
    expect(callOf(heard?.is === 'block' ? heard.body : '')).toEqual({
      header: '1',
      to: '3001',
      text: 'PANIC ED TRIAGE 2',
      callType: '3',
      priority: '1',
      records: { 1: '3001', 2: 'PANIC ED TRIAGE 2', 3: '5', 4: '3', 5: '1', 6: '1' },
    })
  })

  test('has a check character that may look like any control character', () => {
    const checks = new Set<number>()
    for (let nth = 0; nth < 95 * 95; nth += 3) {
      const text = `ED ${String.fromCharCode(0x20 + (nth % 95), 0x20 + Math.floor(nth / 95))}${nth % 2 ? '.' : ''}`
      const bytes = block({ to: '1', text })
      checks.add(bytes.at(-1) ?? -1)
      expect(said(Buffer.concat([bytes, Buffer.from('\x04')]))).toMatchObject([
        { is: 'block', intact: true },
        { is: 'end' },
      ])
    }
    for (const control of [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15]) expect(checks).toContain(control)
  })

  test('that is changed on the way is not intact', () => {
    for (let at = 1; at < panic.length - 2; at++) {
      const changed = Buffer.from(panic)
      changed[at] = (changed[at] ?? 0) ^ 0x40
      const blocks = said(changed).filter((each) => each.is === 'block')
      expect(blocks.some(({ intact }) => intact)).toBe(false)
    }
  })

  test('may end with a separator, come in another order, repeat a record or have none at all', () => {
    expect(callOf('1\x021\x1f7\x1e2\x1fHELP\x1e')).toMatchObject({ to: '7', text: 'HELP' })
    expect(callOf('1\x022\x1fHELP\x1e1\x1f7')).toMatchObject({ to: '7', text: 'HELP' })
    expect(callOf('1\x022\x1fHELP\x1e2\x1fED 2')).toMatchObject({ text: 'HELP ED 2' })
    expect(callOf('1\x02HELP')).toMatchObject({ header: '1', to: '', text: 'HELP' })
    expect(callOf('HELP')).toMatchObject({ header: '', text: 'HELP' })
    expect(callOf('')).toMatchObject({ header: '', to: '', text: '' })
    expect(callOf('1\x02__proto__\x1fx\x1econstructor\x1fy').records).toHaveProperty('constructor', 'y')
  })

  test('without end is one that went wrong', () => {
    expect(said(`\x01${'A'.repeat(5_000)}`)).toEqual([{ is: 'block', body: '', intact: false }])
  })

  test('that starts anew in the middle of another is the one that counts', () => {
    expect(said(Buffer.concat([panic.subarray(0, 20), panic]))).toMatchObject([{ is: 'block', intact: true }])
  })

  test('has a top bit that is parity, or text', () => {
    const withParity = panic.map((byte) => byte | 0x80)
    expect(said(withParity)).toMatchObject([{ is: 'block', intact: true }])
    const umlaut = block({ to: '1', text: 'T\u00dcR ED' })
    expect(said(umlaut, new Decoder(8))).toMatchObject([
      { intact: true, body: expect.stringContaining('T\u00dcR') },
    ])
  })
})

describe('the line', () => {
  test('polls, selects, ends', () => {
    expect(said('1\x052\x05\x04')).toEqual([
      { is: 'enquiry', address: '1' },
      { is: 'enquiry', address: '2' },
      { is: 'end' },
    ])
  })

  test('an enquiry without an address is nothing', () => {
    expect(said('\x05\x06\x05')).toEqual([])
  })
})

describe('whatever comes', () => {
  const data = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  })

  test('each call that another encoder writes is read as it was', () => {
    fc.assert(
      fc.property(data, data, fc.boolean(), (to, text, trailingSeparator) => {
        const [heard, ...more] = said(block({ to, text, trailingSeparator }))
        expect(more).toEqual([])
        expect(heard).toMatchObject({ is: 'block', intact: true })
        expect(callOf(heard?.is === 'block' ? heard.body : '')).toMatchObject({
          to: to.trim(),
          text: text.trim(),
        })
      }),
      { numRuns: 2_000 },
    )
  })

  test('100,000 mutated streams: nothing is thrown, nothing grows, and after an EOT the next call is read', () => {
    const stream = Buffer.concat([Buffer.from('1\x052\x05'), panic, Buffer.from('\x042\x05')])
    const next = Buffer.concat([Buffer.from('\x04\x04'), panic])
    const decoder = new Decoder(7)
    let seed = 444
    const below = (max: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
      return (seed >>> 8) % max
    }
    for (let run = 0; run < 100_000; run++) {
      const mutated = Buffer.from(stream.subarray(0, 1 + below(stream.length)))
      for (let flips = below(4); flips >= 0; flips--) mutated[below(mutated.length)] = below(256)
      for (const byte of mutated) {
        const heard = decoder.take(byte)
        if (heard?.is === 'block') callOf(heard.body)
      }
      const last = said(next, decoder).at(-1)
      if (last?.is !== 'block' || !last.intact)
        throw new Error(`run ${run}: after ${mutated.toString('hex')}: ${JSON.stringify(last)}`)
    }
  })

  test('any bytes at all, in any pieces, mean the same', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), (bytes, cut) => {
        const decoder = new Decoder(7)
        const pieces = [...said(bytes.subarray(0, cut), decoder), ...said(bytes.subarray(cut), decoder)]
        expect(pieces).toEqual(said(bytes))
        for (const each of pieces)
          if (each.is === 'block') expect(callOf(each.body).text).toBeTypeOf('string')
      }),
      { numRuns: 2_000 },
    )
  })
})
