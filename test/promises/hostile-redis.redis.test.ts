import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanUp, passed, until } from './program.ts'
import { cameraPassword, doorPassword, type Pressed, WorkerSite, workerNames } from './worker-site.ts'

/** Whoever may read Redis learns nothing, and whoever may write to it opens no door, locks none, and tells nobody. */
let site: WorkerSite
let redis: Redis
const namespace = 'duress-bridge'
const boxes = workerNames.flatMap((name) => [`to-${name}`, `from-${name}`])

beforeAll(async () => {
  site = await WorkerSite.start()
  redis = new Redis(site.redis.url, { maxRetriesPerRequest: null })
})

afterAll(async () => {
  redis?.disconnect()
  await site?.close()
  await cleanUp()
})

/** Sealed bytes of every entry that passes while `during` runs, by box: a thief at the wire. */
const overheard = async (during: () => Promise<unknown>): Promise<Map<string, Buffer[]>> => {
  const { host, port } = site.redis
  const spy = connect(port, host)
  let heard = ''
  spy.setEncoding('latin1').on('data', (text: string) => {
    heard += text
  })
  spy.write('MONITOR\r\n')
  await until('the spy listens', () => heard.startsWith('+OK'))
  await during()
  // Canaries go to each of them twice a second.
  const seen = await until('something was heard of every box', () => {
    const all = sealedIn(heard)
    return [...all.values()].every((sealed) => sealed.length > 0) ? all : null
  })
  spy.destroy()
  return seen
}

const sealedIn = (heard: string): Map<string, Buffer[]> => {
  const seen = new Map(boxes.map((box) => [box, [] as Buffer[]]))
  for (const line of heard.split('\r\n')) {
    const parcel = /(to-edge-\d):.*\\"sealed\\":\\"([A-Za-z0-9+/=]+)/.exec(line)
    const report = /"rpush" "[^"]*:(from-edge-\d)" "(.*)"$/i.exec(line)
    if (parcel) seen.get(parcel[1] as string)?.push(Buffer.from(parcel[2] as string, 'base64'))
    if (report) seen.get(report[1] as string)?.push(unescaped(report[2] as string))
  }
  return seen
}

/** Bytes as Redis shows them to whoever watches. */
const unescaped = (text: string): Buffer => {
  const letters: { [letter: string]: string } = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }
  const plain = text.replace(/\\(x([0-9a-f]{2})|.)/g, (_all, letter: string, hex: string | undefined) =>
    hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (letters[letter] ?? letter),
  )
  return Buffer.from(plain, 'latin1')
}

const isReports = (box: string): boolean => box.startsWith('from-')

/** Puts something into a box: what a worker takes is an entry of BullMQ, what the bridge hears an element of a list. */
const push = async (box: string, all: readonly unknown[]) => {
  if (isReports(box)) {
    for (const one of all)
      await redis.rpush(`${namespace}:${box}`, Buffer.isBuffer(one) ? one : JSON.stringify(one))
    return
  }
  const queue = new Queue(box, { connection: redis, prefix: namespace, skipMetasUpdate: true })
  const options = { removeOnComplete: true, removeOnFail: true }
  for (const one of all)
    await queue.add('parcel', Buffer.isBuffer(one) ? { sealed: one.toString('base64') } : one, options)
  await queue.close()
}

/** The list in which the entries of a box wait. */
const listOf = (box: string): string => `${namespace}:${box}${isReports(box) ? '' : ':wait'}`

/** Everything that has reached the targets. */
const done = () => ({
  pages: site.centre.all.length,
  doors: site.doors.journal.all.filter(({ what }) => /^(Lock|Unlock)/.test(what)).length,
})

/** Until the bridge and its workers have taken all that was pushed before, and are well. */
const digested = async () => {
  await until('boxes are empty', async () => {
    const waiting = await Promise.all(boxes.map((box) => redis.llen(listOf(box))))
    return waiting.every((length) => length < 3)
  })
  await site.fit('edge-1', 'edge-2')
}

const alive = () => {
  expect(site.program.isAlive).toBe(true)
  for (const worker of site.workers.values()) expect(worker.isAlive).toBe(true)
  for (const { stderr } of [site.program, ...site.workers.values()]) expect(stderr).not.toContain('DEFECT')
}

const weapons = async (): Promise<{ room: number; pressed: Pressed }> => {
  const room = site.room()
  const pressed = await site.press(room, 'weapon')
  await site.program.settled(pressed.id)
  return { room, pressed }
}

