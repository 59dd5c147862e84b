import { afterEach, describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { PacedClock, pressesIn, run } from './fixtures/running.ts'

// Time is simulated and stands still while a request is on the wire: what is proven holds for every phase of the poll,
// and not for the speed of this machine.

const pollMs = 20
const seed = 20_260_105

/** Uniform in [0, 1), the same in each run (a linear congruential generator of 2^31 numbers). */
const drawer = (from: number) => {
  let state = from
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

let panel: ModbusPanel
let stop: () => Promise<void>
afterEach(async () => {
  await stop()
  await panel.close()
})

interface Finger {
  readonly inputs: Record<string, Json>
  readonly heldMs: number
  /** Shortest pause between two presses of one button, ms. */
  readonly pauseMs: number
  readonly each: number
}

/** Presses every button `each` times, at whatever phase of the poll; gives how many were recorded and how many made. */
const pressAll = async ({
  inputs,
  heldMs,
  pauseMs,
  each,
}: Finger): Promise<{ seen: number; made: number }> => {
  const clock = new PacedClock()
  const running = run({ host: panel.host, port: panel.port, poll: `${pollMs}ms` }, inputs, { clock })
  stop = running.stop
  await running.up()
  const draw = drawer(seed)
  const buttons = Object.keys(inputs).map((_, discrete) => ({
    discrete,
    turnAt: draw() * 500,
    left: each,
    held: false,
  }))
  for (let now = 0; buttons.some(({ left, held }) => left > 0 || held); now++) {
    for (const button of buttons) {
      if (now < button.turnAt || (button.left === 0 && !button.held)) continue
      if (button.held) panel.release(button.discrete)
      else {
        void panel.press(button.discrete, { hold: true })
        button.left--
      }
      button.held = !button.held
      button.turnAt = now + (button.held ? heldMs : pauseMs + draw() * 2 * pollMs)
    }
    await clock.pass(1)
  }
  await clock.pass(5 * pollMs)
  return { seen: pressesIn(running.facts), made: each * buttons.length }
}

const named = (count: number, input: (discrete: number) => Json): Record<string, Json> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`button-${n}`, input(n)]))

describe('presses', () => {
  test('all of 10,000 that last one and a half polls are seen in the levels alone', async () => {
    panel = await startModbusPanel({ discretes: 100 })
    const inputs = named(100, (discrete) => ({ discrete }))
    const { seen, made } = await pressAll({ inputs, heldMs: 1.5 * pollMs, pauseMs: 1.5 * pollMs, each: 100 })
    expect([seen, made]).toEqual([10_000, 10_000])
  })

  test('all of 10,000 that last 10 ms are seen in the counters', async () => {
    panel = await startModbusPanel({ discretes: 100 })
    const inputs = named(100, (discrete) => ({ discrete, counter: 0x10 + 2 * discrete }))
    const { seen, made } = await pressAll({ inputs, heldMs: 10, pauseMs: 10, each: 100 })
    expect([seen, made]).toEqual([10_000, 10_000])
  })

  test('all that last 10 ms are seen in the latches, each of which is cleared for the next', async () => {
    panel = await startModbusPanel({ discretes: 50, coils: 64 })
    panel.journal.allow('write coil')
    for (let discrete = 0; discrete < 50; discrete++) panel.latch(discrete, discrete)
    const inputs = named(50, (discrete) => ({ discrete, latch: { reset: discrete } }))
    const { seen, made } = await pressAll({ inputs, heldMs: 10, pauseMs: 1_500, each: 6 })
    expect([seen, made]).toEqual([300, 300])
  })
})

describe('after 20 s without a connection', () => {
  test.each(['refusing', 'half-open'] as const)(
    'the press made meanwhile is told from the counter, and the next within 5 s (%s)',
    async (is) => {
      panel = await startModbusPanel()
      const clock = new PacedClock()
      const inputs = { counted: { discrete: 4, counter: 24 }, plain: { discrete: 5 } }
      const running = run({ host: panel.host, port: panel.port, timeout: '50ms' }, inputs, { clock })
      stop = running.stop
      await running.up()
      await clock.pass(200)
      panel.behave({ is })
      // A request that nobody answers ends in real time: the clock must not wait for it.
      for (let ms = 0; ms < 20_000; ms += 20) {
        await clock.pass(20, 0)
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (ms === 10_000) await panel.press(4, { forMs: 1 })
      }
      expect(pressesIn(running.facts)).toBe(0)
      panel.behave({ is: 'normal' })
      await panel.press(5, { hold: true })
      for (let ms = 0; ms < 5_000; ms += 20) {
        await clock.pass(20, 0)
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
      expect([pressesIn(running.facts, 'counted'), pressesIn(running.facts, 'plain')]).toEqual([1, 1])
    },
  )
})
