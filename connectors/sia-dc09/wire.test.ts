import { describe, expect, test } from 'vitest'
import { type Answer, timeText, wrap } from '../../mocks/dc09-panel/wire.ts'
import { timeOf } from './codec.ts'
import { key, start } from './fixtures/stage.ts'

const pharmacy = { account: '7A7A', key }

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
  test('carry sequence, receiver, line and account as they came; what was left out stays out, never "None"', async () => {
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

test('an account that only the data names is known by it, and answered with it', async () => {
  const { panel, presses } = await start()
  const answer = await panel().send('Nri1/PA005', { anonymous: true })
  expect(answer?.body).toBe('"ACK"0001L0#0809[]')
  expect(presses()).toMatchObject([{ device: 'triage-button' }])
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
  test('go when they were silent for too long, and the next message opens another', async () => {
    const { panel, clock } = await start({ config: { idle: '10m' } })
    const ward = panel()
    await ward.supervise()
    clock.ms = 599_000
    await ward.supervise()
    clock.ms += 601_000
    await expect.poll(() => ward.drops, { timeout: 5_000 }).toBe(1)
    expect(await ward.supervise()).toMatchObject({ is: 'ACK' })
  })

  test('a frame that stops in its midst is given up', async () => {
    const { panel, clock, link } = await start()
    const ward = panel()
    await ward.transmit(Buffer.from('\n12340FFF"SIA'), { withinMs: 50 })
    clock.ms = 21_000
    const damaged = async () => (await link.probe?.(null, new AbortController().signal)) ?? null
    await expect.poll(damaged, { timeout: 5_000 }).toMatchObject({ refused: { damaged: 1 } })
    expect(await ward.send('1120 01 006')).toMatchObject({ is: 'ACK' })
    expect(ward.drops).toBe(0)
  })

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
