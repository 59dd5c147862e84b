import { test } from 'vitest'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { type Button, cases, type Stage, type Trial } from '../conformance/kit.ts'
import modbus from './index.ts'

/** Longer than two polls; what has a counter or a latch may be shorter. */
const fingerMs = 60
const coils = { relay: 0, latch: 8 }
const bit = { register: 5, bit: 2 }

const start = async (): Promise<Stage> => {
  const panel = await startModbusPanel()
  panel.latch(6, coils.latch)
  return {
    opening: (port) => ({
      config: { host: '127.0.0.1', port, poll: '20ms', timeout: '250ms' },
      inputs: {
        counted: { discrete: 4, counter: 24 },
        plain: { discrete: 5 },
        latched: { discrete: 6, latch: { reset: coils.latch } },
      },
      outputs: {
        relay: { coil: coils.relay },
        'relay-bit': bit,
        door: { coil: 1, door: true },
      },
    }),
    secrets: {},
    peer: panel,
    trials: [relay(panel), relayBit(panel), ...door(panel)],
    buttons: [counted(panel), plain(panel), latched(panel)],
    close: () => panel.close(),
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
  press: () => panel.press(5, { forMs: fingerMs }),
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

const checks = await cases({ connector: modbus, start })
for (const { name, run } of checks) test(name, run)
