import { test } from 'vitest'
import { type ModbusPanel, startModbusPanel, startPty } from '../../mocks/modbus-panel/index.ts'
import { type Button, cases, type Stage, type Trial } from '../conformance/kit.ts'
import modbus from './index.ts'

/** A finger that is on the button for longer than two polls, however slow this machine is; what has a counter or a latch may be shorter. */
const finger = { ms: 60, cycles: 3, requests: 3, mostMs: 2_000 }
const held = async (panel: ModbusPanel): Promise<void> => {
  const polled = panel.polled(1, finger.cycles * finger.requests, { withinMs: finger.mostMs })
  // Nobody polls while the line is cut: then it is only short.
  await Promise.all([polled.catch(() => {}), new Promise((resolve) => setTimeout(resolve, finger.ms))])
}
const coils = { relay: 0, latch: 8 }
const bit = { register: 5, bit: 2 }
const loopAt = 200
const normalAt = 1_000

const loop = {
  normal: [900, 1_100],
  alarm: [1_900, 2_100],
  open: [4_000, 4_095],
  short: [0, 50],
  hysteresis: 20,
}

/** How the panel is reached; by `line` the kit has no hands on the bytes in between. */
type Way = 'tcp' | 'rtu' | 'line'

const start = async (way: Way): Promise<Stage> => {
  const panel = await startModbusPanel({
    framing: way === 'tcp' ? 'tcp' : 'rtu',
    diagnostics: way === 'line' ? 'answered' : 'refused',
  })
  panel.latch(6, coils.latch)
  panel.setRegister(loopAt, normalAt, { table: 'input' })
  const pty = way === 'line' ? await startPty(panel.port) : null
  return {
    opening: (port) => ({
      config: {
        ...(pty ? { line: { path: pty.path } } : { host: '127.0.0.1', port, framing: way }),
        poll: '20ms',
        timeout: '250ms',
      },
      inputs: {
        counted: { discrete: 4, counter: 24 },
        plain: { discrete: 5 },
        latched: { discrete: 6, latch: { reset: coils.latch } },
        looped: { register: loopAt, bands: loop },
      },
      outputs: {
        relay: { coil: coils.relay },
        'relay-bit': bit,
        door: { coil: 1, door: true },
      },
    }),
    secrets: {},
    ...(pty === null && { peer: panel }),
    trials: [relay(panel), relayBit(panel), ...door(panel)],
    buttons: [counted(panel), plain(panel), latched(panel), looped(panel)],
    close: async () => {
      await pty?.unplug()
      await panel.close()
    },
  }
}

const writes = (panel: ModbusPanel, what: string, address: number) => () =>
  panel.journal.all.filter((one) => one.what === what && one.detail['address'] === address).length

const relay = (panel: ModbusPanel): Trial => ({
  capability: 'relay.set',
  output: 'relay',
  args: { on: true },
  acts: writes(panel, 'write coil', coils.relay),
  prepare: () => panel.setCoil(coils.relay, false),
  reached: () => panel.coil(coils.relay),
  unknown: { output: { coil: 9_999 } },
})

/** One bit of a register: the others are read before they are written back. */
const relayBit = (panel: ModbusPanel): Trial => ({
  capability: 'relay.set',
  output: 'relay-bit',
  args: { on: true },
  acts: writes(panel, 'write register', bit.register),
  prepare: () => panel.setRegister(bit.register, 0b1001),
  reached: () => panel.register(bit.register) === 0b1101,
  preSteps: 1,
  unknown: { output: { register: 9_999, bit: 0 } },
})

const door = (panel: ModbusPanel): Trial[] => {
  const shared = {
    output: 'door',
    acts: writes(panel, 'write coil', 1),
    unknown: { output: { coil: 9_999, door: true } },
  }
  return [
    {
      ...shared,
      capability: 'door.secure',
      args: {},
      prepare: () => panel.setCoil(1, false),
      reached: () => panel.coil(1),
    },
    {
      ...shared,
      capability: 'door.release',
      args: { from: 'secure', before: 'unlocked' },
      prepare: () => panel.setCoil(1, true),
      reached: () => !panel.coil(1),
    },
    { capability: 'door.state', output: 'door', args: {} },
  ]
}

const counted = (panel: ModbusPanel): Button => ({
  device: 'counted',
  press: () => panel.press(4, { forMs: 2 }),
  restores: false,
  remembers: true,
  unreadable: () => panel.fail(1, 4, { from: 4, to: 4 }),
})

const plain = (panel: ModbusPanel): Button => ({
  device: 'plain',
  press: async () => {
    await panel.press(5, { hold: true })
    await held(panel)
    panel.release(5)
  },
  restores: true,
  remembers: false,
  unreadable: () => panel.fail(1, 11),
})

/** The resistor of the button changes the value of the loop. */
const looped = (panel: ModbusPanel): Button => ({
  device: 'looped',
  press: async () => {
    panel.setRegister(loopAt, 2_000, { table: 'input' })
    await held(panel)
    panel.setRegister(loopAt, normalAt, { table: 'input' })
  },
  restores: true,
  remembers: false,
  unreadable: () => panel.fail(1, 11),
})

/** What is told to the wire is that the latch may be cleared. */
const latched = (panel: ModbusPanel): Button => ({
  device: 'latched',
  press: () => panel.press(6, { forMs: 2 }),
  restores: true,
  remembers: true,
  acknowledged: () => (panel.active(6) ? null : true),
  unreadable: () => panel.fail(1, 4),
})

const subject = (way: Way) => ({ name: way, connector: modbus, start: () => start(way) })
const checks = await cases(subject('tcp'), subject('rtu'), subject('line'))
for (const { name, run } of checks) test(name, run)
