import { afterEach, describe, expect, test } from 'vitest'
import bell from '../../test/conformance/bell/index.ts'
import { bellTower } from '../../test/conformance/bell/tower.ts'
import { testContext } from '../../test/context.ts'
import type { Order, Outcome } from '../command.ts'
import type { Connector, Context, Link } from '../connector.ts'
import hostile, { type Mode } from './fixtures/hostile.ts'
import { openInThread } from './thread.ts'

const ends: (() => Promise<unknown> | undefined)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const opening = (connector: Connector, config: object, name = 'mad') => ({
  name,
  config: connector.config.parse(config),
  inputs: new Map(),
  outputs: new Map(),
  cursors: new Map(),
})

const openMad = async (config: object = {}, overrides: Partial<Context> = {}) => {
  const told = testContext(overrides)
  const link = await openInThread(hostile as Connector, opening(hostile as Connector, config), told.ctx)
  ends.push(() => link.close())
  return { ...told, link }
}

const act = (link: Link, mode: Mode, signal = AbortSignal.timeout(1_000)): Promise<Outcome> => {
  const acts = link.acts as Record<string, (order: Order) => Promise<Outcome>>
  return acts['mad.act']!({ id: 'i/step.0/mad', attempt: 1, address: { id: 'x' }, args: { mode }, signal })
}

const resultOf = (outcome: Outcome) =>
  (outcome as { readonly result: unknown }).result as { now: number; wall: number }

const whyLost = ({ lost }: Link): Promise<string> =>
  lost!.then(String, (error: unknown) => String((error as Error).message))

