import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Context, Finding } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Fact, Json } from '../../core/fact.ts'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { testContext } from '../../test/context.ts'
import type { Output } from './config.ts'
import modbus from './index.ts'

type Inputs = Record<string, Json>

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 5_000, interval: 5 })

let panel: ModbusPanel
const links: { close(): Promise<void> }[] = []

beforeEach(async () => {
  panel = await startModbusPanel()
  panel.journal.allow('write coil')
})
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()))
  await panel.close()
})

const parsed = (inputs: Inputs, outputs: Inputs, config: object = {}) => ({
  name: 'panel',
  config: modbus.config.parse({ host: panel.host, port: panel.port, ...config }),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, modbus.input!.parse(input)])),
  outputs: new Map(Object.entries(outputs).map(([name, output]) => [name, modbus.output!.parse(output)])),
})

interface Setup {
  inputs?: Inputs
  outputs?: Inputs
  config?: object
  cursors?: Record<string, Json>
  context?: Partial<Context>
}

const open = async ({ inputs = {}, outputs = {}, config = {}, cursors = {}, context }: Setup) => {
  const test = testContext(context)
  const link = await modbus.open(
    { ...parsed(inputs, outputs, config), cursors: new Map(Object.entries(cursors)) },
    test.ctx,
  )
  links.push(link)
  const order = <A>(address: Json, args: A, signal = new AbortController().signal) => ({
    id: 'incident/1',
    attempt: 1,
    address: modbus.output!.parse(address) as Output,
    args,
    signal,
  })
  return { ...test, link, order }
}

const presses = (facts: readonly Fact[]) =>
  facts.filter((fact) => fact.is === 'press' && fact.phase === 'active')
const lastState = (notes: ReturnType<typeof testContext>['notes'], device: string) =>
  notes.findLast((note) => note.device === device && !('cursor' in note.state))?.state

