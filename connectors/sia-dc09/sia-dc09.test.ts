import { describe, expect, test } from 'vitest'
import { BridgeError } from '../../core/error.ts'
import { key, start } from './fixtures/stage.ts'

describe('what panels say', () => {
  test('a button on a zone is a duress press of its device, with the panel in the words', async () => {
    const { panel, presses } = await start()
    const answer = await panel().send('Nri1/PA005^Triage 2^')
    expect(answer).toMatchObject({ is: 'ACK', seq: '0001', line: '0', receiver: null, account: '0809' })
    expect(presses()).toMatchObject([
      { device: 'triage-button', kind: 'duress', phase: 'active', pattern: 'PA' },
    ])
    expect(presses()[0]?.from).toBe('account 0809, area 1, zone 5, "Triage 2": panic (PA)')
  })

  test('row 27: a duress code is first-class: the person whose code it is, and an answer like any other', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    const duress = await ward.send('1121 01 012')
    const opening = await ward.send('1401 01 012')
    expect(presses()).toMatchObject([
      { device: 'nurse-code', kind: 'duress', person: 'nurse a', pattern: '121' },
    ])
    const like = (answer: typeof duress) => answer?.body.replace(/"\d{4}/, '"')
    expect(like(duress)).toBe(like(opening))
  })

  test.each([
    ['1120 01 005', 'duress'],
    ['1122 01 005', 'duress'],
    ['1123 01 005', 'duress'],
    ['1124 01 012', 'duress'],
    ['1125 01 012', 'duress'],
    ['1126 01 005', 'hold-up'],
    ['1100 01 005', 'medical'],
    ['1101 01 005', 'medical'],
    ['1110 01 005', 'hazard'],
    ['1151 01 005', 'hazard'],
    ['1130 01 005', 'unknown'],
    ['1199 01 005', 'unknown'],
    ['1B12 01 005', 'unknown'],
    ['6121 01 012', 'duress'],
    ['Nri1/HA005', 'duress'],
    ['Nri1HA5', 'duress'],
    ['Nri1/MA005', 'medical'],
    ['Nri1/QA005', 'medical'],
    ['Nri1/GA005', 'hazard'],
    ['Nri1/BA005', 'unknown'],
    ['Nri1/ZX005', 'unknown'],
    ['181121010050', 'duress'],
  ])('%s calls for %s', async (data, kind) => {
    const { panel, presses } = await start()
    const id = data.startsWith('18') ? { id: 'ADM-CID' } : {}
    expect(await panel().send(data, id)).toMatchObject({ is: 'ACK' })
    expect(presses().map((press) => [press.phase, press.kind])).toEqual([['active', kind]])
  })

  test.each([
    ['3120 01 005', 'restored'],
    ['Nri1/PR005', 'restored'],
    ['Nri1/PH005', 'restored'],
    ['Nri1/HR005', 'restored'],
  ])('%s ends a press', async (data, phase) => {
    const { panel, presses } = await start()
    await panel().send(data)
    expect(presses()).toMatchObject([{ device: 'triage-button', phase }])
  })

  test.each([
    ['1137 01 005', 'tamper', 'active'],
    ['3137 01 005', 'tamper', 'restored'],
    ['1302 00 000', 'low-battery', 'active'],
    ['1384 00 005', 'low-battery', 'active'],
    ['1301 00 000', 'power-loss', 'active'],
    ['1350 00 000', 'comm-loss', 'active'],
    ['3354 00 000', 'comm-loss', 'restored'],
    ['1381 00 005', 'comm-loss', 'active'],
    ['1570 01 005', 'bypassed', 'active'],
    ['1423 01 005', 'forced', 'active'],
    ['1333 01 005', 'fault', 'active'],
    ['Nri0/YT00', 'low-battery', 'active'],
    ['Nri0/YR00', 'low-battery', 'restored'],
    ['Nri0/AT00', 'power-loss', 'active'],
    ['Nri0/YC00', 'comm-loss', 'active'],
    ['Nri1/TA005', 'tamper', 'active'],
    ['Nri1/JA012', 'tamper', 'active'],
    ['Nri1/PT005', 'fault', 'active'],
    ['Nri1/HB005', 'bypassed', 'active'],
  ])('%s is the trouble %s, %s', async (data, trouble, phase) => {
    const { panel, facts } = await start()
    expect(await panel().send(data)).toMatchObject({ is: 'ACK' })
    expect(facts).toMatchObject([{ is: 'trouble', trouble, phase }])
  })

  test.each([
    ['1401 01 012', 'opened (401), account 0809, area 1, user 12, nurse a'],
    ['3401 01 012', 'closed (401), account 0809, area 1, user 12, nurse a'],
    ['Nri1/OP012', 'opened (OP), account 0809, area 1, user 12, nurse a'],
    ['1602 00 000', 'periodic test (602), account 0809'],
    ['NRP', 'periodic test (RP), account 0809'],
  ])('%s is context, never a press', async (data, words) => {
    const { panel, facts, notes } = await start()
    expect(await panel().send(data)).toMatchObject({ is: 'ACK' })
    expect(facts).toEqual([])
    const context = notes.flatMap(({ device, state }) =>
      state.context ? [[device, state.context.words]] : [],
    )
    expect(context).toContainEqual(['triage-button', words])
  })

  test('each event of a message with several is taken, and it is acknowledged once', async () => {
    const { panel, facts } = await start()
    const ward = panel()
    await ward.send('Nri1/PA005/TA009/id012HA007')
    expect(facts.map((fact) => [fact.device, fact.is])).toEqual([
      ['triage-button', 'press'],
      ['ward-panel', 'trouble'],
      ['nurse-code', 'press'],
    ])
    expect(new Set(facts.map((fact) => fact.key)).size).toBe(3)
    expect(ward.answers).toHaveLength(1)
  })

  test('the device that says most is meant: zone before area before the whole panel', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    await ward.send('1120 02 005')
    await ward.send('1120 02 099')
    await ward.send('1120 01 099')
    expect(presses().map(({ device }) => device)).toEqual(['triage-button', 'area-2', 'ward-panel'])
  })

  test('user 5 is not zone 5: nobody is sent to the wrong room', async () => {
    const { panel, presses } = await start({ inputs: { button: { account: '0809', zone: 5 } } })
    await panel().send('1121 01 005')
    expect(presses()).toMatchObject([
      { device: null, from: 'account 0809, area 1, user 5: duress code (121)' },
    ])
  })

  test('a device that lists a code takes its number as it comes', async () => {
    const inputs = {
      'duress-zone': { account: '0809', zone: 92, codes: ['121'] },
      'any-panic': { account: '0809', codes: ['120', 'PA'] },
    }
    const { panel, presses } = await start({ inputs })
    const ward = panel()
    await ward.send('1121 01 092')
    await ward.send('Nri1/PA017')
    await ward.send('1130 01 092')
    expect(presses().map(({ device }) => device)).toEqual(['duress-zone', 'any-panic', null])
  })

  test('the config may say what a code calls for', async () => {
    const { panel, presses, facts } = await start({ config: { codes: { BA: 'weapon', '130': 'context' } } })
    const ward = panel()
    await ward.send('Nri1/BA005')
    await ward.send('1130 01 005')
    expect(presses()).toMatchObject([{ kind: 'weapon' }])
    expect(facts).toHaveLength(1)
  })

  test('where and when are taken from the extensions', async () => {
    const { panel, presses } = await start()
    await panel().send('Nri1/PA005', {
      ext: ['X012W34.5', 'Y049N06.6666666', 'IPump room', 'H08:00:01,09-25-2026', 'Qunknown'],
    })
    expect(presses()[0]).toMatchObject({
      occurredAt: Date.UTC(2026, 8, 25, 8, 0, 1),
      position: { latitude: 49 + 6.6666666 / 60, longitude: -(12 + 34.5 / 60) },
    })
    expect(presses()[0]?.words).toBe('panic (PA), Pump room')
  })
})

