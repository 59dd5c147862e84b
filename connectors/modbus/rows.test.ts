import { getEventListeners } from 'node:events'
import { mkdtemp, rm, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Fact, Json } from '../../core/fact.ts'
import {
  type ModbusPanel,
  type ModbusPanelOptions,
  type Pty,
  startModbusPanel,
  startPty,
} from '../../mocks/modbus-panel/index.ts'
import { testContext } from '../../test/context.ts'
import { Budget } from './budget.ts'
import { pressesIn, run } from './fixtures/running.ts'
import modbus from './index.ts'

const until = <T>(check: () => T) => vi.waitFor(check, { timeout: 10_000, interval: 5 })

let panel: ModbusPanel
let ending: (() => Promise<unknown>)[] = []

const start = async (options: ModbusPanelOptions = {}) => {
  panel = await startModbusPanel(options)
  panel.journal.allow('write coil')
}
const later = (end: () => Promise<unknown>) => void ending.unshift(end)

afterEach(async () => {
  for (const end of ending) await end()
  ending = []
  await panel.close()
})

const opening = (config: object, inputs: Record<string, Json>) => ({
  name: 'panel',
  config: modbus.config.parse(config),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, modbus.input!.parse(input)])),
  outputs: new Map(),
  cursors: new Map<string, Json>(),
})

const open = async (config: object, inputs: Record<string, Json>) => {
  const test = testContext()
  const link = await modbus.open(opening(config, inputs), test.ctx)
  later(() => link.close())
  return { ...test, link }
}

const at = (more: object = {}) => ({ host: panel.host, port: panel.port, timeout: '100ms', ...more })
const button = { button: { discrete: 4 } }
const loopAt = { register: 200, bands: { normal: [900, 1_100], alarm: [1_900, 2_100] } }

/** What counts what this process has open; more than the test runner's own. */
const handles = () =>
  process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|FSReq|Timeout|Poll/.test(name)).length

