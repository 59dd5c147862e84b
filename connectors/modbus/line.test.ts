import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Context } from '../../core/connector.ts'
import type { Fact, Json } from '../../core/fact.ts'
import {
  type ModbusPanel,
  type ModbusPanelOptions,
  type Pty,
  startModbusPanel,
  startPty,
} from '../../mocks/modbus-panel/index.ts'
import { testContext } from '../../test/context.ts'
import modbus from './index.ts'

const until = <T>(check: () => T, timeout = 10_000) => vi.waitFor(check, { timeout, interval: 5 })

let panel: ModbusPanel
let ptys: Pty[] = []
let links: { close(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(links.map((link) => link.close()))
  await Promise.all(ptys.map((pty) => pty.unplug()))
  await panel.close()
  links = []
  ptys = []
})

const start = async (options: ModbusPanelOptions = {}) => {
  panel = await startModbusPanel({ framing: 'rtu', diagnostics: 'answered', ...options })
  panel.journal.allow('write coil')
}

const pty = async () => {
  const made = await startPty(panel.port)
  ptys.push(made)
  return made
}

const parsed = (config: object, inputs: Record<string, Json>, outputs: Record<string, Json> = {}) => ({
  name: 'panel',
  config: modbus.config.parse(config),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, modbus.input!.parse(input)])),
  outputs: new Map(Object.entries(outputs).map(([name, output]) => [name, modbus.output!.parse(output)])),
  cursors: new Map<string, Json>(),
})

const open = async (
  config: object,
  inputs: Record<string, Json>,
  outputs: Record<string, Json> = {},
  context: Partial<Context> = {},
) => {
  const test = testContext(context)
  const link = await modbus.open(parsed(config, inputs, outputs), test.ctx)
  links.push(link)
  return { ...test, link }
}

const overTcp = () => ({ host: panel.host, port: panel.port, framing: 'rtu', timeout: '100ms' })

const presses = (facts: readonly Fact[]) =>
  facts.filter((fact) => fact.is === 'press' && fact.phase === 'active')
const of = (facts: readonly Fact[], device: string) => presses(facts).filter((fact) => fact.device === device)
const lastState = (notes: ReturnType<typeof testContext>['notes'], device: string) =>
  notes.findLast((note) => note.device === device && !('cursor' in note.state))?.state

describe('a serial line', () => {
  test('a press is seen, and a relay set and read back, through a real serial port', async () => {
    await start({ units: [1, 7] })
    const { path } = await pty()
    const outputs = { lamp: { coil: 3, unit: 7 } }
    const inputs = { near: { discrete: 4, counter: 24 }, far: { discrete: 5, unit: 7 } }
    const { link, facts } = await open({ line: { path } }, inputs, outputs)
    await panel.press(4, { forMs: 1 })
    await panel.press(5, { unit: 7, hold: true })
    await until(() =>
      expect(
        presses(facts)
          .map(({ device }) => device)
          .sort(),
      ).toEqual(['far', 'near']),
    )
    const order = {
      id: 'incident/1',
      attempt: 1,
      address: modbus.output!.parse(outputs.lamp),
      args: { on: true },
      signal: new AbortController().signal,
    }
    expect(await link.acts['relay.set']!(order)).toMatchObject({ ok: true, proof: 'confirmed' })
    expect(panel.coil(3, { unit: 7 })).toBe(true)
    expect(panel.coil(3)).toBe(false)
  })

  test('an adapter that is pulled out ends the link; plugged in again it is served', async () => {
    await start()
    const { path, unplug } = await pty()
    const { link, notes } = await open({ line: { path } }, { button: { discrete: 4 } })
    await unplug()
    await link.lost
    await until(() => expect(lastState(notes, 'button')).toEqual({ quality: 'unknown' }))
    await expect(open({ line: { path } }, { button: { discrete: 4 } })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining(path),
    })
    const again = await open({ line: { path: (await pty()).path } }, { button: { discrete: 4 } })
    await panel.press(4, { hold: true })
    await until(() => expect(presses(again.facts)).toHaveLength(1))
  })

  test.each(['rtu', 'tcp'] as const)(
    'mbpoll, which is not ours, reads the mock the same way (%s)',
    async (how) => {
      await start({ framing: how })
      for (const on of [1, 3, 4]) panel.set(on, true)
      const mode =
        how === 'tcp' ? ['-m', 'tcp', '-p', `${panel.port}`] : ['-m', 'rtu', '-b', '19200', '-P', 'even']
      const where = how === 'tcp' ? panel.host : (await pty()).path
      const args = [...mode, '-a', '1', '-t', '1', '-0', '-r', '0', '-c', '6', '-1', '-q', where]
      const { stdout } = await promisify(execFile)('mbpoll', args)
      const bits = [...stdout.matchAll(/^\[(\d+)\]:\s+([01])/gm)].map(([, , bit]) => Number(bit))
      expect(bits).toEqual([0, 1, 0, 1, 1, 0])
    },
  )
})

