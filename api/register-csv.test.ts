import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Device, Site } from '../core/site/site.ts'
import { fromCsv, harmless, plain, toCsv } from './register-csv.ts'

const now = Date.UTC(2026, 10, 22, 12)
const names = ['button', 'badge-7', 'till.2']
const site = {
  timezone: 'America/Chicago',
  devices: new Map(names.map((name) => [name, { name, label: name, place: null } as unknown as Device])),
} as Pick<Site, 'devices' | 'timezone'>

const read = (text: string) => fromCsv(text, site, now)
const problemsOf = (text: string) => read(text).problems

describe('a list of tests', () => {
  test('names device, time, tester and, if it likes, a note', () => {
    expect(read('device,at,by,note\nbutton,2026-11-20T10:00:00Z,T. Ester,"loud, clear"\n').rows).toEqual([
      { device: 'button', at: Date.UTC(2026, 10, 20, 10), by: 'T. Ester', note: 'loud, clear' },
    ])
  })

  test('may come with a byte order mark, in any order of columns, and with times on the wall of the site', () => {
    expect(
      read('\uFEFFby;at'.replace(';', ',').concat(',device\r\nT,2026-11-20 10:00,button\r\n')).rows,
    ).toEqual([{ device: 'button', at: Date.UTC(2026, 10, 20, 16), by: 'T', note: '' }])
  })

  test('tells all that is wrong at once, by line', () => {
    const text =
      'device,at,by\nnobody,2026-11-20,T\nbutton,yesterday,T\nbutton,2027-01-01,T\nbutton,2026-11-20,\n'
    expect(problemsOf(text)).toEqual([
      { line: 2, message: 'there is no device `nobody`' },
      { line: 3, message: expect.stringContaining('`yesterday` is no time') },
      { line: 4, message: '`2027-01-01` is still to come' },
      { line: 5, message: expect.stringContaining('`by`') },
    ])
  })

  test.each([
    ['nothing', '', 'the first line names the columns'],
    ['a column missing', 'device,at\n', 'no column `by`'],
    ['a column unknown', 'device,at,by,secret\n', 'unknown column `secret`'],
    ['a column twice', 'device,at,by,by\n', 'there twice'],
    ['open quotes', 'device,at,by\n"button,2026-11-20,T\n', 'not CSV'],
  ])('%s is said', (_what, text, message) => {
    expect(problemsOf(text).map((problem) => problem.message)).toContainEqual(
      expect.stringContaining(message),
    )
  })

  test('has at most 10,000 rows', () => {
    const rows = Array.from({ length: 10_001 }, () => 'button,2026-11-20,T').join('\n')
    expect(problemsOf(`device,at,by\n${rows}\n`)).toContainEqual(
      expect.objectContaining({ message: 'at most 10000 rows' }),
    )
  })

  test('whatever it holds, reading it ends with rows or with problems', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        const { rows, problems } = read(`device,at,by\n${text}`)
        expect(rows === null).toBe(problems.length > 0)
      }),
    )
  })
})

describe('out and in', () => {
  const proof = fc.record({
    at: fc.integer({ min: Date.UTC(2001, 0, 1), max: now }),
    by: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }).map((text) => text.trim() || 'T'),
    note: fc.string({ unit: 'grapheme-ascii', maxLength: 60 }).map((text) => text.trim()),
  })

  test('what goes out comes in the same', () => {
    fc.assert(
      fc.property(fc.array(fc.option(proof), { minLength: 3, maxLength: 3 }), (proofs) => {
        const rows = names.map((name, index) => {
          const known = proofs[index] ?? null
          return {
            device: site.devices.get(name) as Device,
            standing: { is: 'proven' as const, why: '=1+1' },
            tested: known && { proof: { ...known, how: 'manual' as const, outputs: [] }, failed: null },
          }
        })
        const back = read(toCsv(rows.map(({ tested, ...row }) => ({ ...row, tested: tested ?? undefined }))))
        expect(back.problems).toEqual([])
        expect(back.rows).toEqual(
          names.flatMap((device, index) => (proofs[index] ? [{ device, ...proofs[index] }] : [])),
        )
      }),
    )
  })

  test('no cell begins like a formula, and every text comes back', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.constantFrom('', '=', '+', '-', '@', '\t', '\r', "'", "'=", "''=", '＝'), fc.string()),
        ([start, rest]) => {
          const text = start + rest
          expect(harmless(text)).not.toMatch(/^[=+\-@\t\r＝＋－＠]/)
          expect(plain(harmless(text))).toBe(text)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('a tester named like a formula is harmless in a spreadsheet', () => {
    const tested = { proof: { at: now, by: '=cmd|A1', how: 'manual' as const, outputs: [] }, failed: null }
    const device = site.devices.get('button') as Device
    expect(toCsv([{ device, standing: { is: 'proven', why: '' }, tested }])).toContain("'=cmd|A1")
  })
})
