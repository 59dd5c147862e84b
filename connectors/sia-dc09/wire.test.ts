import { describe, expect, test } from 'vitest'
import { type Answer, enciphered, timeText, wrap } from '../../mocks/dc09-panel/wire.ts'
import { timeOf } from './codec.ts'
import { key, start } from './fixtures/stage.ts'

const pharmacy = { account: '7A7A', key }
const hour = 3_600_000

/** The words with which an answer differs from a plain one of the same sequence. */
const shape = ({ is, encrypted, seq, receiver, line, account }: Answer) => ({
  is,
  encrypted,
  seq,
  receiver,
  line,
  account,
})

describe.each([
  ['tcp', false],
  ['udp', true],
] as const)('answers by %s', (_name, udp) => {
  test('carry sequence, receiver, line and account as they came; what was left out stays out', async () => {
    const { panel } = await start()
    const whole = await panel({ udp, receiver: 'C0FFD', line: '1234', seq: 41 }).send('1120 01 005')
    expect(whole?.body).toBe('"ACK"0042RC0FFDL1234#0809[]')
    const without = await panel({ udp, line: '000' }).supervise()
    expect(without?.body).toBe('"ACK"0000L000#0809[]')
    const bare = await panel({ udp, line: null }).send('Nri1/PA005')
    expect(bare?.body).toBe('"ACK"0001#0809[]')
  })

  test('come in the variant of the sender: CRC as two bytes', async () => {
    const { panel, presses } = await start()
    const opax = panel({ udp, binaryCrc: true, receiver: '0' })
    expect(await opax.supervise()).toMatchObject({ is: 'ACK', binaryCrc: true })
    expect(await opax.send('1120 01 005')).toMatchObject({ is: 'ACK', binaryCrc: true })
    expect(presses()).toMatchObject([{ device: 'triage-button' }])
    expect(opax.faults).toEqual([])
  })

  test('come in cipher for what came in cipher, with a pad and our time', async () => {
    const { panel, presses } = await start()
    const pump = panel({ ...pharmacy, udp })
    const taken = await pump.send('Nri1/PA005')
    expect(shape(taken as Answer)).toEqual({
      is: 'ACK',
      encrypted: true,
      seq: '0001',
      receiver: null,
      line: '0',
      account: '7A7A',
    })
    expect(Math.abs((timeOf(taken?.time ?? '') ?? 0) - Date.now())).toBeLessThan(3_000)
    expect(await pump.supervise()).toMatchObject({ is: 'ACK', encrypted: true, seq: '0000' })
    expect(presses()).toMatchObject([{ device: 'pharmacy-button', kind: 'duress' }])
    expect(pump.faults).toEqual([])
  })
})

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

describe('segments', () => {
  test.each([2, 7, 1_000])('a frame in %i pieces is one message', async (pieces) => {
    const { panel, presses } = await start()
    expect(await panel().send('Nri1/PA005', { pieces })).toMatchObject({ is: 'ACK' })
    expect(await panel({ binaryCrc: true }).send('Nri1/PA006', { pieces })).toMatchObject({ is: 'ACK' })
    expect(presses()).toHaveLength(2)
  })

  test('frames in one segment are answered in their order, whichever is on disk first', async () => {
    let calls = 0
    const { panel } = await start({
      overrides: {
        record: async ({ key }) => {
          await new Promise((resolve) => setTimeout(resolve, calls++ === 0 ? 60 : 1))
          return { duplicate: false, id: key, incident: null }
        },
      },
    })
    const ward = panel()
    const frames = ['1120 01 005', '1120 01 006', '1401 01 001'].map((data) => ward.frame(data))
    const answers = await ward.together(frames)
    expect(answers.map((answer) => answer?.seq)).toEqual(['0001', '0002', '0003'])
  })

  test('a CRC that looks like LF or CR splits nothing', async () => {
    const { panel } = await start()
    const found = new Set<number>()
    const opax = panel({ binaryCrc: true, stamped: false })
    for (let n = 0; n < 5_000 && found.size < 4; n++) {
      const frame = opax.frame(`1120 0${1 + Math.floor(n / 1_000)} ${String(n % 1_000).padStart(3, '0')}`, {
        seq: '0001',
      })
      const odd = [1, 2].flatMap((at) =>
        [10, 13].includes(frame[at] ?? 0) ? [at * 100 + (frame[at] ?? 0)] : [],
      )
      if (odd.length === 0 || odd.every((each) => found.has(each))) continue
      for (const each of odd) found.add(each)
      const [first, second] = await opax.together([frame, opax.frame('1602 00 000')])
      expect([first?.is, second?.is]).toEqual(['ACK', 'ACK'])
    }
    expect(found.size).toBe(4)
  })

  test('the sender may close its half before it is answered', async () => {
    const { panel, port } = await start()
    const { connect } = await import('node:net')
    const frame = panel().frame('1120 01 005')
    const heard = await new Promise<string>((resolve) => {
      let text = ''
      const socket = connect({ port, host: '127.0.0.1' }, () => socket.end(frame))
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1')
      })
      socket.on('close', () => resolve(text))
    })
    expect(heard).toContain('"ACK"0001L0#0809[]')
  })

  test('a wrong length is not believed: what stands behind it is taken', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    const lying = Buffer.from(ward.frame('1120 01 005'))
    lying.write('0FFF', 5)
    const right = ward.frame('1120 01 006')
    expect(await ward.transmit(Buffer.concat([lying, right]))).toMatchObject({ is: 'ACK', seq: '0002' })
    expect(presses()).toHaveLength(1)
  })
})

