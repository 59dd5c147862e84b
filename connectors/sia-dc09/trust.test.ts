import { describe, expect, test } from 'vitest'
import { enciphered, wrap } from '../../mocks/dc09-panel/wire.ts'
import { timeOf } from './codec.ts'
import { key, start } from './fixtures/stage.ts'

const pharmacy = { account: '7A7A', key }
const hour = 3_600_000

describe('keys', () => {
  test.each([
    ['hex', 16],
    ['hex', 24],
    ['hex', 32],
    ['text', 16],
    ['text', 24],
    ['text', 32],
  ] as const)('%s of %i bytes', async (format, length) => {
    const written = format === 'hex' ? 'a5'.repeat(length) : 'Kx9.'.repeat(length / 4)
    const own = Buffer.from(written, format === 'hex' ? 'hex' : 'latin1')
    const config = { accounts: { '7A7A': { key: { env: 'K' }, format } } }
    const { panel, presses } = await start({ config, overrides: { secret: async () => written } })
    expect(await panel({ account: '7A7A', key: own }).send('1121 01 005')).toMatchObject({
      is: 'ACK',
      encrypted: true,
    })
    expect(presses()).toHaveLength(1)
  })

  test('what is no key refuses its account, and nobody else', async () => {
    const { panel, presses, lines } = await start({ overrides: { secret: async () => 'not-hex' } })
    expect(await panel(pharmacy).send('1121 01 005')).toMatchObject({ is: 'DUH' })
    expect(await panel().send('1120 01 005')).toMatchObject({ is: 'ACK' })
    expect(presses()).toMatchObject([{ device: 'triage-button' }])
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    expect(JSON.stringify(lines)).not.toContain('not-hex')
  })

  test('another key does not open it: DUH, no press, a trouble', async () => {
    const { panel, facts } = await start()
    const wrong = panel({ ...pharmacy, key: Buffer.alloc(16, 7) })
    // One in some thousand garbled texts happens to have brackets; never a time of now.
    for (let n = 0; n < 20; n++) expect((await wrong.send('1121 01 005'))?.is).toMatch(/DUH|NAK/)
    expect(facts.filter(({ is }) => is === 'press')).toEqual([])
    expect(facts).toMatchObject([{ is: 'trouble', trouble: 'fault', phase: 'active' }])
  })

  test('a plain frame for a keyed account is refused: DUH, no press, no proof of life', async () => {
    const { panel, facts, notes } = await start()
    const forged = panel({ account: '7a7a' })
    expect(await forged.send('Nri1/PA005')).toMatchObject({ is: 'DUH', encrypted: false })
    expect(await forged.supervise()).toMatchObject({ is: 'DUH' })
    expect(notes).toEqual([])
    expect(facts).toMatchObject([{ is: 'trouble', from: 'account 7A7A' }])
    expect(forged.drops).toBe(0)
    await panel(pharmacy).supervise()
    expect(facts.map(({ is, ...fact }) => [is, 'phase' in fact && fact.phase])).toEqual([
      ['trouble', 'active'],
      ['trouble', 'restored'],
    ])
  })

  test('nor does the account of the data get around that', async () => {
    const { panel, presses } = await start()
    await panel({ account: '9999' }).send('#7A7A|Nri1/PA005', { whole: true })
    await panel({ account: '7A7A' }).send('Nri1/PA005', { anonymous: true })
    expect(presses().map(({ device }) => device)).toEqual([null])
  })

  test('a frame in cipher for an account without a key is refused', async () => {
    const { panel, presses } = await start()
    expect(await panel({ key }).send('1121 01 012')).toMatchObject({ is: 'DUH', encrypted: false })
    expect(await panel({ account: '9999', key }).send('1121 01 012')).toMatchObject({ is: 'DUH' })
    expect(presses()).toEqual([])
  })
})