describe('a line whose adapter hears itself', () => {
  test('what is sent comes back first, and is no answer', async () => {
    await start({ echo: true })
    const { path } = await pty()
    const outputs = { lamp: { coil: 3 } }
    const { link, facts } = await open({ line: { path, echo: true } }, { button: { discrete: 4 } }, outputs)
    await panel.press(4, { hold: true })
    await until(() => expect(presses(facts)).toHaveLength(1))
    const address = modbus.output!.parse(outputs.lamp)
    const order = { id: 'x', attempt: 1, address, args: { on: true }, signal: new AbortController().signal }
    expect(await link.acts['relay.set']!(order)).toMatchObject({ ok: true, proof: 'confirmed' })
    panel.kill(1)
    expect(await link.acts['relay.set']!(order)).toMatchObject({ ok: false })
  })

  test('where the config does not say so, the error does', async () => {
    await start({ echo: true })
    const { path } = await pty()
    panel.kill(1)
    await expect(open({ line: { path }, timeout: '60ms' }, { button: { discrete: 4 } })).rejects.toThrow(
      'line.echo: true',
    )
  })
})

describe('row 7: a late reply is never matched to another request', () => {
  const inputs = { idle: { discrete: 4 }, held: { discrete: 60 } }
  /** Keeps the line in use while the other unit is silent. */
  const alive = { discrete: 1, unit: 2 }

  test('over TCP the connection is given up', async () => {
    await start({ framing: 'tcp' })
    panel.set(60, true)
    const { facts, link } = await open({ ...overTcp(), framing: 'tcp' }, inputs)
    await until(() => expect(of(facts, 'held')).toHaveLength(1))
    panel.holdBack(1, { from: 60, to: 60 })
    await link.lost
    panel.letGo()
    expect(panel.held).toBe(0)
    expect(of(facts, 'idle')).toEqual([])
  })

  test.each([
    ['answered', 2],
    ['answered', 3],
    ['refused', 2],
  ] as const)(
    'on a line, by a unit whose echo is %s, which has %i answers to give',
    async (diagnostics, count) => {
      await start({ diagnostics, units: [1, 2] })
      panel.set(60, true)
      const { facts } = await open(overTcp(), { ...inputs, alive })
      await until(() => expect(of(facts, 'held')).toHaveLength(1))
      // From here on the unit answers late: first of all that input 60 is active.
      panel.holdBack(1, { from: 60, to: 60 })
      await until(() => expect(panel.held).toBeGreaterThanOrEqual(count))
      const reads = panel.reads(1)
      panel.letGo()
      await until(() => expect(panel.reads(1)).toBeGreaterThan(reads + 4))
      expect(of(facts, 'idle')).toEqual([])
      await panel.press(4, { hold: true })
      await until(() => expect(of(facts, 'idle')).toHaveLength(1))
    },
  )
})