describe('what is no frame is not answered, and ends nothing', () => {
  test.each([
    ['wrong CRC', (frame: Buffer) => Buffer.concat([Buffer.from('\n0000'), frame.subarray(5)])],
    ['no LF', (frame: Buffer) => frame.subarray(1)],
    [
      'a length that is too short',
      (frame: Buffer) => Buffer.from(frame.toString().replace(/^(\n....)..../, '$10020')),
    ],
    ['no CR', (frame: Buffer) => frame.subarray(0, -1)],
    ['text', () => Buffer.from('\nhello\r')],
    ['nothing but LF', () => Buffer.alloc(500, 10)],
    ['an encrypted NAK', () => wrap('"*NAK"0000R0L0A0[00112233445566778899AABBCCDDEEFF')],
    ['an ACK', () => wrap('"ACK"0001L0#0809[]')],
  ])('%s', async (_name, spoil) => {
    const { panel, facts } = await start()
    const ward = panel()
    expect(await ward.transmit(spoil(ward.frame('Nri1/PA005')), { withinMs: 100 })).toBeNull()
    expect(facts).toEqual([])
    expect(await ward.send('Nri1/PA005', { attempts: 8, withinMs: 1_000 })).toMatchObject({ is: 'ACK' })
    expect([ward.drops, ward.faults]).toEqual([0, []])
  })
})

describe('repeats on the wire', () => {
  test('the same bytes again, on another connection or by UDP, are one press, acknowledged each time', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    await ward.send('Nri1/PA005')
    expect(await ward.again()).toMatchObject({ is: 'ACK', seq: '0001' })
    ward.cut()
    expect(await ward.again()).toMatchObject({ is: 'ACK' })
    expect(await panel({ udp: true }).transmit(ward.last)).toMatchObject({ is: 'ACK' })
    expect(presses()).toHaveLength(1)
    await ward.send('Nri1/PA005')
    expect(presses()).toHaveLength(2)
  })

  test('an encrypted repeat is enciphered anew and stamped anew, and is one all the same', async () => {
    const { panel, presses } = await start()
    const pump = panel(pharmacy)
    await pump.send('1121 01 005', { seq: '0042', at: Date.now() - 30_000 })
    expect(await pump.send('1121 01 005', { seq: '0042' })).toMatchObject({ is: 'ACK', encrypted: true })
    expect(presses()).toHaveLength(1)
  })

  test('a cipher that is played back under another sequence is no new press', async () => {
    const { panel, presses } = await start()
    const pump = panel(pharmacy)
    await pump.send('1121 01 005')
    const played = pump.last
      .toString('latin1')
      .replace(/^\n.{8}/, '')
      .replace('"0001', '"0002')
      .slice(0, -1)
    expect(await pump.transmit(wrap(played))).toMatchObject({ is: 'ACK', seq: '0002' })
    expect(presses()).toHaveLength(1)
  })

  test('two presses in one second are two', async () => {
    const { panel, presses } = await start()
    const [ward, pump] = [panel(), panel(pharmacy)]
    const at = Date.now()
    for (let n = 0; n < 3; n++) {
      await ward.send('Nri1/PA005', { at })
      await pump.send('Nri1/PA005', { at })
    }
    expect(presses()).toHaveLength(6)
  })

  test('what is played back after the window is NAK', async () => {
    const { panel, presses, clock } = await start()
    const pump = panel(pharmacy)
    await pump.send('1121 01 005')
    clock.ms = 45_000
    expect(await pump.again()).toMatchObject({ is: 'NAK' })
    expect(presses()).toHaveLength(1)
  })
})