describe('time', () => {
  test('row 29: a duress in clear with a wrong clock is taken, and the offset noted', async () => {
    const { panel, presses, notes } = await start()
    for (const clockOffsetMs of [-41_000, 21_000, -5 * hour, Date.UTC(2000, 0, 1) - Date.now()]) {
      const ward = panel({ clockOffsetMs })
      expect(await ward.send(`1121 01 012`)).toMatchObject({ is: 'ACK' })
      const offset = notes.findLast(({ device }) => device === 'nurse-code')?.state.clockOffsetMs ?? 0
      expect(Math.abs(offset - clockOffsetMs)).toBeLessThan(2_500)
    }
    expect(presses()).toHaveLength(4)
    expect(presses()[2]?.words).toMatch(/^duress code \(121\), panel clock 1800\d s behind$/)
    expect(presses()[1]?.words).toBe('duress code (121)')
    expect(new Date(presses()[3]?.occurredAt ?? 0).getUTCFullYear()).toBeLessThan(2_001)
  })

  test.each([
    ['39 s old', -38_000, 'ACK'],
    ['19 s ahead', 18_000, 'ACK'],
    ['42 s old', -42_000, 'NAK'],
    ['22 s ahead', 23_000, 'NAK'],
  ])('an encrypted one that is %s', async (_name, clockOffsetMs, is) => {
    const { panel } = await start()
    expect(await panel({ ...pharmacy, clockOffsetMs }).send('1121 01 005')).toMatchObject({ is })
  })

  test('the window ends after 40 s and 20 s, in whole seconds', async () => {
    const { panel, clock } = await start()
    const found: Record<string, string | undefined> = {}
    for (const seconds of [-41, -40, 20, 21]) {
      // In the midst of a second, when the time on the wire is that much behind.
      clock.ms = 500 - (Date.now() % 1_000)
      const at = clock.now() + seconds * 1_000
      found[seconds] = (await panel(pharmacy).send('1120 01 005', { at }))?.is
    }
    expect(found).toEqual({ '-41': 'NAK', '-40': 'ACK', 20: 'ACK', 21: 'NAK' })
  })

  test('row 29: the NAK carries our time and a right frame, and the panel that follows it is heard', async () => {
    const { panel, presses, facts } = await start()
    const pump = panel({ ...pharmacy, clockOffsetMs: -hour })
    const refused = await pump.send('1121 01 005')
    expect(refused?.body).toMatch(/^"NAK"0000R0L0A0\[\]_\d\d:\d\d:\d\d,\d\d-\d\d-\d{4}$/)
    pump.clockOffsetMs += (timeOf(refused?.time ?? '') ?? 0) - (Date.now() - hour)
    expect(await pump.send('1121 01 005')).toMatchObject({ is: 'ACK' })
    expect(presses()).toHaveLength(1)
    // One NAK that the panel heeds is no trouble.
    expect(facts).toHaveLength(1)
  })

  test('an encrypted one without a time is NAK too, as is an encrypted NULL', async () => {
    const { panel } = await start()
    const body = `"*ADM-CID"0007L0#7A7A[${enciphered('#7A7A|1121 01 005]', key, true)}`
    expect(await panel(pharmacy).transmit(wrap(body))).toMatchObject({ is: 'NAK' })
    const old = panel({ ...pharmacy, clockOffsetMs: -hour })
    expect(await old.supervise()).toMatchObject({ is: 'NAK', encrypted: false })
  })

  test('a panel that goes on with a wrong time is a trouble', async () => {
    const { panel, facts } = await start()
    const pump = panel({ ...pharmacy, clockOffsetMs: -hour })
    for (let n = 0; n < 4; n++) await pump.supervise()
    expect(facts).toMatchObject([
      { is: 'trouble', words: 'sends encrypted messages with a wrong time', phase: 'active' },
    ])
  })
})

test('accounts that somebody makes up bring a bounded number of troubles', async () => {
  const { panel, facts, link } = await start()
  for (let n = 0; n < 40; n++)
    await panel({ account: (0x5000 + n).toString(16), key, udp: true }).send('1120 01 005')
  expect(facts).toHaveLength(20)
  const found = await link.probe?.(null, new AbortController().signal)
  expect(found).toMatchObject({ refused: { 'no key': 40 } })
})