describe('who nobody configured', () => {
  test('row 30: an unknown account opens an incident, and is told in a right frame that it is not known', async () => {
    const { panel, presses, panel: other } = await start()
    const stranger = panel({ account: '9999' })
    expect(await stranger.send('Nri1/PA007')).toMatchObject({ is: 'DUH', seq: '0001', account: '9999' })
    expect(presses()).toMatchObject([
      { device: null, kind: 'duress', from: 'unknown account 9999, area 1, zone 7: panic (PA)' },
    ])
    expect(await stranger.supervise()).toMatchObject({ is: 'DUH' })
    expect(stranger.drops).toBe(0)
    expect(await other().supervise()).toMatchObject({ is: 'ACK' })
  })

  test('such accounts are acknowledged where the config says so', async () => {
    const { panel, presses } = await start({ config: { 'unknown-accounts': 'ack' } })
    expect(await panel({ account: '9999' }).send('1120 01 007')).toMatchObject({ is: 'ACK' })
    expect(presses()).toHaveLength(1)
  })

  test('an unknown zone of a known account is told in words', async () => {
    const { panel, presses } = await start({ inputs: { button: { account: '0809', zone: 5 } } })
    expect(await panel().send('1120 03 044')).toMatchObject({ is: 'ACK' })
    expect(presses()).toMatchObject([{ device: null, from: 'account 0809, area 3, zone 44: panic (120)' }])
  })

  test('row 30: an unknown code is a call of kind unknown, acknowledged, on a link that stays', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    expect(await ward.send('Nri1/ZX001')).toMatchObject({ is: 'ACK' })
    expect(await ward.send('1789 01 001')).toMatchObject({ is: 'ACK' })
    expect(presses().map(({ kind }) => kind)).toEqual(['unknown', 'unknown'])
    expect(ward.drops).toBe(0)
  })

  test('data that nobody can read is a call of kind unknown, and DUH', async () => {
    const { panel, presses } = await start()
    const ward = panel()
    expect(await ward.send('help, room 7', { id: 'ADM-CID' })).toMatchObject({ is: 'DUH' })
    expect(presses()).toMatchObject([{ kind: 'unknown', device: 'ward-panel' }])
    expect(presses()[0]?.from).toContain('help, room 7')
    expect(ward.drops).toBe(0)
  })

  test('a format that is not known is DUH, and a trouble of the account', async () => {
    const { panel, facts } = await start()
    const ward = panel()
    expect(await ward.send('x', { id: 'SIA-PUL' })).toMatchObject({ is: 'DUH' })
    expect(facts).toMatchObject([{ is: 'trouble', device: 'ward-panel', phase: 'active' }])
    await ward.supervise()
    expect(facts).toMatchObject([{ phase: 'active' }, { is: 'trouble', phase: 'restored' }])
  })
})

