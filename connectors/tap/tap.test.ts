import { connect } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Context, Link } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { serialCable } from '../../mocks/pty.ts'
import { TapSender, type TapSenderOptions } from '../../mocks/tap-sender/index.ts'
import { testContext } from '../../test/context.ts'
import tap from './index.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const nurseCall = {
  patterns: [
    { match: '^routine', ignore: true },
    { match: '(?<kind>code \\w+) (?<place>.+?) clear$', phase: 'restored' },
    { match: '(?<kind>code \\w+) (?<place>.+?)(?: by (?<person>\\w+))?$' },
  ],
  places: { 'ED 2': { place: 'north/l2/ed/triage-2', precision: 'room' } },
  kinds: { 'CODE GRAY': 'duress' },
}

const parsed = (config: object, inputs: Record<string, Json> = {}) => ({
  name: 'nurse-call',
  config: tap.config.parse(config),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, tap.input!.parse(input)])),
  outputs: new Map<string, never>(),
})

const open = async (config: object, inputs: Record<string, Json> = {}, context: Partial<Context> = {}) => {
  const heard = vi.fn()
  const test = testContext({ heard, ...context })
  const link: Link = await tap.open({ ...parsed(config, inputs), cursors: new Map() }, test.ctx)
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
  const dial = async (options?: TapSenderOptions) => {
    const sender = await TapSender.dial(port, options)
    closing.push(() => sender.hangUp())
    return sender
  }
  return { ...all, port, dial }
}

describe('pages of a nurse-call system', () => {
  test('are presses, with kind, place and person in its own words', async () => {
    const { dial, facts, heard } = await listening()
    const sender = await dial()
    await sender.logIn()
    expect(await sender.page('4711', 'CODE GRAY ED 2 by Anna')).toBe('acknowledged')
    expect(await sender.page('4711', 'CODE GRAY ED 2 CLEAR')).toBe('acknowledged')
    await sender.logOut()
    expect(facts).toMatchObject([
      {
        is: 'press',
        phase: 'active',
        kind: 'duress',
        device: null,
        from: 'CODE GRAY ED 2 by Anna',
        person: 'Anna',
        sighting: { place: 'north/l2/ed/triage-2', precision: 'room' },
        raw: { to: '4711', text: 'CODE GRAY ED 2 by Anna' },
      },
      { phase: 'restored', kind: 'duress' },
    ])
    expect(heard).toHaveBeenCalled()
  })

  test('row 30: that no pattern fits call for help all the same; routine calls do not', async () => {
    const { dial, facts } = await listening()
    const sender = await dial()
    await sender.logIn()
    expect(await sender.page('1', 'ROUTINE water')).toBe('acknowledged')
    expect(await sender.page('1', 'SOMEBODY IS SHOUTING')).toBe('acknowledged')
    expect(facts).toMatchObject([{ is: 'press', kind: 'unknown', from: 'SOMEBODY IS SHOUTING' }])
  })

  test('to a number that is a device are its press, without any pattern', async () => {
    const { dial, facts, notes } = await listening({}, { cord: { id: '0031' } })
    const sender = await dial()
    await sender.logIn()
    await sender.page('0031', '')
    expect(facts).toMatchObject([{ device: 'cord', phase: 'active' }])
    expect(notes).toEqual([{ device: 'cord', state: { quality: 'good' } }])
  })

  test('to several pagers, repeated, and in another session are one press', async () => {
    const { dial, facts } = await listening()
    for (const pagers of [['1', '2', '2'], ['1']]) {
      const sender = await dial()
      await sender.logIn()
      for (const pager of pagers) expect(await sender.page(pager, 'CODE GRAY ED 2')).toBe('acknowledged')
      await sender.logOut()
    }
    expect(facts).toHaveLength(1)
  })

  test.each(['ETB', 'US'] as const)(
    'over two blocks with %s, and with wrong checksums, come whole',
    async (continued) => {
      const { dial, facts } = await listening()
      const sender = await dial()
      await sender.logIn()
      expect(await sender.page('4711', 'CODE GRAY ED 2', { continued, spoilt: 2 })).toBe('acknowledged')
      expect(facts).toMatchObject([{ kind: 'duress', from: 'CODE GRAY ED 2' }])
    },
  )

  test('of a line that is too bad end the session, and are told', async () => {
    const { dial, facts, probe, lines } = await listening()
    const sender = await dial()
    await sender.logIn()
    expect(await sender.page('4711', 'CODE GRAY ED 2', { spoilt: 3 })).toBe('disconnected')
    expect(facts).toEqual([])
    expect(await probe()).toMatchObject({ garbled: 1 })
    expect(lines).toMatchObject([{ level: 'warn' }])
  })

  test('with parity in the top bit are read', async () => {
    const { dial, facts } = await listening()
    const sender = await dial({ parity: true })
    await sender.logIn()
    expect(await sender.page('4711', 'CODE GRAY ED 2')).toBe('acknowledged')
    expect(facts).toMatchObject([{ from: 'CODE GRAY ED 2' }])
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
    const sender = await test.dial()
    await sender.logIn()
    expect(await sender.page('1', 'CODE GRAY ED 2', { retries: 0 })).toBe('refused')
    expect(await sender.page('1', 'CODE GRAY ED 2', { retries: 0 })).toBe('acknowledged')
    expect(test.facts).toHaveLength(1)
  })
})

