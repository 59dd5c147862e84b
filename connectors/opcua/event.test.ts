import { describe, expect, test } from 'vitest'
import type { Json } from '../../core/fact.ts'
import type { OpcuaServer } from '../../mocks/opcua-server/index.ts'
import { until } from './fixtures/kept.ts'
import { onOneEngine, pause, plain } from './fixtures/stage.ts'

const { start, keep } = await onOneEngine()

describe('conditions and events', () => {
  const listening = (server: OpcuaServer, event: Json, more: { readonly [field: string]: Json } = {}) =>
    keep({ config: plain(server), inputs: { alarm: { event, ...more } } })

  test('a condition that is active already is a press once, over several subscriptions', async () => {
    const server = await start({ alarms: ['Duress'] })
    server.alarm('Duress').raise()
    const kept = await listening(server, { notifier: server.id(), condition: 'Duress' })
    await until(() => kept.presses('alarm') === 1, 'told by the refresh')
    server.drop()
    await until(() => kept.opened === 2, 'the link is up again')
    await pause(300)
    expect(kept.presses('alarm')).toBe(1)
    expect(kept.last('alarm')).toMatchObject({ quality: 'good', active: true })
  })

  test('one that is over, and not retained any more, ends while nobody listens', async () => {
    const server = await start({ alarms: ['Duress'] })
    const kept = await listening(server, { notifier: server.id() })
    server.alarm('Duress').raise()
    await until(() => kept.presses('alarm') === 1, 'the press')
    server.behave({ is: 'refusing' })
    server.alarm('Duress').restart()
    server.behave({ is: 'normal' })
    await until(
      () => kept.facts.some(({ key }) => key.endsWith('/restored')),
      'its end is told after the refresh',
    )
    expect(kept.last('alarm')?.active).toBe(false)
  })

  test('severity, source and condition are matched; what is not meant is no press', async () => {
    const server = await start({ alarms: ['Duress', 'Door'] })
    const kept = await keep({
      config: plain(server),
      inputs: {
        severe: { event: { notifier: server.id(), condition: 'Duress', severity: 600 } },
        door: { event: { notifier: server.id(), condition: server.id('Door') } },
        nobody: { event: { notifier: server.id(), source: 'Nobody' } },
      },
    })
    server.alarm('Duress').raise(500)
    server.alarm('Door').raise(10)
    await until(() => kept.presses('door') === 1, 'the one that is meant')
    server.alarm('Duress').clear(500)
    server.alarm('Duress').raise(800)
    await until(() => kept.presses('severe') === 1, 'severe enough')
    // Its end is told with less.
    server.alarm('Duress').clear(1)
    await until(() => kept.last('severe')?.active === false, 'and over')
    expect(kept.presses('nobody')).toBe(0)
  })

  test('branches of a server that keeps them are the same presses', async () => {
    const server = await start({ alarms: ['Duress'] })
    const kept = await listening(server, { notifier: server.id(), condition: 'Duress' })
    for (let press = 1; press <= 3; press++) {
      server.alarm('Duress').signal(true)
      await pause(20)
      server.alarm('Duress').signal(false)
      await pause(20)
    }
    await until(() => kept.presses('alarm') === 3, 'three presses')
    await pause(300)
    expect(kept.presses('alarm')).toBe(3)
    expect(kept.last('alarm')?.active).toBe(false)
  })

  test('an event that is no condition is a press each', async () => {
    const server = await start()
    const kept = await listening(server, { notifier: server.id(), severity: 500 })
    server.raise('pressed', 700)
    server.raise('pressed again', 700)
    server.raise('of no interest', 100)
    await until(() => kept.presses('alarm') === 2, 'two presses')
    expect(kept.facts[0]).toMatchObject({ raw: { message: 'pressed', severity: 700 } })
  })

  test('row 17: a queue for events that is too short is a press, since nobody knows what was lost', async () => {
    const server = await start()
    const kept = await listening(server, { notifier: server.id(), severity: 500 })
    server.losesEvents()
    await until(() => kept.facts.some(({ device }) => device === null), 'a press of what was lost', 8_000)
    expect(kept.facts[0]).toMatchObject({ is: 'press', kind: 'unknown', raw: { lost: true } })
    expect(kept.presses('alarm')).toBe(0)
  })

  test('it is acknowledged at the server once it is recorded, where that is configured', async () => {
    const server = await start({ alarms: ['Duress'] })
    await listening(server, { notifier: server.id() })
    server.alarm('Duress').raise()
    await pause(400)
    expect(server.alarm('Duress').acknowledged, 'not unless it is configured').toBe(false)
    await listening(server, { notifier: server.id() }, { acknowledge: 'recorded' })
    await server.journal.expect('acknowledge', ({ comment }) => comment === 'recorded by duress-bridge')
    expect(server.alarm('Duress').acknowledged).toBe(true)
  })
})
