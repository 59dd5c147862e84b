import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { catalogue } from '../../connectors/index.ts'
import { SystemClock } from '../../core/clock.ts'
import { redisCarrier } from '../../core/runner/redis.ts'
import { readKey, Seal } from '../../core/runner/seal.ts'
import { Worker } from '../../core/runner/worker.ts'
import { startRedis } from '../redis/server.ts'
import { until } from './program.ts'
import { keyFile, WorkerProgram } from './worker.ts'
import { cameraPassword, doorPassword, testSite, WorkerSite } from './worker-site.ts'

/** Workers that are not there yet, are not who they say, or are two. */

test('away at the start, Redis too: the bridge acts itself, and takes them up when they come', async () => {
  const redis = await startRedis()
  const site = await WorkerSite.lay({ redis })
  onTestFinished(() => site.close())
  await redis.kill()
  await site.program.start()
  const first = await site.press()
  expect((await site.paged(first.id)).by).toBe('bridge')
  await site.fault('queue', /^Redis is not connected: .*; the bridge acts itself$/)
  await redis.start()
  await site.fault('worker:edge-1', /^worker edge-1: it has never answered.*; the bridge acts itself$/)
  const second = await site.press()
  expect((await site.paged(second.id)).by).toBe('bridge')
  await site.work('edge-2')
  await site.fit('edge-2')
  await until(
    'the second of the list acts',
    async () => (await site.paged((await site.press()).id)).by === 'edge-2',
  )
})

test('with another key: nothing runs there, a fault says so, and the bridge acts itself', async () => {
  const site = await testSite({ workers: [] })
  const worker = await site.work('edge-1', { key: keyFile(site.dir, 'wrong') })
  await site.fault('worker-mistaken:edge-1', /^worker edge-1: what comes from it can not be opened: .*key/)
  const pressed = await site.press(site.room(), 'weapon')
  await site.program.settled(pressed.id)
  expect(site.pages(pressed.id).map(({ by }) => by)).toEqual(['bridge'])
  expect(worker.stderr).toContain('not sealed by our bridge')
  expect(worker.stderr).not.toContain('opening links')
  // Said once, not twice a second.
  expect(worker.stderr.match(/not sealed by our bridge/g)).toHaveLength(1)
  await worker.kill()
  await site.work('edge-1')
  await site.fit('edge-1')
})

test('two of one name: both are unused, a fault says so, and nobody is told twice', async () => {
  const site = await testSite({ workers: ['edge-1'] })
  const env = { CENTRE_TOKEN: 'edge-1', DOOR_PASSWORD: doorPassword, CAMERA_PASSWORD: cameraPassword }
  const twin = new WorkerProgram('edge-1', site.keys['edge-1'], site.wires.workers.url, { env })
  await twin.start()
  const presses = []
  for (let n = 0; n < 6; n++) {
    const pressed = await site.press(site.room(), 'weapon')
    presses.push(pressed)
    await site.paged(pressed.id)
  }
  await site.fault(
    'worker-mistaken:edge-1',
    /^worker edge-1: two processes use its name; the bridge acts itself$/,
  )
  for (const pressed of presses) {
    await site.program.settled(pressed.id)
    site.neverLate(pressed)
  }
  for (let room = 1; room <= 6; room++) expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])
  await twin.kill()
  await site.fit('edge-1')
})

test('of a version that does not know a connector: a fault says so, its other links are used, and the bridge acts itself there', async () => {
  const site = await testSite({ workers: [] })
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const clock = new SystemClock()
  const carrier = redisCarrier({ url: site.wires.workers.url, namespace: 'duress-bridge' }, clock, log)
  const older = new Worker({
    name: 'edge-1',
    seal: new Seal(readKey(readFileSync(site.keys['edge-1'], 'utf8')), 'edge-1', 'worker'),
    carrier,
    catalogue: new Map([...catalogue].filter(([type]) => type !== 'onvif')),
    clock,
    log,
    secret: async () => 'edge-1',
    random: Math.random,
  })
  older.start()
  onTestFinished(async () => {
    await older.stop(0)
    await carrier.close()
  })
  await site.fit('edge-1')
  await site.fault('worker-link:edge-1', /cameras .*: this worker does not know the connector onvif/)
  // The only room that the camera sees is the first.
  const { id } = await site.press(site.room(), 'weapon')
  expect(await site.program.receipt(id, 'camera.snapshot', 'camera')).toMatchObject({ end: 'done' })
  await until('it acts', async () => (await site.paged((await site.press()).id)).by === 'edge-1')
})