test('no secret, name, place or word of a message is ever in Redis, nor a key or password in a log', async () => {
  const { pressed } = await weapons()
  await site.program.post(`/v1/incidents/${pressed.id}/acknowledge`, { by: 'Officer Dibble' })
  await site.program.post(`/v1/incidents/${pressed.id}/resolve`, { as: 'drill' })
  await digested()
  const keys = Object.values(site.keys).map((file) => readFileSync(file, 'utf8').trim())
  const secrets = [...keys, doorPassword, cameraPassword]
  const words = [
    ...[
      'Saint Elsewhere',
      'manor',
      'ward-1',
      'WEAPON',
      'weapon',
      'duress ',
      'Dibble',
      'security',
      'supervisor',
    ],
    ...[
      'page.send',
      'door.lockdown',
      'LockDown',
      'axis-door',
      'CENTRE_TOKEN',
      'onvif',
      'http://',
      pressed.id,
    ],
    ...[site.centre.url, '/security'],
  ]
  const kept = Buffer.concat([await site.redis.dump(), await site.redis.aof()])
  expect(kept.length).toBeGreaterThan(10_000)
  // What it is sealed in is base64: that of the words, at each of its three offsets, would be in it, too.
  const found = [...secrets, ...words].filter((word) =>
    [word, ...asBase64(word)].some((form) => kept.includes(form)),
  )
  expect(found).toEqual([])
  for (const { stderr, stdout } of [site.program, ...site.workers.values()])
    for (const secret of secrets) expect(`${stderr}${stdout}`).not.toContain(secret)
})

/** How base64 shows a text inside of others, without what depends on its neighbours. */
const asBase64 = (text: string): string[] =>
  [0, 1, 2].map((shift) =>
    Buffer.from('\0'.repeat(shift) + text)
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, Math.floor(((text.length + shift) * 8) / 6)),
  )

test('parcels and reports shown again, changed, or in another box: nothing is done twice, nothing is locked', async () => {
  let room = 0
  const seen = await overheard(async () => {
    room = (await weapons()).room
  })
  const before = done()
  const all = [...seen.values()].flat()
  const flipped = all.map((sealed) => {
    const bytes = Buffer.from(sealed)
    const at = Math.floor(Math.random() * bytes.length)
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(Math.random() * 8))
    return bytes
  })
  // The right ones again, the other's, the other direction's, and bits changed.
  for (const box of boxes) await push(box, [...all, ...flipped])
  await digested()
  // And to another life of a worker.
  await site.worker('edge-1').kill()
  await site.work('edge-1')
  await push('to-edge-1', all)
  await site.fit('edge-1')
  await digested()
  expect(done()).toEqual(before)
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])
  alive()
})

test('garbage in boxes, openings and marks: nobody falls, and everybody is told', async () => {
  const garbage = [
    ...[
      {},
      null,
      7,
      'x',
      [],
      { sealed: 7 },
      { sealed: '' },
      { sealed: null },
      { sealed: '!' },
      { sealed: {} },
    ],
    ...[1, 44, 45, 61, 62, 5_000].map((size) => ({ sealed: randomBytes(size).toString('base64') })),
    { sealed: 'A'.repeat(2_000_000) },
  ]
  for (const box of boxes) {
    await push(box, [...garbage, randomBytes(5_000), Buffer.alloc(0)])
    if (isReports(box)) continue
    // Ids of entries that are none, and entries that are no hash.
    await redis.lpush(`${namespace}:${box}:wait`, 'nobody', '', '0:1')
    await redis.set(`${namespace}:${box}:strange`, 'x')
    await redis.lpush(`${namespace}:${box}:wait`, 'strange')
    await redis.zadd(`${namespace}:${box}:marker`, 0, '0')
  }
  for (const name of workerNames) await redis.set(`${namespace}:left:to-${name}`, randomBytes(500))
  const pressed = await site.press()
  await site.paged(pressed.id)
  site.neverLate(pressed)
  for (const box of boxes) await redis.del(`${namespace}:${box}:strange`)
  await digested()
  alive()
  await until('a worker acts', async () => (await site.paged((await site.press()).id)).by !== 'bridge')
})

test('marks forged and deleted as fast as they come: everybody is told, no door moves twice', async () => {
  let over = false
  const vandal = redis.duplicate()
  const wrecks = (async () => {
    for (let n = 0; !over; n++) {
      for (const key of await vandal.keys(`${namespace}:mark:*`))
        if (n % 2 === 0) await vandal.del(key)
        else await vandal.hset(key, 'owner', randomBytes(80), '0', randomBytes(80), '1', 'taken back')
    }
  })()
  const presses: { room: number; pressed: Pressed }[] = []
  for (let n = 0; n < 4; n++) presses.push(await weapons())
  over = true
  await wrecks
  vandal.disconnect()
  for (const { room, pressed } of presses) {
    // A deleted mark says that nothing was begun: then somebody may be told a second time.
    expect(site.pages(pressed.id).length).toBeGreaterThan(0)
    expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown'])
  }
  alive()
})

test('boxes of the wrong kind: the bridge acts itself, and uses the workers again when they are right', async () => {
  for (const box of boxes) {
    await redis.del(listOf(box))
    await redis.set(listOf(box), 'x')
  }
  const pressed = await site.press()
  await site.paged(pressed.id)
  await passed(pressed.at + 2_000)
  const other = await site.press()
  expect((await site.paged(other.id)).by).toBe('bridge')
  for (const box of boxes) await redis.del(listOf(box))
  await digested()
  alive()
})
