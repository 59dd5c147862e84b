import { afterEach, describe, expect, test, vi } from 'vitest'
import { SimulatedClock } from '../../core/clock.ts'
import type { Context, Link } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { block } from '../../mocks/espa-station/frame.ts'
import { EspaStation, type EspaStationOptions } from '../../mocks/espa-station/index.ts'
import { serialCable } from '../../mocks/pty.ts'
import { testContext } from '../../test/context.ts'
import espa444 from './index.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const nurseCall = {
  patterns: [{ match: '(?<kind>panic|assist) (?<place>.+)$' }],
  places: { 'ED TRIAGE 2': { place: 'north/l2/ed/triage-2', precision: 'room' } },
  kinds: { PANIC: 'duress', ASSIST: 'assist' },
}

const parsed = (config: object, inputs: Record<string, Json> = {}) => ({
  name: 'nurse-call',
  config: espa444.config.parse(config),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, espa444.input!.parse(input)])),
  outputs: new Map<string, never>(),
})

const open = async (config: object, inputs: Record<string, Json> = {}, context: Partial<Context> = {}) => {
  const heard = vi.fn()
  const test = testContext({ heard, ...context })
  const link: Link = await espa444.open({ ...parsed(config, inputs), cursors: new Map() }, test.ctx)
  closing.push(() => link.close())
  const probe = () => link.probe!(null, new AbortController().signal) as Promise<{ [name: string]: Json }>
  return { ...test, link, probe, heard }
}

const listening = async (
  config: object = nurseCall,
  inputs: Record<string, Json> = {},
  more: Partial<Context> = {},
) => {
  const all = await open({ listen: '127.0.0.1:0', ...config }, inputs, more)
  const port = Number(
    String((await all.probe())['listens'])
      .split(':')
      .at(-1),
  )
  const dial = async (options?: EspaStationOptions) => {
    const station = await EspaStation.dial(port, options)
    closing.push(() => station.hangUp())
    return station
  }
  return { ...all, port, dial }
}

describe('calls of a nurse-call system', () => {
  test('are presses, with kind and place in its own words', async () => {
    const { dial, facts, heard } = await listening()
    const station = await dial()
    expect(await station.poll()).toBe(true)
    expect(await station.call({ to: '3001', text: 'PANIC ED TRIAGE 2', priority: '1' })).toBe('acknowledged')
    expect(facts).toMatchObject([
      {
        is: 'press',
        phase: 'active',
        kind: 'duress',
        from: 'PANIC ED TRIAGE 2',
        sighting: { place: 'north/l2/ed/triage-2', precision: 'room' },
        raw: { to: '3001', wire: { header: '1' } },
      },
    ])
    expect(heard).toHaveBeenCalled()
  })

  test('row 30: whose text no pattern fits call for help all the same', async () => {
    const { dial, facts } = await listening()
    const station = await dial()
    expect(await station.call({ to: '7', text: 'SOMEBODY SHOUTS', trailingSeparator: true })).toBe(
      'acknowledged',
    )
    expect(facts).toMatchObject([{ kind: 'unknown', from: 'SOMEBODY SHOUTS' }])
  })

  test('of type 1 are over: the same call is restored', async () => {
    const { dial, facts } = await listening({}, { cord: { id: '3001' } })
    const station = await dial()
    await station.call({ to: '3001', text: 'CALL' })
    await station.call({ to: '3001', text: 'CALL', callType: '1' })
    expect(facts).toMatchObject([
      { device: 'cord', phase: 'active' },
      { device: 'cord', phase: 'restored' },
    ])
  })

  test('have the kind of their priority where the text does not tell', async () => {
    const { dial, facts } = await listening({ ...nurseCall, priorities: { 1: 'duress', 3: 'assist' } })
    const station = await dial()
    await station.call({ to: '1', text: 'ROOM 4', priority: '1' })
    await station.call({ to: '1', text: 'ROOM 5', priority: '3' })
    await station.call({ to: '1', text: 'ASSIST ROOM 5', priority: '1' })
    await station.call({ to: '1', text: 'ROOM 6', priority: 'constructor' })
    expect(facts).toMatchObject([
      { kind: 'duress' },
      { kind: 'assist' },
      { kind: 'assist' },
      { kind: 'unknown' },
    ])
  })

  test('are more than calls to pagers; status blocks are taken, and no calls', async () => {
    const { dial, facts } = await listening()
    const station = await dial()
    for (const header of ['2', '3']) expect(await station.call({ header, text: header })).toBe('acknowledged')
    expect(facts).toEqual([])
    for (const header of ['4', '5', '9']) await station.call({ header, text: `PANIC ${header}` })
    expect(facts).toHaveLength(3)
  })

  test('over a bad line are asked for again', async () => {
    const { dial, facts, probe } = await listening()
    const station = await dial()
    expect(await station.call({ to: '1', text: 'PANIC ED' }, { spoilt: 2 })).toBe('acknowledged')
    expect(facts).toHaveLength(1)
    expect(await probe()).toMatchObject({ garbled: 2, taken: 1 })
  })

  test('that could not be recorded are refused, sent again, and then taken', async () => {
    let fails = 1
    const test = await listening(
      nurseCall,
      {},
      {
        record: async (fact) => {
          if (fails-- > 0) throw new BridgeError('NOT_RECORDED', 'the disk is full')
          test.facts.push(fact)
          return { duplicate: false, id: 'x', incident: null }
        },
      },
    )
    const station = await test.dial()
    expect(await station.call({ to: '1', text: 'PANIC ED' }, { retries: 0 })).toBe('refused')
    expect(await station.call({ to: '1', text: 'PANIC ED' }, { retries: 0 })).toBe('acknowledged')
    expect(test.facts).toHaveLength(1)
  })

  test('of a station that selects directly, with another address', async () => {
    const { dial, facts } = await listening({ ...nurseCall, selects: 'direct', address: '5' })
    const station = await dial({ direct: true, them: '5' })
    expect(await station.call({ to: '1', text: 'PANIC ED' })).toBe('acknowledged')
    expect(facts).toHaveLength(1)
  })
})

