import { describe, expect, test } from 'vitest'
import { cases, message } from '../connectors/conformance/kit.ts'
import { catalogue } from '../connectors/index.ts'
import type { Order, Outcome } from '../core/command.ts'
import type { Connector, Link } from '../core/connector.ts'
import { openInThread } from '../core/runner/thread.ts'
import { startModbusPanel } from '../mocks/modbus-panel/index.ts'
import { startSnppPager } from '../mocks/snpp-pager/index.ts'
import { webhookSender } from '../mocks/webhook-sender/index.ts'
import { freePort } from './bench/process.ts'
import bell from './conformance/bell/index.ts'
import { bellTower } from './conformance/bell/tower.ts'
import { testContext } from './context.ts'

test.each([...catalogue.values()])(
  'the module of $type exports its declaration, for its thread',
  async ({ module, type }) => {
    const exported = Object.values((await import(module)) as Record<string, Partial<Connector>>)
    expect(exported.filter((one) => one?.type === type && typeof one.open === 'function')).toHaveLength(1)
  },
)

/** Of the conformance kit what a thread could break; the rest would only open 500 threads more. */
const tried = [
  'close is prompt, and closing again does nothing',
  'a signal that aborts ends the link',
  'opening with a signal that has aborted is over at once',
  'an order is done, with the proof that its capability demands',
  'an order that is given up before it starts does nothing',
  'each press is recorded once',
  'the wire is told when a press is on disk, not before',
  'a press that could not be recorded comes again as the same',
  'over a restart of ours no press is lost or doubled',
  'a peer that goes away is noticed, and found when it is back',
]

describe('a link in a thread does what the conformance kit asks of one without', async () => {
  const connector: Connector = { ...bell, open: (opening, ctx) => openInThread(bell, opening, ctx) }
  const all = await cases(bellTower(connector))
  test('the kit has these cases', () => {
    expect(tried.filter((name) => !all.some((one) => one.name.startsWith(name)))).toEqual([])
  })
  for (const { name, run } of all.filter((one) => tried.some((start) => one.name.startsWith(start))))
    test(name, run)
})

interface Wired {
  readonly config: object
  readonly inputs?: Record<string, object>
  readonly outputs?: Record<string, object>
}

const open = async (type: string, { config, inputs = {}, outputs = {} }: Wired) => {
  const connector = catalogue.get(type) as Connector
  const told = testContext({ secret: async () => 'hush-hush-hush' })
  const parsed = (schema: Connector['input'], all: Record<string, object>) =>
    new Map(Object.entries(all).map(([name, one]) => [name, schema?.parse(one)]))
  const parts = {
    name: type,
    config: connector.config.parse(config),
    inputs: parsed(connector.input, inputs),
    outputs: parsed(connector.output, outputs),
    cursors: new Map(),
  }
  const link = await openInThread(connector, parts, told.ctx)
  const act = (capability: string, target: string, args: object): Promise<Outcome> => {
    const acts = link.acts as unknown as Record<string, (order: Order<unknown, unknown>) => Promise<Outcome>>
    const address = parts.outputs.get(target)
    return acts[capability]!({
      id: `i/0/${target}`,
      attempt: 1,
      address,
      args,
      signal: AbortSignal.timeout(5_000),
    })
  }
  return { ...told, link, act }
}

const closing = async (link: Link, mock: { close(): Promise<unknown> }) => {
  await link.close()
  await mock.close()
}

describe('connectors of the catalogue in threads, on real wires', () => {
  test('modbus: a press in, a relay out, a probe', async () => {
    const panel = await startModbusPanel()
    const { link, act, facts } = await open('modbus', {
      config: { host: '127.0.0.1', port: panel.port, poll: '20ms' },
      inputs: { button: { discrete: 0, counter: 16 } },
      outputs: { relay: { coil: 3 } },
    })
    try {
      await panel.polled()
      await panel.press(0)
      await expect
        .poll(() => facts.map(({ is, device }) => [is, device]), { timeout: 10_000 })
        .toContainEqual(['press', 'button'])
      expect(await act('relay.set', 'relay', { on: true })).toMatchObject({ ok: true, proof: 'confirmed' })
      expect(await link.probe?.({ coil: 3, unit: 1 }, AbortSignal.timeout(5_000))).toBeDefined()
    } finally {
      await closing(link, panel)
    }
  })

  test('webhook: a press in, and a heartbeat over its own wire', async () => {
    const port = await freePort()
    const { link, facts } = await open('webhook', {
      config: { listen: `127.0.0.1:${port}`, path: '/badges', bearer: { env: 'X' } },
      inputs: { badge: { id: 'badge-17' } },
    })
    try {
      const sender = webhookSender({ url: `http://127.0.0.1:${port}/badges`, bearer: 'hush-hush-hush' })
      expect((await sender.send({ id: 'badge-17', at: Date.now() }, { key: 'one' })).status).toBe(200)
      expect(facts).toMatchObject([{ is: 'press', device: 'badge' }])
      await link.beat?.('mark-1', AbortSignal.timeout(5_000))
      expect(facts).toMatchObject([{ is: 'press' }, { is: 'press', heartbeat: 'mark-1' }])
    } finally {
      await link.close()
    }
  })

  test('snpp: a page out', async () => {
    const pager = await startSnppPager({ pagers: ['5550100'] })
    const { link, act } = await open('snpp', {
      config: { host: '127.0.0.1', port: pager.port },
      outputs: { security: { id: '5550100' } },
    })
    try {
      expect(await act('page.send', 'security', { message })).toMatchObject({ ok: true })
      await pager.journal.expect('page')
    } finally {
      await closing(link, pager)
    }
  })
})
