import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { cleanUp, until } from './program.ts'
import { type Harm, outlives } from './redis-fails.ts'
import { WorkerSite } from './worker-site.ts'

/** Promise 6, Redis there but of no use: slow, full, read-only, empty, or another one. */
let site: WorkerSite
let replica: RedisServer | undefined

beforeAll(async () => {
  site = await WorkerSite.start()
})

afterAll(async () => {
  await site?.close()
  await replica?.stop()
  await cleanUp()
})

const slow = (ms: number): Harm => ({
  harm: ({ wires }) => {
    wires.bridge.slow(ms)
    wires.workers.slow(ms)
  },
  heal: ({ wires }) => Promise.all([wires.bridge.heal(), wires.workers.heal()]),
  says: /the way there and back takes \d+ ms|has not answered|missed the start/,
})

const harms: readonly [string, Harm][] = [
  ['300 ms slower each way', slow(300)],
  ['2 s slower each way', slow(2_000)],
  [
    'full',
    {
      harm: ({ redis }) => redis.fill(),
      heal: ({ redis }) => redis.empty(),
      says: /has not answered|missed the start/,
    },
  ],
  [
    'read-only',
    {
      harm: ({ redis }) => redis.readOnly(),
      heal: ({ redis }) => redis.writable(),
      says: /has not answered|missed the start|Redis is not connected/,
    },
  ],
  [
    'behind an address that moves to its replica, and goes read-only itself (row 4)',
    {
      harm: async ({ redis }) => {
        replica = await startRedis({ replicaOf: redis })
        await redis.readOnly()
      },
      heal: async ({ wires }) => {
        await replica?.writable()
        for (const wire of [wires.bridge, wires.workers]) wire.lead(replica as RedisServer)
      },
      says: /has not answered|missed the start|Redis is not connected/,
    },
  ],
]

test.each(harms)(
  'Redis %s: everybody is told in time, nothing is late, and the workers come back',
  async (_, harm) => {
    await outlives(site, harm)
  },
)

test('Redis has forgotten everything without a cut: workers go on, and a new one learns what to open', async () => {
  await (replica as RedisServer).cli('FLUSHALL')
  await site.worker('edge-1').kill()
  await site.work('edge-1')
  await site.fit('edge-1', 'edge-2')
  await until('a worker acts', async () => (await site.paged((await site.press()).id)).by === 'edge-1')
  expect(await site.program.get('/healthz')).toMatchObject({ status: 200 })
})