describe('a station that is cut off', () => {
  test('200 times, wherever it was, leaves nothing behind; the next call is seen at once', async () => {
    const { dial, facts, probe } = await listening()
    const said = Buffer.concat([Buffer.from('1\x052\x05'), block({ to: '1', text: 'PANIC HERE' })])
    for (let cycle = 0; cycle < 200; cycle++) {
      const station = await dial()
      station.send(said.subarray(0, cycle % said.length))
      await station.hangUp()
    }
    await vi.waitFor(async () => expect(await probe()).toMatchObject({ callers: 0 }))
    const station = await dial()
    expect(await station.call({ to: '1', text: 'PANIC ED TRIAGE 2' })).toBe('acknowledged')
    expect(facts.at(-1)).toMatchObject({ kind: 'duress' })
  })
})

describe('polls', () => {
  test('rows 10 and 12: that no longer come make every input unknown; the next one makes them good', async () => {
    const clock = new SimulatedClock()
    const { dial, notes, heard } = await listening(nurseCall, { cord: { id: '1' } }, { clock })
    const station = await dial()
    station.pollItself(5)
    await vi.waitFor(() => expect(heard).toHaveBeenCalled())
    await clock.advance(119_000)
    expect(notes).toEqual([])
    station.stopPolling()
    expect(await station.poll()).toBe(true)
    await clock.advance(120_000)
    expect(notes).toEqual([{ device: 'cord', state: { quality: 'unknown' } }])
    expect(await station.poll()).toBe(true)
    expect(notes.at(-1)).toEqual({ device: 'cord', state: { quality: 'good' } })
  })

  test('are how the link is supervised, unless there are none', () => {
    expect(espa444.staleAfterMs?.(parsed({ listen: '127.0.0.1:0' }).config)).toBe(120_000)
    expect(espa444.staleAfterMs?.(parsed({ listen: '127.0.0.1:0', polls: false }).config)).toBeNull()
  })
})

describe('the heartbeat', () => {
  const { signal } = new AbortController()

  test.each(['after-poll', 'direct'] as const)(
    'is a call that we send ourselves (%s), and no poll',
    async (selects) => {
      const { link, facts, heard } = await listening({ ...nurseCall, selects })
      await link.beat!('mark-1', signal)
      expect(facts).toMatchObject([{ heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
      expect(heard).not.toHaveBeenCalled()
    },
  )

  test('that can not be recorded is told', async () => {
    const record = () => Promise.reject(new BridgeError('NOT_RECORDED', 'the disk is full'))
    const { link } = await listening(nurseCall, {}, { record })
    await expect(link.beat!('mark-1', signal)).rejects.toThrow('not acknowledged')
  })

  test('is given up when it takes too long', async () => {
    const { link } = await listening(nurseCall, {}, { record: () => new Promise(() => {}) })
    await expect(link.beat!('mark-1', AbortSignal.timeout(50))).rejects.toThrow()
  })
})

describe('a serial line', () => {
  test('carries polls and calls; losing it is noticed, and it is opened again', async () => {
    const cable = await serialCable()
    closing.push(() => cable.unplug())
    const [ours, theirs] = cable.ends
    const { facts, link, heard, probe } = await open({ line: { path: ours }, ...nurseCall })
    const station = EspaStation.wired(theirs)
    closing.push(() => station.hangUp())
    expect(await station.poll()).toBe(true)
    expect(await station.call({ to: '1', text: 'PANIC ED TRIAGE 2' }, { spoilt: 1 })).toBe('acknowledged')
    expect(facts).toMatchObject([{ kind: 'duress', sighting: { place: 'north/l2/ed/triage-2' } }])
    expect(heard).toHaveBeenCalled()
    expect(link.beat).toBeUndefined()
    expect(await probe()).toMatchObject({ line: ours, taken: 1 })
    await link.close()
    const again = await open({ line: { path: ours, parity: 'none', stop: 1 }, bits: 8, ...nurseCall })
    expect(await station.poll()).toBe(true)
    await cable.unplug()
    expect(await again.link.lost).toMatchObject({ code: 'UNREACHABLE' })
  })

  test('that is not there is said so', async () => {
    await expect(open({ line: { path: '/dev/no-such-port' } })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe('check', () => {
  test('wants a line or an address, not both', () => {
    for (const wrong of [{}, { listen: '127.0.0.1:1', line: { path: '/dev/ttyS0' } }])
      expect(espa444.config.safeParse(wrong).error?.message).toContain('exactly one')
  })

  test('names what is wrong', () => {
    expect(espa444.check?.(parsed({ listen: '0.0.0.0:4000', patterns: [{ match: '(' }] }))).toMatchObject([
      { path: ['config', 'listen'], fatal: true },
      { path: ['config', 'patterns', 0, 'match'], fatal: true },
    ])
  })
})