describe('inputs', () => {
  test('a press is recorded while it is held, and again when it ends', async () => {
    const { facts, notes } = await open({ inputs: { button: { discrete: 4 } } })
    await panel.press(4, { hold: true })
    await until(() => expect(presses(facts)).toHaveLength(1))
    expect(facts[0]).toMatchObject({ device: 'button', raw: { address: 'discrete input 4', value: true } })
    await until(() => expect(lastState(notes, 'button')).toEqual({ quality: 'good', active: true }))
    panel.release(4)
    await until(() => expect(facts).toHaveLength(2))
    expect(facts[1]).toMatchObject({ phase: 'restored', key: `${facts[0]?.key}/restored` })
    expect(lastState(notes, 'button')).toEqual({ quality: 'good', active: false })
  })

  test.each(['hi-lo', 'lo-hi'] as const)(
    'a press between two polls is seen in the counter (%s)',
    async (order) => {
      await panel.close()
      panel = await startModbusPanel({ wordOrder: order })
      panel.setCounter(4, 70_000)
      const { facts } = await open({
        inputs: { button: { discrete: 4, counter: 24 } },
        config: { 'word-order': order, poll: '200ms' },
      })
      await panel.press(4, { forMs: 1 })
      await until(() => expect(presses(facts)).toHaveLength(1))
      expect(facts[0]?.raw).toEqual({ address: 'discrete input 4', value: false, counter: 70_001 })
    },
  )

  test('every one of 60 short presses is a fact of its own or counted in one', async () => {
    const { facts } = await open({ inputs: { button: { discrete: 4, counter: 24 } } })
    for (let i = 0; i < 60; i++) await panel.press(4, { forMs: i % 4 })
    const count = () =>
      presses(facts).reduce((sum, fact) => sum + ((fact.raw as { presses?: number }).presses ?? 1), 0)
    await until(() => expect(count()).toBe(60))
  })

  test('a counter that went down is a restart: no press, and the next one counts', async () => {
    panel.setCounter(4, 500)
    const { facts, notes, lines } = await open({ inputs: { button: { discrete: 4, counter: 24 } } })
    panel.setCounter(4, 0)
    await until(() => expect(lines.some(({ text }) => text.includes('restarted'))).toBe(true))
    expect(facts).toEqual([])
    expect(notes).toContainEqual({
      device: 'button',
      state: { cursor: expect.objectContaining({ counter: 0 }) },
    })
    await panel.press(4, { forMs: 1 })
    await until(() => expect(presses(facts)).toHaveLength(1))
  })

  test('a press while the bridge was down is recorded once after its start', async () => {
    const first = await open({ inputs: { button: { discrete: 4, counter: 24 } } })
    await panel.press(4, { forMs: 1 })
    await until(() => expect(presses(first.facts)).toHaveLength(1))
    await first.link.close()
    await panel.press(4, { forMs: 1 })
    const cursor = first.facts.at(-1)?.cursor as Json
    const second = await open({
      inputs: { button: { discrete: 4, counter: 24 } },
      cursors: { button: cursor },
    })
    await until(() => expect(presses(second.facts)).toHaveLength(1))
    await panel.polled(1, 6)
    expect(presses(second.facts)).toHaveLength(1)
    expect(second.facts[0]?.key).not.toBe(first.facts[0]?.key)
  })

  test('coils, register bits and normally closed contacts', async () => {
    panel.setRegister(200, 0b0100, { table: 'input' })
    panel.setRegister(32, 0b0001)
    panel.setCoil(9, true)
    panel.set(5, true)
    const { facts, notes } = await open({
      inputs: {
        coil: { coil: 9 },
        input: { register: 200, bit: 2 },
        holding: { register: 32, bit: 0, 'register-in': 'holding' },
        closed: { discrete: 5, normally: 'closed' },
      },
    })
    await until(() =>
      expect(
        presses(facts)
          .map(({ device }) => device)
          .sort(),
      ).toEqual(['coil', 'holding', 'input']),
    )
    expect(lastState(notes, 'closed')).toEqual({ quality: 'good', active: false })
    panel.set(5, false)
    await until(() => expect(facts.some(({ device }) => device === 'closed')).toBe(true))
  })

  test('two equal contacts of a pair are a fault and unknown, never "not pressed"', async () => {
    panel.set(5, true)
    const { facts, notes } = await open({ inputs: { button: { discrete: 4, antivalent: 5 } } })
    await panel.polled(1, 4)
    expect(lastState(notes, 'button')).toEqual({ quality: 'good', active: false })
    panel.set(5, false)
    await until(() => expect(facts).toMatchObject([{ is: 'trouble', trouble: 'fault', phase: 'active' }]))
    await until(() => expect(lastState(notes, 'button')).toEqual({ quality: 'unknown' }))
    panel.set(4, true)
    await until(() => expect(presses(facts)).toHaveLength(1))
    expect(facts[1]).toMatchObject({ is: 'trouble', phase: 'restored' })
  })

  test('a latch is cleared only once its press is recorded', async () => {
    panel.latch(4, 40)
    let recordNow = () => {}
    const may = new Promise<void>((resolve) => {
      recordNow = resolve
    })
    const recorded: Fact[] = []
    await open({
      inputs: { button: { discrete: 4, latch: { reset: 40 } } },
      context: {
        record: async (fact) => {
          await may
          recorded.push(fact)
          return { duplicate: false, id: fact.key, incident: null }
        },
      },
    })
    await panel.press(4, { forMs: 1 })
    await panel.polled(1, 10)
    expect(panel.active(4)).toBe(true)
    expect(panel.journal.count('write coil')).toBe(0)
    recordNow()
    await until(() => expect(panel.active(4)).toBe(false))
    await until(() => expect(recorded).toHaveLength(2))
    expect(recorded).toMatchObject([{ phase: 'active' }, { phase: 'restored' }])
    expect(panel.journal.count('write coil')).toBe(1)
  })

  test('a latch that can not be cleared makes its input unknown', async () => {
    panel.latch(4, 40)
    panel.fail(1, 2, { from: 40, to: 40 })
    const { notes, lines } = await open({ inputs: { button: { discrete: 4, latch: { reset: 40 } } } })
    await panel.press(4, { forMs: 1 })
    await until(() => expect(lastState(notes, 'button')).toEqual({ quality: 'unknown' }))
    expect(lines.some(({ text }) => text.includes("latch can't be cleared"))).toBe(true)
  })

  test('what could not be recorded is offered again under its key, and the others go on', async () => {
    const offered: Fact[] = []
    const recorded: Fact[] = []
    const { lines } = await open({
      inputs: { stuck: { discrete: 4, counter: 24 }, other: { discrete: 6 } },
      context: {
        record: async (fact) => {
          if (fact.device === 'stuck' && offered.push(fact) < 3)
            throw new BridgeError('NOT_RECORDED', 'the disk is full')
          recorded.push(fact)
          return { duplicate: false, id: fact.key, incident: null }
        },
      },
    })
    await panel.press(4, { forMs: 1 })
    await panel.press(6, { forMs: 60 })
    await until(() => expect(recorded.some(({ device }) => device === 'other')).toBe(true))
    expect(recorded.some(({ device }) => device === 'stuck')).toBe(false)
    await until(() => expect(recorded.some(({ device }) => device === 'stuck')).toBe(true))
    expect(new Set(presses(offered).map(({ key }) => key)).size).toBe(1)
    expect(lines.filter(({ text }) => text.includes('not recorded yet'))).toHaveLength(1)
  })
})