describe('supervision', () => {
  test('row 30: a NULL is acknowledged, whatever its sequence and data, and proves all devices of its account', async () => {
    const { panel, notes } = await start()
    const ward = panel()
    expect(await ward.supervise()).toMatchObject({ is: 'ACK', seq: '0000' })
    expect(await ward.supervise({ seq: '0001' })).toMatchObject({ is: 'ACK', seq: '0001' })
    const hikvision = ward.frame('#0000|0000 00 000', { id: 'NULL', whole: true })
    expect(await ward.transmit(hikvision)).toMatchObject({ is: 'ACK' })
    const proven = new Set(notes.filter(({ state }) => state.quality === 'good').map(({ device }) => device))
    expect([...proven].sort()).toEqual(['area-2', 'nurse-code', 'triage-button', 'ward-panel'])
  })

  test('a fire input is said again with each sign of life', async () => {
    const { panel, notes } = await start({ inputs: { smoke: { account: '0809', zone: 7 } } })
    const ward = panel()
    const last = () => notes.at(-1)?.state.active
    await ward.supervise()
    expect(last()).toBeUndefined()
    await ward.send('1110 01 007')
    await ward.supervise()
    expect(last()).toBe(true)
    await ward.send('3110 01 007')
    await ward.supervise()
    expect(last()).toBe(false)
  })

  test('a heartbeat line between frames is answered as its senders expect', async () => {
    const { port, notes } = await start({
      config: { accounts: { '006969': {} } },
      inputs: { old: { account: '006969' } },
    })
    const { connect } = await import('node:net')
    const heard = await new Promise<string>((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' })
      socket.write('SR0001L0001    006969XX    [ID00000000]\r')
      socket.once('data', (bytes) => {
        socket.destroy()
        resolve(bytes.toString())
      })
    })
    expect(heard).toBe('"ACK"')
    expect(notes).toMatchObject([{ device: 'old', state: { quality: 'good' } }])
  })
})

describe('connections', () => {
  test('with all taken, a caller who never said anything makes room for a panel', async () => {
    const { panel } = await start({ config: { sessions: 3 } })
    const known = panel()
    await known.supervise()
    const idle = [panel(), panel(), panel()]
    for (const each of idle) await each.connect()
    const late = panel()
    expect(await late.send('1120 01 005')).toMatchObject({ is: 'ACK' })
    expect(known.drops).toBe(0)
    expect(await known.supervise()).toMatchObject({ is: 'ACK' })
  })

  test('a sender over its rate is slowed down, and loses nothing', async () => {
    const { panel, presses } = await start({ config: { rate: 20 } })
    const ward = panel()
    const frames = Array.from({ length: 30 }, (_, zone) => ward.frame(`1120 01 ${String(100 + zone)}`))
    const answers = await ward.together(frames, 5_000)
    expect(answers.every((answer) => answer?.is === 'ACK')).toBe(true)
    expect(presses()).toHaveLength(30)
  })

  test('one who sends no frames at all is cut off, and nobody else', async () => {
    const { panel } = await start()
    const ward = panel()
    await ward.supervise()
    const mad = panel()
    await mad.connect()
    for (let n = 0; n < 10; n++) await mad.transmit(Buffer.alloc(65_536, 0x78), { withinMs: 5 })
    expect(mad.drops).toBeGreaterThan(0)
    expect(await ward.supervise()).toMatchObject({ is: 'ACK' })
    expect(ward.drops).toBe(0)
  })
})

test('the time of the mock and of the connector are the same words', () => {
  expect(timeOf(timeText(Date.UTC(2026, 1, 3, 4, 5, 6)).slice(1))).toBe(Date.UTC(2026, 1, 3, 4, 5, 6))
})
