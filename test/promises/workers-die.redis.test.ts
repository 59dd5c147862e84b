import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanUp, passed, until } from './program.ts'
import { escalatesMs, fireInput, fireRoom, type Pressed, soonMs, WorkerSite } from './worker-site.ts'

/** Workers that are away, die or stand still: another acts in time, and what is late is never done (promises 3 and 4). */
let site: WorkerSite

beforeAll(async () => {
  site = await WorkerSite.start()
})

afterAll(async () => {
  await site?.close()
  await cleanUp()
})

const frozen = async (during: () => Promise<void>, standsMs = 0) => {
  const until = Date.now() + standsMs
  for (const worker of site.workers.values()) worker.signal('SIGSTOP')
  try {
    await during()
    await passed(until)
  } finally {
    for (const worker of site.workers.values()) worker.signal('SIGCONT')
  }
  await site.fit('edge-1', 'edge-2')
}

/** What comes to rest after the workers are back, and a press that they act for. */
const settle = async () => {
  const { id } = await site.press()
  await site.paged(id)
  await site.program.receipt(id, 'page.send', 'security')
}

test('a worker is killed under load: everybody is told in time, the second worker acts, and the first one again once it is back', async () => {
  const presses: Pressed[] = []
  for (let n = 0; n < 6; n++) {
    presses.push(await site.press())
    if (n === 2) await site.worker('edge-1').kill()
  }
  for (const pressed of presses) {
    const page = await site.paged(pressed.id)
    expect(page.at - pressed.at).toBeLessThan(soonMs)
    expect(await site.program.receipt(pressed.id, 'page.send', 'security')).toMatchObject({ end: 'done' })
    site.neverLate(pressed)
  }
  expect(await site.unfit('edge-1')).toMatch(/not answered|missed the start/)
  await site.fault('worker:edge-1', /^worker edge-1: it has not answered for \d+ s; the bridge acts itself$/)
  const alone = await site.press()
  expect((await site.paged(alone.id)).by).not.toBe('edge-1')

  await site.work('edge-1')
  await site.fit('edge-1')
  await until('edge-1 acts again', async () => (await site.paged((await site.press()).id)).by === 'edge-1')
})

test('workers stand still for 20 s with orders in hand: the bridge acts, and nothing of them comes when they go on', async () => {
  const presses: Pressed[] = []
  const room = site.room()
  await frozen(async () => {
    const weapon = await site.press(room, 'weapon')
    presses.push(weapon, await site.press(), await site.press())
    for (const { id, at } of presses) expect((await site.paged(id)).at - at).toBeLessThan(soonMs)
    expect(await site.program.receipt(weapon.id, 'door.lockdown', `door-${room}`)).toMatchObject({
      end: 'done',
      proof: 'confirmed',
    })
    for (const { id } of presses) expect(site.pages(id).every(({ by }) => by === 'bridge')).toBe(true)
    // Released before they go on: a late lock would be seen.
    await site.program.post(`/v1/incidents/${weapon.id}/resolve`, { as: 'false-alarm' })
    await until('the door is released', () => site.modes(room).at(-1) === 'Unlocked')
  }, 20_000)
  await settle()
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown', 'Unlocked'])
  for (const pressed of presses) {
    site.neverLate(pressed)
    expect(site.pages(pressed.id).every(({ by }) => by === 'bridge')).toBe(true)
  }
})

test('a worker stands still between a refused login and the lock itself: the lock is not sent when it goes on', async () => {
  const room = site.room()
  // Every session is forgotten, so that the next command is refused first, and the answer takes its time.
  await site.doors.reboot(50)
  site.doors.behave({ is: 'slow', ms: 600 })
  const weapon = await site.press(room, 'weapon')
  await passed(weapon.at + 400)
  await frozen(async () => {
    await site.program.receipt(weapon.id, 'door.lockdown', `door-${room}`)
    site.doors.behave({ is: 'normal' })
    await site.program.post(`/v1/incidents/${weapon.id}/resolve`, { as: 'false-alarm' })
    await until('the door is released', () => site.modes(room).join(' ') === 'Unlocked LockedDown Unlocked')
  })
  await settle()
  await passed(Date.now() + 1_000)
  expect(site.modes(room)).toEqual(['Unlocked', 'LockedDown', 'Unlocked'])
})

test('acknowledged while an escalation waits at a worker that stands still: it is taken back (row 31)', async () => {
  const { id, at } = await site.press()
  await site.paged(id)
  await passed(at + escalatesMs - 400)
  let answeredAt = 0
  await frozen(async () => {
    await until('it escalates', () => escalates(id))
    await site.program.post(`/v1/incidents/${id}/acknowledge`)
    answeredAt = Date.now()
    await site.program.receipt(id, 'page.send', 'supervisor')
  })
  await settle()
  const told = site.pages(id, 'supervisor')
  expect(told.filter(({ at }) => at > answeredAt)).toEqual([])
  const receipt = await site.program.receipt(id, 'page.send', 'supervisor')
  expect(receipt.end).toBe(told.length > 0 ? 'done' : 'cancelled')
})

/** Whether the second step is there, a moment after it fell due. */
const escalates = async (id: string) =>
  (await site.program.incident(id)).commands.some(({ target }) => target === 'supervisor')

test('fire while a lock waits at a worker that stands still: the door ends released, and stays so', async () => {
  await until('nothing burns', async () => {
    const { body } = await site.program.get('/v1/doors')
    return body.doors.find(({ name }: { name: string }) => name === `door-${fireRoom}`)?.fire === 'clear'
  })
  await frozen(async () => {
    await site.press(fireRoom, 'weapon')
    site.panel.set(fireInput, true)
    await until('the lock is over', async () => {
      const { body } = await site.program.get('/v1/doors')
      const door = body.doors.find((one: { name: string }) => one.name === `door-${fireRoom}`)
      return door.fire === 'active' && door.holds.length === 0
    })
  })
  await settle()
  await until('the door is released', () => site.modes(fireRoom).at(-1) === 'Unlocked')
  expect(['Unlocked', 'Unlocked LockedDown Unlocked']).toContain(site.modes(fireRoom).join(' '))
})