describe('a device that is in trouble', () => {
  test.each([4, 11])('exception %i makes its inputs unknown, the others go on', async (code) => {
    const inputs = { near: { discrete: 4 }, far: { discrete: 60 } }
    const { facts, notes, lines } = await open({ inputs })
    panel.fail(1, code, { from: 60, to: 60 })
    await until(() => expect(lastState(notes, 'far')).toEqual({ quality: 'unknown' }))
    await panel.press(4, { forMs: 60 })
    await until(() => expect(presses(facts)).toHaveLength(1))
    await panel.polled(1, 40)
    expect(lines.filter(({ text }) => text.includes(`exception ${code}`))).toHaveLength(1)
    expect(notes.some(({ device, state }) => device === 'far' && state.active === true)).toBe(false)
    panel.heal(1)
    await until(() => expect(lastState(notes, 'far')).toEqual({ quality: 'good', active: false }))
  })

  test('one wrong address does not take its neighbours along', async () => {
    const { facts, notes, lines } = await open({
      inputs: { right: { discrete: 62 }, alsoRight: { discrete: 63 }, wrong: { discrete: 64 } },
    })
    await until(() => expect(lastState(notes, 'right')).toEqual({ quality: 'good', active: false }))
    expect(lastState(notes, 'wrong')).toEqual({ quality: 'unknown' })
    await panel.press(63, { forMs: 60 })
    await until(() => expect(presses(facts).map(({ device }) => device)).toEqual(['alsoRight']))
    expect(lines.filter(({ text }) => text.includes('discrete input 64'))).toHaveLength(1)
  })

  test('after a timeout the connection is given up, with the inputs unknown', async () => {
    const { link, notes } = await open({ inputs: { button: { discrete: 4 } }, config: { timeout: '60ms' } })
    panel.behave({ is: 'half-open' })
    expect(await link.lost).toMatchObject({ code: 'TIMEOUT' })
    expect(lastState(notes, 'button')).toEqual({ quality: 'unknown' })
    await until(() => expect(panel.openSockets).toBe(0))
  })

  test.each(['late', 'transaction-id', 'function-code', 'byte-count', 'unit'] as const)(
    'an answer that is not the one to the question ends the connection and is no press: %s',
    async (how) => {
      panel.setRegister(0, 0xffff, { table: 'input' })
      const { link, facts } = await open({
        inputs: { button: { discrete: 4 }, other: { coil: 4 } },
        config: { timeout: '100ms' },
      })
      panel.setCoil(4, true)
      await until(() => expect(presses(facts)).toHaveLength(1))
      panel.answerWrong(how)
      expect(await link.lost).toBeInstanceOf(BridgeError)
      expect(facts.filter(({ device }) => device === 'button')).toEqual([])
    },
  )

  test('bytes that are no Modbus end the connection', async () => {
    const { link } = await open({ inputs: { button: { discrete: 4 } }, config: { timeout: '100ms' } })
    panel.behave({ is: 'garbage' })
    expect(await link.lost).toBeInstanceOf(BridgeError)
  })

  test('what was seen before the connection was lost is recorded once it is back', async () => {
    const opening = { ...parsed({ button: { discrete: 4 } }, {}), cursors: new Map() }
    const full = testContext({
      record: async () => {
        throw new BridgeError('NOT_RECORDED', 'the disk is full')
      },
    })
    const first = await modbus.open(opening, full.ctx)
    await panel.press(4, { hold: true })
    await until(() => expect(full.lines.some(({ text }) => text.includes('not recorded yet'))).toBe(true))
    await first.close()
    const { ctx, facts } = testContext()
    links.push(await modbus.open(opening, ctx))
    await until(() => expect(presses(facts)).toHaveLength(1))
    panel.release(4)
    await until(() => expect(facts).toHaveLength(2))
    expect(facts[1]?.key).toBe(`${facts[0]?.key}/restored`)
  })

  test('a reboot ends the connection; opened again with its cursor, nothing is lost or doubled', async () => {
    const inputs = { button: { discrete: 4, counter: 24 } }
    const first = await open({ inputs })
    await panel.press(4, { forMs: 1 })
    await until(() => expect(presses(first.facts)).toHaveLength(1))
    await panel.reboot(20)
    await first.link.lost
    const cursors = { button: first.facts.at(-1)?.cursor as Json }
    const second = await open({ inputs, cursors })
    await panel.press(4, { forMs: 1 })
    await until(() => expect(presses(second.facts)).toHaveLength(1))
    expect(second.facts[0]?.key).not.toBe(first.facts[0]?.key)
  })

  test('a dead unit behind a gateway does not slow the other', async () => {
    await panel.close()
    panel = await startModbusPanel({ units: [1, 2] })
    const config = { timeout: '100ms' }
    const alive = await open({ inputs: { one: { discrete: 4 } }, config })
    panel.kill(2)
    const dead = open({ inputs: { two: { discrete: 4, unit: 2 } }, config })
    await expect(dead).rejects.toMatchObject({ code: 'TIMEOUT' })
    await panel.press(4, { forMs: 60 })
    await until(() => expect(presses(alive.facts)).toHaveLength(1))
    expect(modbus.link!(parsed({}, {}).config, modbus.input!.parse({ discrete: 1, unit: 2 }))).toBe('unit-2')
  })

  test('nobody there: the opening says so', async () => {
    await panel.close()
    await expect(open({ inputs: { button: { discrete: 4 } } })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  test('closing is prompt, twice is fine, and nothing is left open', async () => {
    const { link } = await open({ inputs: { button: { discrete: 4 } } })
    await link.close()
    await link.close()
    await until(() => expect(panel.openSockets).toBe(0))
    const { abort, link: other } = await open({ inputs: { button: { discrete: 4 } } })
    abort.abort()
    await other.lost
    await until(() => expect(panel.openSockets).toBe(0))
  })
})

describe('relays and doors', () => {
  const relay = { coil: 3 }
  const door = { coil: 3, door: true, state: { discrete: 7 } }

  test('a relay is set and read back', async () => {
    const { link, order } = await open({ outputs: { relay } })
    expect(await link.acts['relay.set']!(order(relay, { on: true }))).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { on: true },
    })
    expect(panel.coil(3)).toBe(true)
    await link.acts['relay.set']!(order(relay, { on: false }))
    expect(panel.coil(3)).toBe(false)
  })

  test('a bit of a holding register is set without touching the others', async () => {
    panel.journal.allow('write register')
    panel.setRegister(32, 0b1010)
    const bit = { register: 32, bit: 2 }
    const { link, order } = await open({ outputs: { bit } })
    expect(await link.acts['relay.set']!(order(bit, { on: true }))).toMatchObject({ ok: true })
    expect(panel.register(32)).toBe(0b1110)
  })

  test('a relay that does not move is not confirmed', async () => {
    panel.relayStuck(3)
    const { link, order } = await open({ outputs: { relay } })
    expect(await link.acts['relay.set']!(order(relay, { on: true }))).toMatchObject({
      ok: false,
      failure: { code: 'UNCONFIRMED' },
      effect: 'possible',
    })
  })

  test.each([
    [2, 'NOT_FOUND', 'never', 'none'],
    [4, 'REFUSED', 'backoff', 'possible'],
    [6, 'BUSY', 'backoff', 'none'],
  ])('exception %i is %s', async (exception, code, retry, effect) => {
    const { link, order } = await open({ inputs: { button: { discrete: 9 } }, outputs: { relay } })
    panel.fail(1, exception, { from: 3, to: 3 })
    expect(await link.acts['relay.set']!(order(relay, { on: true }))).toMatchObject({
      ok: false,
      failure: { code, retry },
      effect,
    })
  })

  test('silence after the order may have had an effect; the next order finds the link down', async () => {
    const { link, order } = await open({ outputs: { relay }, config: { timeout: '60ms' } })
    panel.behave({ is: 'half-open' })
    expect(await link.acts['relay.set']!(order(relay, { on: true }))).toMatchObject({
      ok: false,
      failure: { code: 'TIMEOUT' },
      effect: 'possible',
    })
    expect(await link.acts['relay.set']!(order(relay, { on: true }))).toMatchObject({
      ok: false,
      failure: { code: 'LINK_DOWN' },
      effect: 'none',
    })
  })

  test('a link that is closed in the middle of an order can not say that nothing happened', async () => {
    const { link, order } = await open({ outputs: { relay } })
    panel.behave({ is: 'half-open' })
    const outcome = link.acts['relay.set']!(order(relay, { on: true }))
    await panel.journal.expect('write coil')
    await link.close()
    expect(await outcome).toMatchObject({ ok: false, effect: 'possible' })
  })

  test('an order that is no longer wanted moves nothing', async () => {
    const { link, order } = await open({ outputs: { relay } })
    expect(await link.acts['relay.set']!(order(relay, { on: true }, AbortSignal.abort()))).toMatchObject({
      ok: false,
      failure: { code: 'ABORTED' },
      effect: 'none',
    })
    expect(panel.journal.count('write coil')).toBe(0)
  })

  test('a door is secure when it says so itself', async () => {
    panel.journal.listen(({ detail }) => panel.set(7, detail.value === true))
    const { link, order } = await open({ outputs: { door } })
    expect(await link.acts['door.secure']!(order(door, {}))).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { mode: 'locked' },
    })
    const args = { from: 'secure', before: 'unlocked' } as const
    expect(await link.acts['door.release']!(order(door, args))).toMatchObject({
      result: { mode: 'unlocked' },
    })
    expect(panel.coil(3)).toBe(false)
  })

  test('a door that does not report locked is not confirmed; released it is, whatever its own schedule does', async () => {
    const { link, order } = await open({ outputs: { door } })
    expect(await link.acts['door.secure']!(order(door, {}))).toMatchObject({
      ok: false,
      failure: { code: 'UNCONFIRMED' },
      effect: 'possible',
    })
    panel.set(7, true)
    const args = { from: 'secure', before: 'locked' } as const
    expect(await link.acts['door.release']!(order(door, args))).toMatchObject({
      ok: true,
      result: { mode: 'locked' },
    })
  })

  test('without a contact the relay stands for the door', async () => {
    const plain = { coil: 3, door: true }
    const { link, order } = await open({ outputs: { plain } })
    expect(await link.acts['door.state']!(order(plain, {}))).toMatchObject({ result: { mode: 'unlocked' } })
    expect(await link.acts['door.secure']!(order(plain, {}))).toMatchObject({ result: { mode: 'locked' } })
  })

  test('a relay offers relay.set, a door what doors can', () => {
    const { config } = parsed({}, {})
    expect(modbus.offers!(config, modbus.output!.parse(relay))).toEqual(['relay.set'])
    expect(modbus.offers!(config, modbus.output!.parse(door))).toEqual([
      'door.state',
      'door.secure',
      'door.release',
    ])
  })
})