describe('row 9: a dead unit on a line', () => {
  const inputs = { near: { discrete: 4 }, far: { discrete: 5, unit: 2 } }
  const troubles = (facts: readonly Fact[]) =>
    facts.flatMap((fact) => (fact.is === 'trouble' ? [[fact.trouble, fact.phase, fact.from]] : []))

  test('leaves the connection to the others, is told by itself, and is back when it answers', async () => {
    await start({ units: [1, 2] })
    const { link, facts, notes } = await open(overTcp(), inputs)
    let isLost = false
    link.lost!.then(() => {
      isLost = true
    })
    panel.kill(2)
    await until(() => expect(troubles(facts)).toEqual([['comm-loss', 'active', 'unit 2 of panel']]))
    expect(lastState(notes, 'far')).toEqual({ quality: 'unknown' })
    const asked = panel.reads(2)
    await panel.polled(1, 25)
    expect(panel.reads(2) - asked).toBeLessThan(3)
    await panel.press(4, { hold: true })
    await until(() => expect(of(facts, 'near')).toHaveLength(1))
    expect(await link.probe!(null, new AbortController().signal)).toMatchObject({ silentUnits: [2] })
    panel.heal(2)
    await panel.press(5, { unit: 2, hold: true })
    await until(() => expect(of(facts, 'far')).toHaveLength(1))
    await until(() => expect(troubles(facts)[1]).toEqual(['comm-loss', 'restored', 'unit 2 of panel']))
    expect(isLost).toBe(false)
  })

  test('is found dead at the opening as well', async () => {
    await start({ units: [1, 2] })
    panel.kill(2)
    const { facts, notes } = await open(overTcp(), inputs)
    await panel.press(4, { hold: true })
    await until(() => expect(of(facts, 'near')).toHaveLength(1))
    await until(() => expect(troubles(facts)).toHaveLength(1))
    expect(lastState(notes, 'far')).toEqual({ quality: 'unknown' })
  })

  test('all of them dead is the end of the link', async () => {
    await start({ units: [1, 2] })
    const { link } = await open(overTcp(), inputs)
    panel.kill(1)
    panel.kill(2)
    expect(await link.lost).toMatchObject({ code: 'TIMEOUT' })
    await expect(open(overTcp(), inputs)).rejects.toMatchObject({ code: 'TIMEOUT' })
  })

  test('behind a gateway that says so it rests as well, and the others go on', async () => {
    await start({ framing: 'tcp', units: [1, 2], gatewayTimeoutMs: 40, bus: 'serial' })
    const config = modbus.config.parse({ host: panel.host, port: panel.port })
    const link = async (name: 'near' | 'far') => {
      const test = testContext()
      const input = modbus.input!.parse(inputs[name])
      const opened = await modbus.open(
        { name, config, inputs: new Map([[name, input]]), outputs: new Map(), cursors: new Map() },
        test.ctx,
      )
      links.push(opened)
      return { ...test, link: opened }
    }
    const near = await link('near')
    panel.kill(2)
    const far = await link('far')
    await until(() => expect(troubles(far.facts)).toEqual([['comm-loss', 'active', 'unit 2 of far']]))
    expect(lastState(far.notes, 'far')).toEqual({ quality: 'unknown' })
    const asked = panel.reads(2)
    await panel.polled(1, 10)
    expect(panel.reads(2) - asked).toBeLessThan(3)
    await panel.press(4, { hold: true })
    await until(() => expect(presses(near.facts)).toHaveLength(1))
    panel.heal(2)
    await until(() => expect(lastState(far.notes, 'far')).toEqual({ quality: 'good', active: false }))
  })
})

describe('a line that is disturbed', () => {
  test('answers whose check sum is wrong are none', async () => {
    await start()
    const { link, facts } = await open(overTcp(), { button: { discrete: 4 } })
    panel.answerWrong('check-sum')
    panel.set(4, true)
    expect(await link.lost).toMatchObject({ code: 'TIMEOUT' })
    expect(facts.filter(({ is }) => is === 'press')).toEqual([])
  })

  test('one answer that is lost costs neither the link nor the unit', async () => {
    await start()
    const { facts, link } = await open(overTcp(), { button: { discrete: 4 } })
    panel.holdBack(1)
    await until(() => expect(panel.held).toBeGreaterThan(0))
    await panel.press(4, { hold: true })
    panel.letGo()
    await until(() => expect(presses(facts)).toHaveLength(1))
    expect(facts.filter(({ is }) => is === 'trouble')).toEqual([])
    expect(await link.probe!(null, new AbortController().signal)).not.toHaveProperty('silentUnits')
  })
})
