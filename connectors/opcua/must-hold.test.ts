import { describe, expect, test } from 'vitest'
import type { OpcuaServer } from '../../mocks/opcua-server/index.ts'
import { Kept, until } from './fixtures/kept.ts'
import { onOneEngine, pause, plain } from './fixtures/stage.ts'

// The server samples every 50 ms, in the event loop of the test.
const { start, keep } = await onOneEngine()
const config = (server: OpcuaServer) => plain(server, {})

/** Inputs from 1 by name. */
const buttons = <T>(count: number, of: (n: number) => T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, nth) => [`button-${nth + 1}`, of(nth + 1)]))

const total = (kept: Kept, count: number): number => {
  let sum = 0
  for (let n = 1; n <= count; n++) sum += kept.presses(`button-${n}`)
  return sum
}

describe('must hold', () => {
  test('10,000 of 10,000 presses of 1.5 × the sampling interval are seen', async () => {
    const [inputs, each] = [200, 50]
    const server = await start({ inputs })
    const all = buttons(inputs, (n) => ({ node: server.id(`Button${n}`) }))
    const kept = await keep({ config: config(server), inputs: all })
    // A machine that stands still for a moment shortens no press. Half of the inputs are pressed while the others rest.
    for (let press = 0; press < each * 2; press++) {
      for (let n = 1; n <= inputs; n++) server.set(`Button${n}`, n % 2 === press % 2)
      await server.sampled(75)
    }
    for (let n = 1; n <= inputs; n++) server.release(n)
    await until(() => total(kept, inputs) >= inputs * each, 'all are told', 10_000)
    await pause(500)
    expect(total(kept, inputs)).toBe(10_000)
    expect(kept.whys).toEqual([])
  })

  test('10,000 of 10,000 presses of 10 ms are seen by a counter', async () => {
    const [inputs, each] = [200, 50]
    const server = await start({ inputs })
    const all = buttons(inputs, (n) => ({ node: server.id(`Button${n}`), counter: server.id(`Counter${n}`) }))
    const kept = await keep({ config: config(server), inputs: all })
    for (let press = 0; press < each; press++) {
      await Promise.all(Array.from({ length: inputs }, (_, nth) => server.press(nth + 1, { forMs: 10 })))
      await pause(10)
    }
    await until(() => total(kept, inputs) >= inputs * each, 'all are told', 10_000)
    await pause(500)
    expect(total(kept, inputs)).toBe(10_000)
  })

  test('1,000 of 1,000 presses of 10 ms are seen by a latch', async () => {
    const [inputs, each] = [100, 10]
    const server = await start({ inputs })
    const all = buttons(inputs, (n) => ({
      node: server.id(`Latched${n}`),
      latch: { reset: server.id(`Reset${n}`) },
    }))
    const kept = await keep({ config: config(server), inputs: all })
    for (let press = 1; press <= each; press++) {
      await Promise.all(Array.from({ length: inputs }, (_, nth) => server.press(nth + 1, { forMs: 10 })))
      await until(() => total(kept, inputs) === press * inputs, `press ${press} of all is told`, 10_000)
      const latched = () => Array.from({ length: inputs }, (_, nth) => server.get(`Latched${nth + 1}`))
      await until(() => latched().every((is) => is === false), 'all are cleared', 10_000)
      // The server has to sample that it is cleared before it can sample the next.
      await server.sampled(150)
    }
    expect(total(kept, inputs)).toBe(1_000)
  })

  test('200 cycles of losing and opening leave no socket, subscription or timer', async () => {
    const server = await start()
    const resources = () => process.getActiveResourcesInfo().filter((kind) => /Timeout|TCP/.test(kind)).length
    const inputs = buttons(2, (n) => ({ node: server.id(`Button${n}`), counter: server.id(`Counter${n}`) }))
    const before = resources()
    const kept = await Kept.open({ config: config(server), inputs })
    for (let cycle = 1; cycle <= 200; cycle++) {
      const at = kept.opened
      if (cycle % 2 === 0) server.drop()
      else await server.reboot(0)
      await until(() => kept.opened > at, `cycle ${cycle}`)
    }
    await server.press(1, { forMs: 10 })
    await until(() => kept.presses('button-1') === 1, 'a press still comes through')
    expect(server.openSockets).toBe(1)
    await kept.close()
    await until(() => server.openSockets === 0, 'no socket')
    server.forget()
    expect(server.subscriptions).toBe(0)
    await until(() => resources() <= before, 'no timer, no socket', 10_000)
  })
})