/** A neighbour on a real socket, inline or isolated, that rings once after the other for as long as `work` runs. */
const beside = async <T>(isolated: boolean, work: () => Promise<T>): Promise<{ result: T; rung: number }> => {
  const stage = await bellTower(bell).start()
  const { config, inputs, outputs } = stage.opening(stage.peer!.port)
  const { ctx, facts } = testContext({ secret: async () => stage.secrets['BELL']! })
  const parts = {
    name: 'bell',
    config: bell.config.parse(config),
    inputs: new Map(Object.entries(inputs!)),
    outputs: new Map(Object.entries(outputs!)),
    cursors: new Map(),
  }
  const link = await (isolated ? openInThread(bell, parts, ctx) : bell.open(parts, ctx))
  try {
    let rung = 0
    let isOver = false
    const ringing = (async () => {
      while (!isOver || rung === 0) {
        const acts = link.acts as Record<string, (order: Order) => Promise<Outcome>>
        const signal = AbortSignal.timeout(2_000)
        const order = { id: `r${rung}`, attempt: 1, address: { bell: 1 }, args: {}, signal }
        const outcome = await acts['bell.ring']!(order)
        expect(outcome).toMatchObject({ ok: true })
        rung++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    const result = await Promise.race([work(), ringing.then(() => expect.fail('the neighbour stopped'))])
    await stage.buttons![0]!.press()
    isOver = true
    await ringing
    await expect.poll(() => facts.length, { timeout: 5_000 }).toBe(1)
    return { result, rung }
  } finally {
    await link.close()
    await stage.close()
  }
}

/** What ends a thread, and the words that it becomes a fault with. */
const deadly: readonly (readonly [Mode, RegExp])[] = [
  ['endless loop', /did not answer for 3 s: an endless loop\?/],
  ['endless promises', /did not answer for 3 s: an endless loop\?/],
  ['leak', /used more than 256 MB of memory: a leak\?/],
  ['leak of buffers', /holds \d+ MB of buffers: a leak\?/],
  ['throw in a timer', /threw where nobody catches it: thrown in a timer/],
  ['unhandled rejection', /threw where nobody catches it: nobody waits for this/],
  ['process.exit', /its code ended its thread with exit code 3/],
]

describe('a link in a thread of its own ends alone (what-users-ask 20 and 22)', () => {
  test.each(deadly)(
    '%s in an act: the order has an outcome, the loss a cause, a neighbour inline rings on',
    async (mode, words) => {
      const { link } = await openMad()
      const { result, rung } = await beside(false, async () => ({
        outcome: await act(link, mode),
        why: await whyLost(link),
      }))
      expect(result.why).toMatch(words)
      // What throws later may let the order end before it.
      if (!['throw in a timer', 'unhandled rejection'].includes(mode))
        expect(result.outcome).toMatchObject({ ok: false, failure: { code: 'CRASHED' }, effect: 'possible' })
      expect(rung).toBeGreaterThan(0)
      expect(await act(link, 'nothing')).toMatchObject({ ok: false, effect: 'none' })
    },
  )

  test.each(deadly.filter(([mode]) => mode !== 'endless promises'))(
    '%s while it opens is told by opening',
    async (mode, words) => {
      const open = () => openMad({ opening: mode })
      if (mode === 'throw in a timer' || mode === 'unhandled rejection') {
        // The link may be open by then.
        const why = await open().then(
          ({ link }) => whyLost(link),
          (error: Error) => error.message,
        )
        expect(why).toMatch(words)
      } else if (mode === 'endless loop') await expect(open()).rejects.toThrow(/did not answer for 8 s/)
      else await expect(open()).rejects.toThrow(words)
    },
  )

  test('a neighbour in a thread rings on as well', async () => {
    const { link } = await openMad()
    const { result, rung } = await beside(true, async () => {
      await act(link, 'endless loop')
      return whyLost(link)
    })
    expect(result).toMatch(/endless loop/)
    expect(rung).toBeGreaterThan(1)
  })

  test.each(['process.abort', 'throw', 'endless recursion'] as const)(
    '%s is an outcome, and the link lives on',
    async (mode) => {
      const { link } = await openMad()
      expect(await act(link, mode)).toMatchObject({ failure: { code: 'CRASHED' }, effect: 'possible' })
      expect(await act(link, 'nothing')).toMatchObject({ ok: true })
    },
  )
})

describe('what is said without end', () => {
  test.each(['flood of notes', 'flood of records', 'flood of log lines', 'flood of prints'] as const)(
    '%s reaches core bounded, and a neighbour rings on',
    async (mode) => {
      let said = 0
      const count = () => void said++
      const log = { debug: count, info: count, warn: count, error: count }
      const { link } = await openMad(
        { after: mode },
        {
          log,
          note: count,
          record: async () => {
            count()
            return { duplicate: false, id: 'x', incident: null }
          },
        },
      )
      const begun = performance.now()
      const { rung } = await beside(false, () => new Promise((resolve) => setTimeout(resolve, 3_000)))
      const seconds = (performance.now() - begun) / 1_000
      expect(said).toBeGreaterThan(100)
      // The budget: 20,000 units at once and 10,000 a second; a batch may be begun with one unit left.
      expect(said).toBeLessThan(20_000 + 10_000 * seconds + 10_000)
      expect(rung).toBeGreaterThan(0)
      await link.close()
    },
  )

  test('log lines beyond the budget are counted', async () => {
    const { lines } = await openMad({ after: 'flood of log lines' })
    await expect
      .poll(() => lines.some(({ text }) => /\d+ more log lines of this link are left out/.test(text)))
      .toBe(true)
    expect(lines.every(({ fields }) => JSON.stringify(fields).length < 5_000)).toBe(true)
  })
})

describe('outcomes', () => {
  test.each([
    ['function', /is not Json: `run` is a function/],
    ['cycle', /is not Json/],
    ['bigint', /is not Json/],
    ['too much', /is too large: 5\d+ characters of at most 262144/],
    ['nothing at all', /no outcome/],
    ['nonsense', /no outcome/],
  ] as const)('that are %s fail, with a possible effect', async (mode, words) => {
    const { link } = await openMad()
    const outcome = await act(link, mode)
    expect(outcome).toMatchObject({ ok: false, failure: { code: 'CRASHED' }, effect: 'possible' })
    expect(outcome.ok ? '' : outcome.failure.message).toMatch(words)
    expect(await act(link, 'nothing')).toMatchObject({ ok: true })
  })

  test('that come after the order was given up are the connector’s own', async () => {
    const { link } = await openMad()
    expect(await act(link, 'late outcome')).toMatchObject({
      failure: { code: 'TIMEOUT' },
      effect: 'possible',
    })
  })

  test('that never come are given up 5 s after the order was', async () => {
    const { link } = await openMad()
    const outcome = await act(link, 'never resolve')
    expect(outcome.ok ? '' : outcome.failure.message).toMatch(/no outcome within 5 s after it was given up/)
  })

  test('of an order that was given up before: nothing was done', async () => {
    const { link } = await openMad()
    expect(await act(link, 'nothing', AbortSignal.abort())).toMatchObject({
      failure: { code: 'ABORTED' },
      effect: 'none',
    })
  })
})

test.each(['never resolve', 'endless loop', 'throw'] as const)(
  'closing a link that does %s there is over within a second',
  async (mode) => {
    const { link } = await openMad({ closing: mode })
    const closed = await Promise.race([
      link.close().then(() => 'closed'),
      new Promise((resolve) => setTimeout(resolve, 2_000, 'still open')),
    ])
    expect(closed).toBe('closed')
  },
)

test('opening that never ends is over when it is given up', async () => {
  const { ctx, abort } = testContext()
  const open = openInThread(
    hostile as Connector,
    opening(hostile as Connector, { opening: 'never resolve' }),
    ctx,
  )
  setTimeout(() => abort.abort(), 500)
  await expect(open).rejects.toThrow(/given up while it opened/)
})

test('a thread’s clock reads what the bridge’s does', async () => {
  const { link, ctx } = await openMad()
  for (let n = 0; n < 5; n++) {
    const before = ctx.clock.now()
    const outcome = await act(link, 'nothing')
    const { now } = resultOf(outcome)
    expect(now).toBeGreaterThanOrEqual(before - 1)
    expect(now).toBeLessThanOrEqual(ctx.clock.now() + 1)
  }
})

test('a thread’s clock is the bridge’s also where that was set ahead of the wall', async () => {
  const { ctx } = testContext()
  ;(ctx.clock as unknown as { raise(floor: number): void }).raise(ctx.clock.wall() + 3_600_000)
  const { link } = await openMad({}, { clock: ctx.clock })
  const { now, wall } = resultOf(await act(link, 'nothing'))
  expect(Math.abs(now - ctx.clock.now())).toBeLessThan(1_000)
  expect(now - wall).toBeGreaterThan(3_590_000)
})

test('a thread sees nothing of the environment but what programs need to find their files', async () => {
  process.env['HOSTILE_SECRET'] = 'hush'
  ends.push(async () => void delete process.env['HOSTILE_SECRET'])
  const { link } = await openMad()
  expect(await link.probe!(null, AbortSignal.timeout(1_000))).toEqual({ secret: 'undefined' })
})

test('while four threads load, a link that presses come from goes before those with outputs only', async () => {
  const order: string[] = []
  const open = (name: string) => {
    const connector = {
      ...(hostile as Connector),
      get module() {
        order.push(name)
        return hostile.module
      },
    }
    const devices = new Map([[name, { id: name }]])
    const parts = opening(hostile as Connector, {}, name)
    const side = name === 'input' ? { inputs: devices } : { outputs: devices }
    return openInThread(connector, { ...parts, ...side }, testContext().ctx)
  }
  const outputs = Array.from({ length: 8 }, (_, n) => `output ${n}`)
  const links = await Promise.all([...outputs, 'input'].map(open))
  await Promise.all(links.map((link) => link.close()))
  expect(order).toHaveLength(9)
  // It asked last, when four were loading; one turn in four goes to whoever has waited longest.
  expect([4, 5]).toContain(order.indexOf('input'))
}, 30_000)