describe('a sender that is cut off', () => {
  test('200 times, wherever it was, leaves nothing behind; the next page is seen at once', async () => {
    const { dial, facts, probe } = await listening()
    const said = '\r\x1bPG1\r\x02123\rABC\r\x0317;\r'
    for (let cycle = 0; cycle < 200; cycle++) {
      const sender = await dial()
      sender.send(said.slice(0, cycle % said.length))
      await sender.hangUp()
    }
    await vi.waitFor(async () => expect(await probe()).toMatchObject({ callers: 0 }))
    const sender = await dial()
    await sender.logIn()
    expect(await sender.page('1', 'CODE GRAY ED 2')).toBe('acknowledged')
    expect(facts.at(-1)).toMatchObject({ kind: 'duress' })
  })

  test('after a page that was recorded, but before its answer, sends it again: one press', async () => {
    let written = () => {}
    const onDisk = new Promise<void>((resolve) => (written = resolve))
    const keys: string[] = []
    const { dial } = await listening(
      nurseCall,
      {},
      {
        record: async (fact) => {
          keys.push(fact.key)
          await onDisk
          return { duplicate: keys.length > 1, id: fact.key, incident: null }
        },
      },
    )
    const first = await dial({ patienceMs: 50 })
    await first.logIn()
    expect(await first.page('1', 'CODE GRAY ED 2')).toBe('silence')
    await first.hangUp()
    written()
    const again = await dial()
    await again.logIn()
    expect(await again.page('1', 'CODE GRAY ED 2')).toBe('acknowledged')
    expect(keys[1]).toBe(keys[0])
  })
})

describe('the heartbeat', () => {
  const { signal } = new AbortController()

  test('is a page that we send ourselves, and proves nothing about the sender', async () => {
    const { link, facts, heard } = await listening()
    await link.beat!('mark-1', signal)
    expect(facts).toMatchObject([{ heartbeat: 'mark-1', device: null, from: 'heartbeat' }])
    expect(heard).not.toHaveBeenCalled()
  })

  test('that somebody else makes up is a press', async () => {
    const { dial, facts } = await listening()
    const sender = await dial()
    await sender.logIn()
    await sender.page('0', 'HEARTBEAT mark-1')
    expect(facts).toMatchObject([{ kind: 'unknown' }])
    expect(facts[0]).not.toHaveProperty('heartbeat')
  })

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

describe('who may connect', () => {
  test('from outside only who is named in `from`', () => {
    expect(tap.check?.(parsed({ listen: '0.0.0.0:4000' }))).toMatchObject([
      { path: ['config', 'listen'], fatal: true },
    ])
    expect(tap.check?.(parsed({ listen: '0.0.0.0:4000', from: ['10.0.4.0/24'] }))).toEqual([])
    expect(tap.check?.(parsed({ listen: '127.0.0.1:70000' }))).toMatchObject([{ fatal: true }])
  })

  test('a stranger is turned away', async () => {
    const { port, lines } = await listening({ ...nurseCall, from: ['10.9.9.9'] })
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    await new Promise((resolve) => socket.once('close', resolve))
    expect(lines).toMatchObject([{ level: 'warn', fields: { remoteAddress: '127.0.0.2' } }])
  })

  test('one who is silent gives way when there are too many', async () => {
    const { dial, facts } = await listening()
    const silent = await dial()
    for (let n = 0; n < 64; n++) await dial()
    const sender = await dial()
    await sender.logIn()
    expect(await sender.page('1', 'CODE GRAY ED 2')).toBe('acknowledged')
    expect(facts).toHaveLength(1)
    await expect(silent.logIn()).rejects.toThrow()
  })

  test('a port that is taken is said so', async () => {
    const { port } = await listening()
    await expect(open({ listen: `127.0.0.1:${port}` })).rejects.toMatchObject({ code: 'NOT_LISTENING' })
  })
})

describe('a serial line', () => {
  test('carries pages; losing it is noticed, and it is opened again', async () => {
    const cable = await serialCable()
    closing.push(() => cable.unplug())
    const [ours, theirs] = cable.ends
    const { facts, link, heard, probe } = await open({ line: { path: ours }, ...nurseCall })
    const sender = TapSender.wired(theirs)
    closing.push(() => sender.hangUp())
    await sender.logIn()
    expect(await sender.page('4711', 'CODE GRAY ED 2', { continued: 'US', spoilt: 1 })).toBe('acknowledged')
    await sender.logOut()
    expect(facts).toMatchObject([{ kind: 'duress', sighting: { place: 'north/l2/ed/triage-2' } }])
    expect(heard).toHaveBeenCalled()
    expect(link.beat).toBeUndefined()
    expect(await probe()).toMatchObject({ line: ours, taken: 1 })
    await link.close()
    const again = await open({ line: { path: ours }, ...nurseCall })
    await sender.logIn()
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
      expect(tap.config.safeParse(wrong).error?.message).toContain('exactly one')
  })

  test('names a pattern that is no regular expression', () => {
    expect(tap.check?.(parsed({ listen: '127.0.0.1:0', patterns: [{ match: '(' }] }))).toMatchObject([
      { path: ['config', 'patterns', 0, 'match'], fatal: true },
    ])
  })

  test('silence is a fault only where `quiet` says so', () => {
    expect(tap.staleAfterMs?.(tap.config.parse({ listen: '127.0.0.1:0' }))).toBeNull()
    expect(tap.staleAfterMs?.(tap.config.parse({ listen: '127.0.0.1:0', quiet: '1h' }))).toBe(3_600_000)
  })
})
