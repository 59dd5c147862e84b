import { afterEach, expect, test } from 'vitest'
import { testContext } from '../../test/context.ts'
import type { Connector } from '../connector.ts'
import hostile from './fixtures/hostile.ts'
import { InlineRunner } from './inline.ts'

let runner: InlineRunner
afterEach(() => runner.stop())

/** Starts these links; resolves with the order in which their code was begun, once all are up. */
const startOrder = async (names: readonly string[], isolate: boolean): Promise<readonly string[]> => {
  const order: string[] = []
  const up = Promise.withResolvers<void>()
  let ups = 0
  const { ctx } = testContext()
  runner = new InlineRunner({
    ...ctx,
    record: (_, fact) => ctx.record(fact),
    cursor: () => undefined,
    turned: (link) => {
      if (link.up && ++ups === names.length) up.resolve()
    },
    random: Math.random,
  })
  const part = (name: string) => {
    const devices = new Map([[name, { id: name }]])
    const none = new Map<string, unknown>()
    const connector: Connector = {
      ...(hostile as Connector),
      get module() {
        order.push(name)
        return hostile.module
      },
      open: async () => {
        order.push(name)
        return { acts: {}, close: async () => {} }
      },
    }
    const inputs = name.startsWith('input') ? devices : none
    const outputs = name.startsWith('output') ? devices : none
    return { connector, connectorName: name, isolate, config: hostile.config.parse({}), inputs, outputs }
  }
  runner.start(new Map(names.map((name) => [name, part(name)])))
  await up.promise
  return order
}

const outputs = Array.from({ length: 5 }, (_, n) => `output ${n}`)

test.each([false, true])(
  'links that presses come from open first, those that listen without any device too; isolated: %s',
  async (isolate) => {
    const order = await startOrder([...outputs, 'input', 'listener'], isolate)
    expect(order).toEqual(['input', 'listener', ...outputs])
  },
  30_000,
)
