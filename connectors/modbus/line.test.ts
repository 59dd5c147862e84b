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