describe('row 8: "port not open" for hours', () => {
  test('a module that was away through 200 openings is served by the next one', async () => {
    await start()
    panel.behave({ is: 'refusing' })
    const same = opening(at(), button)
    const { ctx, facts } = testContext()
    for (let tries = 0; tries < 200; tries++)
      await expect(modbus.open(same, ctx)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    panel.behave({ is: 'normal' })
    await until(async () => {
      const link = await modbus.open(same, ctx)
      later(() => link.close())
    })
    await panel.press(4, { hold: true })
    await until(() => expect(pressesIn(facts)).toBe(1))
  })

  test('a serial adapter that is plugged in late is served by the next opening', async () => {
    await start({ framing: 'rtu' })
    const folder = await mkdtemp(join(tmpdir(), 'modbus-late-'))
    later(() => rm(folder, { recursive: true }))
    const path = join(folder, 'adapter')
    const same = opening({ line: { path } }, button)
    const { ctx, facts } = testContext()
    for (let tries = 0; tries < 200; tries++)
      await expect(modbus.open(same, ctx)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    const pty = await startPty(panel.port)
    later(() => pty.unplug())
    await symlink(pty.path, path)
    const link = await modbus.open(same, ctx)
    later(() => link.close())
    await panel.press(4, { hold: true })
    await until(() => expect(pressesIn(facts)).toBe(1))
  })
})

describe('row 10: the age of the data is told, not the state of a socket', () => {
  test.each(['tcp', 'rtu'] as const)(
    'a module that is connected and says nothing makes nothing young (%s)',
    async (framing) => {
      await start({ framing })
      const running = run(at({ framing, timeout: '400ms' }), button)
      later(running.stop)
      await running.up()
      await panel.polled(1, 5)
      panel.behave({ is: 'half-open' })
      // The first that is asked for in vain: what was on its way before has come.
      await panel.polled(1, 1)
      const [asked] = running.runner.health()
      expect(asked).toMatchObject({ up: true })
      await until(() =>
        expect(running.runner.health()[0]).toMatchObject({ up: false, heardAt: asked?.heardAt }),
      )
    },
  )

  test('no config lets the data of a link get old in silence', () => {
    const staleAfterMs = modbus.staleAfterMs!(modbus.config.parse({ host: 'module' }))
    expect(staleAfterMs).toBeLessThanOrEqual(10_000)
    const slow = opening({ host: 'module', poll: '10s' }, button)
    expect(modbus.check!(slow)).toContainEqual(
      expect.objectContaining({
        path: ['config', 'timeout'],
        message: expect.stringContaining('known only after'),
      }),
    )
  })
})

describe('row 11: the poll budget', () => {
  const told = (facts: readonly Fact[]) =>
    facts.flatMap((fact) => (fact.is === 'trouble' ? [[fact.trouble, fact.phase]] : []))

  test('a cycle that takes longer than the poll is logged, told by the probe, and a fault', async () => {
    await start()
    // A machine that is busy with other tests must not make it a time-out.
    const { facts, lines, link } = await open(at({ poll: '5ms', timeout: '3s' }), button)
    panel.behave({ is: 'slow', ms: 12 })
    await until(() => expect(told(facts)).toEqual([['fault', 'active']]))
    expect(facts[0]).toMatchObject({
      device: null,
      from: 'panel is over its poll budget',
      words: expect.stringMatching(/takes \d+ ms, longer than the configured poll of 5 ms/),
    })
    expect(lines.filter(({ text }) => text.includes('longer than the configured poll'))).toHaveLength(1)
    const signal = new AbortController().signal
    expect(await link.probe!(null, signal)).toMatchObject({
      overBudget: true,
      pollMs: 5,
      cycleMs: expect.any(Number),
    })
  })

  test('is over until it is kept again, and one slow cycle is not over', () => {
    const budget = new Budget(20)
    for (let n = 0; n < 200; n++) budget.took(n === 150 ? 90 : 20)
    expect(budget.words).toBeNull()
    for (let n = 0; n < 100; n++) budget.took(60)
    expect(budget.words).toContain('presses shorter than')
    for (let n = 0; n < 200; n++) budget.took(20)
    expect(budget.words).toBeNull()
  })

  test('every device is told what its poll costs before anything starts', async () => {
    await start()
    const line = opening(
      { line: { path: '/dev/ttyS0' }, poll: '20ms' },
      { a: { discrete: 1 }, b: { discrete: 1, unit: 2 } },
    )
    expect(modbus.check!(line)).toContainEqual(
      expect.objectContaining({
        path: ['config', 'poll'],
        message: expect.stringMatching(/2 requests a cycle take about \d+ ms/),
      }),
    )
  })
})

describe('row 12: stale is never "not pressed"', () => {
  test.each(['tcp', 'rtu'] as const)(
    'what was pressed when the module went stays so until it is read again (%s)',
    async (framing) => {
      await start({ framing })
      panel.setRegister(200, 2_000, { table: 'input' })
      const running = run(at({ framing }), { button: { discrete: 4 }, loop: loopAt, idle: { discrete: 5 } })
      later(running.stop)
      await panel.press(4, { hold: true })
      await until(() => expect(pressesIn(running.facts)).toBe(2))
      panel.behave({ is: 'half-open' })
      const states = (device: string) =>
        running.notes.filter((note) => note.device === device).map(({ state }) => state)
      for (const device of ['button', 'loop', 'idle'])
        await until(() => expect(states(device).at(-1)).toEqual({ quality: 'unknown' }))
      const seen = running.notes.length
      panel.release(4)
      panel.setRegister(200, 1_000, { table: 'input' })
      await until(() => expect(running.runner.health()[0]?.up).toBe(false))
      expect(running.facts.some((fact) => fact.is === 'press' && fact.phase === 'restored')).toBe(false)
      expect(running.notes.slice(seen).filter(({ state }) => state.quality === 'good')).toEqual([])
      panel.behave({ is: 'normal' })
      await until(() =>
        expect(running.facts.filter((fact) => fact.is === 'press' && fact.phase === 'restored')).toHaveLength(
          2,
        ),
      )
    },
  )

  test('a loop that is cut is not idle', async () => {
    await start()
    panel.setRegister(200, 1_000, { table: 'input' })
    const { facts, notes } = await open(at(), {
      loop: { ...loopAt, bands: { ...loopAt.bands, open: [4_000, 4_095] } },
    })
    await until(() => expect(notes.at(-1)?.state).toEqual({ quality: 'good', active: false }))
    panel.setRegister(200, 4_095, { table: 'input' })
    await until(() =>
      expect(facts).toMatchObject([
        { is: 'trouble', trouble: 'tamper', words: 'the loop is cut', device: 'loop' },
      ]),
    )
    expect(notes.at(-1)?.state).toEqual({ quality: 'unknown' })
    panel.setRegister(200, 2_000, { table: 'input' })
    await until(() => expect(pressesIn(facts, 'loop')).toBe(1))
  })
})

describe('row 13: the poll survives what nobody expected', () => {
  test('one mistake in what hears it costs the link, which is opened again; the next press is seen', async () => {
    await start()
    let mistakes = 0
    const running = run(
      at(),
      { button: { discrete: 4, counter: 24 } },
      {
        note: () => {
          if (panel.reads() > 20 && mistakes++ === 0) throw new TypeError('a mistake in core')
        },
      },
    )
    later(running.stop)
    await until(() => expect(running.lines.some(({ text }) => text === 'link down')).toBe(true))
    await panel.press(4, { forMs: 1 })
    await until(() => expect(pressesIn(running.facts)).toBe(1))
    expect(running.lines.filter(({ text }) => text === 'link up')).toHaveLength(2)
  })
})

/** Opens, sees a press, loses the connection, `cycles` times; gives how many handles and sockets were left after each. */
const flap = async (cycles: number, config: () => object, cut: (n: number) => Promise<void>) => {
  const { ctx, facts, abort } = testContext()
  const left: number[] = []
  const cursors = new Map<string, Json>()
  const once = opening(config(), { button: { discrete: 4, counter: 24 } })
  for (let n = 0; n < cycles; n++) {
    const link = await modbus.open({ ...once, cursors }, ctx)
    await panel.press(4, { forMs: 0 })
    await until(() => expect(pressesIn(facts)).toBe(n + 1))
    cursors.set('button', facts.at(-1)?.cursor as Json)
    await cut(n)
    await link.close()
    await link.lost
    left.push(handles())
  }
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0)
  return left
}

describe('row 14: links that flap for days', () => {
  test.each(['tcp', 'rtu'] as const)(
    '200 losses leave no socket and no timer, and every press is seen (%s)',
    async (framing) => {
      await start({ framing })
      const left = await flap(
        200,
        () => at({ framing, timeout: '1s' }),
        (n) => (n % 2 === 0 ? panel.reboot(1) : Promise.resolve()),
      )
      expect(Math.max(...left.slice(100))).toBeLessThanOrEqual(Math.max(...left.slice(0, 100)))
      await until(() => expect(panel.openSockets).toBe(0))
    },
  )

  test('200 openings of a serial port leave none behind', async () => {
    await start({ framing: 'rtu', diagnostics: 'answered' })
    let pty: Pty = await startPty(panel.port)
    later(() => pty.unplug())
    const folder = await mkdtemp(join(tmpdir(), 'modbus-flap-'))
    later(() => rm(folder, { recursive: true }))
    const path = join(folder, 'adapter')
    await symlink(pty.path, path)
    const left = await flap(
      200,
      () => ({ line: { path } }),
      async (n) => {
        if (n % 20 !== 0) return
        // Pulled out and plugged in again.
        await pty.unplug()
        pty = await startPty(panel.port)
        await unlink(path)
        await symlink(pty.path, path)
      },
    )
    expect(Math.max(...left.slice(100))).toBeLessThanOrEqual(Math.max(...left.slice(0, 100)))
    expect(panel.openSockets).toBe(1)
  })
})