describe('recorded before acknowledged', () => {
  test('what is not recorded gets no answer, and is taken when it comes again', async () => {
    let works = false
    const around = await start({
      overrides: {
        record: async () => {
          if (!works) throw new BridgeError('NOT_RECORDED', 'the disk is full')
          return { duplicate: false, id: 'event-1', incident: 'i-1' }
        },
      },
    })
    const ward = around.panel()
    expect(await ward.send('1120 01 005', { withinMs: 100 })).toBeNull()
    works = true
    expect(await ward.again()).toMatchObject({ is: 'ACK' })
    expect(ward.drops).toBe(0)
  })

  test('a message of which one event is not recorded is not acknowledged', async () => {
    const { panel } = await start({
      overrides: {
        record: async ({ is }) => {
          if (is === 'trouble') throw new BridgeError('TOO_BUSY', 'too many')
          return { duplicate: false, id: 'event-1', incident: null }
        },
      },
    })
    expect(await panel().send('Nri1/PA005/TA009', { withinMs: 100 })).toBeNull()
  })
})

describe('the heartbeat press', () => {
  test('comes in over the own port and is told from all others', async () => {
    const { link, presses, panel } = await start()
    await link.beat?.('mark-7 "[|]"', new AbortController().signal)
    expect(presses()).toMatchObject([
      { heartbeat: 'mark-7 "[|]"', device: null, from: 'heartbeat', phase: 'active' },
    ])
    const data = `#BEA7|NPA0|A${Buffer.from('mark-8').toString('hex')}`
    await panel({ account: 'BEA7' }).send(data, { whole: true })
    expect(presses()[1]?.heartbeat).toBeUndefined()
    expect(presses()[1]).toMatchObject({ device: null, kind: 'duress' })
  })

  test('fails when it is not recorded, or given up', async () => {
    const { link } = await start({
      overrides: { record: async () => Promise.reject(new BridgeError('NOT_RECORDED', 'full')) },
    })
    await expect(link.beat?.('m', AbortSignal.timeout(100))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

test('the probe tells what was taken and refused, and no key', async () => {
  const { link, panel } = await start()
  await panel().send('1120 01 005')
  const found = await link.probe?.(null, new AbortController().signal)
  expect(found).toMatchObject({ taken: 1, sessions: 1 })
  expect(JSON.stringify(found)).not.toContain(key.toString('hex'))
})
