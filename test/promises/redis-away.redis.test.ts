import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanUp, until } from './program.ts'
import { type Harm, outlives } from './redis-fails.ts'
import { WorkerSite } from './worker-site.ts'

/** Promise 6, Redis not there or not answering: slower, never lost, never late. */
let site: WorkerSite

beforeAll(async () => {
  site = await WorkerSite.start()
})

afterAll(async () => {
  await site?.close()
  await cleanUp()
})

const silent = /has not answered|missed the start|the way there and back/

const harms: readonly [string, Harm][] = [
  [
    'killed, and back with what it had on disk (AOF)',
    {
      harm: ({ redis }) => redis.kill(),
      heal: ({ redis }) => redis.start(),
      says: /^Redis is not connected: .*; the bridge acts itself$/,
    },
  ],
  [
    'frozen, so that its connections look well (row 6)',
    { harm: ({ redis }) => redis.freeze(), heal: ({ redis }) => redis.thaw(), says: silent },
  ],
  [
    'behind a wire of the bridge that is half-open (row 6)',
    {
      harm: ({ wires }) => wires.bridge.halfOpen(),
      heal: ({ wires }) => wires.bridge.heal(),
      says: silent,
    },
  ],
  [
    'behind a wire of the workers that gives them nothing, though it takes everything (row 2)',
    {
      harm: ({ wires }) => wires.workers.halfOpen('answers'),
      heal: ({ wires }) => wires.workers.heal(),
      says: silent,
    },
  ],
]

test.each(harms)(
  'Redis %s: everybody is told in time, nothing is late, and the workers come back',
  async (_, harm) => {
    await outlives(site, harm)
  },
)

test('Redis frozen: the bridge waits for one worker, not for one after the other', async () => {
  await site.fit('edge-1', 'edge-2')
  await site.redis.freeze()
  const { id } = await site.press()
  const receipt = await site.program.receipt(id, 'page.send', 'security')
  await site.redis.thaw()
  expect(receipt).toMatchObject({ end: 'done' })
  expect(receipt.attempts).toBeLessThanOrEqual(2)
})

test.each([
  ['workers wait for parcels', 'workers', 'bzpopmin'],
  ['the bridge waits for answers', 'bridge', 'blmpop'],
] as const)(
  'a connection on which %s dies without a word: all are heard again within 5 s (row 2)',
  async (_, side, command) => {
    await site.fit('edge-1', 'edge-2')
    await until('somebody waits', () => site.wires[side].strand(command))
    const pressed = await site.press()
    await site.paged(pressed.id)
    await site.unfit('edge-1')
    // Nobody heals anything.
    await site.fit('edge-1', 'edge-2')
    await until('a worker acts', async () => (await site.paged((await site.press()).id)).by !== 'bridge')
    site.neverLate(pressed)
  },
)