describe('probe', () => {
  test('says what it reads, and how long a cycle takes', async () => {
    const { link } = await open({ inputs: { button: { discrete: 4 } }, outputs: { relay: { coil: 3 } } })
    await panel.polled(1, 4)
    const signal = new AbortController().signal
    expect(await link.probe!(null, signal)).toMatchObject({
      cycleMs: expect.any(Number),
      longestMs: expect.any(Number),
      pollMs: 20,
      requests: ['discrete input 4'],
    })
    expect(await link.probe!(modbus.output!.parse({ coil: 3 }), signal)).toEqual({ on: false })
    await expect(link.probe!(modbus.output!.parse({ coil: 900 }), signal)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('coil 900'),
    })
  })
})

describe('heartbeat', () => {
  const config = { heartbeat: { coil: 9, input: { discrete: 7 } } }
  const inputs = { button: { discrete: 4 } }
  const signal = () => AbortSignal.timeout(500)
  /** The relay is wired back to the input. */
  const wired = () =>
    panel.journal.listen(({ detail }) => panel.set(7, detail['address'] === 9 && detail['value'] === true))

  test('a beat goes the way of every press, and comes back with its mark', async () => {
    wired()
    const { link, facts } = await open({ inputs, config })
    await link.beat!('mark-1', signal())
    await link.beat!('mark-2', signal())
    await until(() => expect(facts).toHaveLength(2))
    expect(facts).toMatchObject([
      { is: 'press', phase: 'active', device: null, from: 'heartbeat', heartbeat: 'mark-1' },
      { heartbeat: 'mark-2' },
    ])
    expect(panel.coil(9)).toBe(false)
  })

  test('a beat that does not come back rejects, and the relay is taken back', async () => {
    const { link, facts } = await open({ inputs, config })
    await expect(link.beat!('mark', signal())).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('does not follow'),
    })
    expect(panel.coil(9)).toBe(false)
    expect(facts).toEqual([])
  })

  test('what its input does without us is no press, and a relay left set by a crash is taken back first', async () => {
    wired()
    panel.setCoil(9, true)
    panel.set(7, true)
    const { link, facts } = await open({ inputs, config })
    await panel.polled(1, 5)
    expect(facts).toEqual([])
    await link.beat!('mark', signal())
    await until(() => expect(facts).toMatchObject([{ heartbeat: 'mark' }]))
  })

  test('two at once: the second is refused', async () => {
    wired()
    const { link } = await open({ inputs, config })
    const first = link.beat!('one', signal())
    await expect(link.beat!('two', signal())).rejects.toMatchObject({ code: 'BUSY' })
    await first
  })

  test('without a relay for it, or on another unit, there is none', async () => {
    expect((await open({ inputs })).link.beat).toBeUndefined()
    const other = await open({ inputs, config: { heartbeat: { ...config.heartbeat, unit: 9 } } })
    expect(other.link.beat).toBeUndefined()
  })
})

