import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanUp, until } from './program.ts'
import { WorkerSite } from './worker-site.ts'

/**
 * Workers run outputs: the real program, real Redis, and targets that let only the workers in. What an order may lose on a
 * busy machine is the race against the grace; then the bridge tries, is refused, and the worker gets it again.
 */
let site: WorkerSite

beforeAll(async () => {
  site = await WorkerSite.start({ bridgeIsStranger: true })
})

afterAll(async () => {
  await site.close()
  await cleanUp()
})

test('a page, a lock with its reading back and a picture run on the worker, which alone has the passwords', async () => {
  const room = site.room()
  const { id } = await site.press(room, 'weapon')
  const commands = await site.program.settled(id)
  const receipt = (capability: string) => commands.find((one) => one.capability === capability)?.receipt

  expect(receipt('page.send')).toMatchObject({ end: 'done', proof: 'answered', effect: 'had' })
  expect(site.pages(id)[0]?.message).toMatchObject({ kind: 'weapon' })

  expect(receipt('door.lockdown')).toMatchObject({ end: 'done', proof: 'confirmed' })
  expect(await site.result(id, 'door.lockdown')).toMatchObject({ mode: 'lockdown' })
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])

  expect(receipt('camera.snapshot')).toMatchObject({ end: 'done', effect: 'had' })
  const { evidence } = await site.result(id, 'camera.snapshot')
  const kept = readdirSync(join(site.program.data, 'evidence'), { recursive: true })
  expect(kept.join(' ')).toContain(evidence)
})

test('the first worker of the list has the orders, and no target has one twice', async () => {
  const presses = []
  for (let n = 0; n < 5; n++) presses.push(await site.press())
  for (const { id } of presses) await site.paged(id)
  for (const { id } of presses) expect(await site.program.receipt(id, 'page.send', 'security')).toBeTruthy()
  const all = presses.flatMap(({ id }) => site.pages(id))
  expect(new Set(all.map((page) => page.id)).size).toBe(5)
  // A page that is there a second time says that it may be.
  const again = all.filter(({ id, at }) => all.some((other) => other.id === id && other.at < at))
  expect(again.every(({ message }) => message.possibleRepeat)).toBe(true)
  expect(all.some(({ by }) => by === 'edge-1')).toBe(true)
})

test('each link is shown for the bridge and for each worker', async () => {
  const links = await site.program.links()
  for (const name of ['edge-1', 'edge-2'])
    for (const connector of ['centre', 'doors', 'cameras'])
      expect(
        links.filter((link) => link.connector === connector && link.name.endsWith(` on ${name}`)),
      ).toEqual([expect.objectContaining({ up: true, why: null })])
})

test('what a worker learns of its devices, the bridge knows, though it can not log in there itself', async () => {
  await until('the camera is known to be well', async () => {
    const { body } = await site.program.get('/v1/devices')
    const camera = body.devices.find(({ name }: { name: string }) => name === 'camera')
    return camera.quality === 'good' && camera.seenAt !== null
  })
})