describe('check', () => {
  const checked = (inputs: Inputs, outputs: Inputs = {}, config: object = {}) =>
    modbus.check!(parsed(inputs, outputs, config))

  test('says the shortest press that each input is sure to see', () => {
    const findings = checked({ plain: { discrete: 1 }, counting: { discrete: 2, counter: 20 } })
    expect(findings.every(({ fatal }) => !fatal)).toBe(true)
    expect(findings.find(({ path }) => path[1] === 'plain')?.message).toContain('30 ms')
    expect(findings.find(({ path }) => path[1] === 'counting')?.message).toContain('however short')
  })

  test('an address that two devices use is refused by both names', () => {
    const fatal = checked({ one: { discrete: 1 }, two: { discrete: 3, antivalent: 1 } }).filter(
      (f) => f.fatal,
    )
    expect(fatal).toMatchObject([{ path: ['inputs', 'two', 'antivalent'] }])
    expect(fatal[0]?.message).toContain('one')
    expect(
      checked({ a: { discrete: 1, latch: { reset: 5 } } }, { b: { coil: 5 } }).some((f) => f.fatal),
    ).toBe(true)
    const counters = { a: { discrete: 1, counter: 16 }, b: { discrete: 2, counter: 17 } }
    expect(checked(counters).filter((f) => f.fatal)).toMatchObject([{ path: ['inputs', 'b', 'counter'] }])
    expect(checked({ a: { discrete: 1 }, b: { discrete: 1, unit: 2 } }).some((f) => f.fatal)).toBe(false)
  })

  test('a poll that can not be kept is a warning', () => {
    const inputs = { a: { discrete: 1 }, b: { discrete: 900 }, c: { coil: 7 } }
    expect(checked(inputs, {}, { poll: '5ms' })).toContainEqual(
      expect.objectContaining({ path: ['config', 'poll'], fatal: false }),
    )
  })

  test('a supervised loop answers fast, or the config is refused', () => {
    const loop = (bands: object) => ({
      loop: { register: 2, bands: { normal: [1, 9], alarm: [20, 30], ...bands } },
    })
    const about = (findings: readonly Finding[]) => findings.find(({ path }) => path.includes('settle'))
    expect(about(checked(loop({})))).toBeUndefined()
    expect(about(checked(loop({ settle: 3 })))).toMatchObject({
      fatal: false,
      message: expect.stringContaining('40 ms'),
    })
    expect(about(checked(loop({ settle: 8 }), {}, { poll: '100ms' }))).toMatchObject({
      fatal: true,
      message: expect.stringContaining('never acceptable'),
    })
    expect(checked(loop({}))).toContainEqual(
      expect.objectContaining({ path: ['inputs', 'loop', 'bands', 'hysteresis'] }),
    )
    expect(checked(loop({})).find(({ path }) => path.length === 2)?.message).toContain('50 ms')
  })

  test('an answer that the line has no time for is refused', () => {
    const far = {
      loop: { register: 0, bands: { normal: [1, 9], alarm: [20, 30] } },
      other: { register: 100, bit: 1 },
    }
    const slow = { line: { path: '/dev/ttyS0', baud: 1_200 }, 'max-gap': 200, host: undefined, poll: '5s' }
    expect(checked(far, {}, slow)).toContainEqual(
      expect.objectContaining({ path: ['config', 'timeout'], fatal: true }),
    )
  })

  test.each([0, 248])('unit %i does not exist on a line', (unit) => {
    const line = { line: { path: '/dev/ttyS0' }, host: undefined }
    expect(checked({ a: { discrete: 1, unit } }, {}, line)).toContainEqual(
      expect.objectContaining({ path: ['inputs', 'a', 'unit'], fatal: true }),
    )
    expect(checked({ a: { discrete: 1, unit } }).some(({ fatal }) => fatal)).toBe(false)
  })

  test('all units of a line share one link, those behind a TCP gateway have one each', () => {
    const input = modbus.input!.parse({ discrete: 1, unit: 7 })
    const output = modbus.output!.parse({ coil: 1, unit: 7 })
    const line = modbus.config.parse({ line: { path: '/dev/ttyS0' } })
    const gateway = modbus.config.parse({ host: 'gateway' })
    expect([modbus.link!(line, input), modbus.link!(gateway, input)]).toEqual(['line', 'unit-7'])
    expect([modbus.lane!(line, output).key, modbus.lane!(gateway, output).key]).toEqual([
      '/dev/ttyS0',
      'gateway:502/7',
    ])
  })

  test('the heartbeat has a relay and an input of its own', () => {
    const heartbeat = { coil: 9, input: { discrete: 7 } }
    const fatal = (inputs: Inputs, outputs: Inputs) =>
      checked(inputs, outputs, { heartbeat }).flatMap(({ fatal, path }) => (fatal ? [path] : []))
    expect(fatal({ a: { discrete: 1 } }, { b: { coil: 2 } })).toEqual([])
    expect(fatal({ a: { discrete: 7 } }, { b: { coil: 9 } })).toEqual([
      ['config', 'heartbeat', 'coil'],
      ['config', 'heartbeat', 'input'],
    ])
  })

  test.each([{}, { host: 'module', line: { path: '/dev/ttyS0' } }])('refuses the connector %j', (config) => {
    expect(modbus.config.safeParse(config).error?.issues[0]?.message).toContain(
      'exactly one of `host`, `line`',
    )
  })

  test.each([
    [{}, 'exactly one'],
    [{ discrete: 1, coil: 2 }, 'exactly one'],
    [{ register: 1 }, 'go together'],
    [{ discrete: 1, bit: 3 }, 'go together'],
    [{ register: 1, bit: 3, antivalent: 2 }, 'needs `discrete`'],
    [{ discrete: 1, antivalent: 1 }, 'contact itself'],
    [{ discrete: 70_000 }, '65535'],
    [{ discreet: 1 }, 'discreet'],
    [{ discrete: 1, bands: { normal: [1, 2], alarm: [3, 4] } }, 'needs `register`'],
    [{ register: 1, bit: 1, bands: { normal: [1, 2], alarm: [3, 4] } }, 'is for contacts'],
    [{ register: 1, counter: 4, bands: { normal: [1, 2], alarm: [3, 4] } }, 'is for contacts'],
    [{ register: 1, normally: 'closed', bands: { normal: [1, 2], alarm: [3, 4] } }, 'is for contacts'],
  ])('refuses the input %j', (input, message) => {
    const result = modbus.input!.safeParse(input)
    expect(result.error?.issues.map((issue) => issue.message).join()).toContain(message)
  })
})
