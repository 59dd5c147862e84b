import { afterEach, expect, test } from 'vitest'
import { type Hospital, hospital } from './fixtures/hospital.ts'

/** Phones: a token for each, positions, addresses, check-ins, and who carries what. */

let open: Hospital | null = null
afterEach(async () => open?.close())

const phone = { authorization: 'Bearer phone-secret' }
const start = async (token?: string): Promise<Hospital> => {
  open = await hospital({
    ...(token === undefined ? {} : { token }),
    deviceTokens: new Map([['badge-7', 'phone-secret']]),
  })
  return open
}

test('a phone presses for itself, whatever device or person it names', async () => {
  const { ask, machine } = await start('main-secret')
  const body = { device: 'button', person: 'Somebody Else', kind: 'man-down' }
  const pressed = await ask('/v1/presses', body, phone)
  expect(pressed.status).toBe(201)
  const { incident } = machine.book.page(pressed.body.incident)!
  expect(incident).toMatchObject({ kind: 'man-down', devices: ['badge-7'], persons: ['Ada Example'] })
})

test('a phone sees nothing, and does nothing but press and check in', async () => {
  const { ask } = await start('main-secret')
  for (const path of ['/v1/incidents', '/v1/devices', '/v1/check-ins', '/v1/assignments', '/v1/stream'])
    expect((await ask(path, undefined, phone)).status).toBe(403)
  for (const path of ['/v1/devices/badge-7/assign', '/v1/devices/badge-7/locate', '/v1/location-walks'])
    expect(
      (await ask(path, { person: 'x', why: 'x', device: 'badge-7', unit: 'north/ed' }, phone)).status,
    ).toBe(403)
})

test('a wrong token is refused, also where the API has none of its own for others', async () => {
  const { ask } = await start('main-secret')
  const refused = await ask('/v1/presses', {}, { authorization: 'Bearer phone-secre' })
  expect(refused.status).toBe(401)
  expect(JSON.stringify(refused.body)).not.toContain('phone-secret')
})

test('a press says its place, its position or an address', async () => {
  const { ask, machine } = await start()
  const locate = async (body: object) => {
    const { body: answer } = await ask('/v1/presses', { from: JSON.stringify(body), ...body })
    return machine.book.page(answer.incident)!.incident.location
  }
  expect(await locate({ place: 'north/ed/desk' })).toMatchObject({
    place: 'north/ed/desk',
    precision: 'room',
  })
  expect(await locate({ place: 'north/ed/desk', precision: 'unit' })).toMatchObject({ precision: 'unit' })
  expect(await locate({ place: 'no/such/place' })).toMatchObject({ place: null })
  expect(await locate({ address: '12 Oak St' })).toMatchObject({ place: null, address: '12 Oak St' })
  const position = { latitude: 41.9, longitude: -87.7, accuracyM: 12 }
  expect(await locate({ position })).toMatchObject({ place: null, from: 'gps', position })
})

test.each([
  { position: { latitude: 91, longitude: 0 } },
  { position: { latitude: 'north', longitude: 0 } },
  { precision: 'exactly' },
])('%j is refused in words', async (body) => {
  const { ask } = await start()
  const { status, body: said } = await ask('/v1/presses', body)
  expect(status).toBe(400)
  expect(said.error.code).toBe('BAD_REQUEST')
})

test('a lone worker begins, extends and ends a check-in', async () => {
  const { ask, machine } = await start('main-secret')
  const begun = await ask('/v1/check-ins', { by: '23:59', address: '12 Oak St', note: 'dog' }, phone)
  expect(begun.status).toBe(201)
  expect(begun.body).toMatchObject({ device: 'badge-7', address: '12 Oak St', note: 'dog' })
  const until = new Date(machine.clock.now() + 3_600_000).toISOString()
  const extended = await ask(`/v1/check-ins/${begun.body.id}/extend`, { by: until }, phone)
  expect(extended.body.until).toBe(Date.parse(until))
  const main = { authorization: 'Bearer main-secret' }
  expect((await ask('/v1/check-ins', undefined, main)).body.checkIns).toHaveLength(1)
  expect((await ask(`/v1/check-ins/${begun.body.id}/done`, {}, phone)).status).toBe(200)
  expect((await ask(`/v1/check-ins/${begun.body.id}/done`, {}, phone)).status).toBe(404)
})

test.each(['25:00', 'soon', '2001-01-01', '2099-01-01'])('a check-in by %s is refused', async (by) => {
  const { ask } = await start()
  expect((await ask('/v1/check-ins', { by, person: 'A' })).status).toBe(400)
})

test('a badge is handed out, named in its presses, and taken back', async () => {
  const { ask } = await start()
  await ask('/v1/devices/button/assign', { person: 'J. Ortiz', role: 'RN', until: '23:59' })
  const { assignments } = (await ask('/v1/assignments')).body
  expect(assignments).toEqual([
    expect.objectContaining({ device: 'button', person: 'J. Ortiz', stale: false }),
  ])
  await ask('/v1/devices/button/return', {})
  expect((await ask('/v1/assignments')).body.assignments).toEqual([])
  expect((await ask('/v1/devices/nothing/assign', { person: 'x' })).status).toBe(404)
})

test('where a badge is without an incident is told only with a reason, which stands on the trail', async () => {
  const { ask, script, machine } = await start()
  const at = machine.clock.now()
  script.ctx!.note('badge-7', { sighting: { place: 'north/ed/desk', precision: 'room', from: 'badge', at } })
  expect((await ask('/v1/devices/badge-7/locate', {})).status).toBe(400)
  const { body } = await ask('/v1/devices/badge-7/locate', { why: 'did not come back from break' })
  expect(body.location.place).toBe('north/ed/desk')
  const rows = await machine.store.trail(0, 100)
  expect(JSON.stringify(rows)).toContain('did not come back from break')
  const { devices } = (await ask('/v1/devices')).body
  const badge = devices.find(({ name }: { name: string }) => name === 'badge-7')
  expect(JSON.stringify(badge)).not.toContain('north/ed/desk')
})

test('a location walk by the API: begin, tap, end, score', async () => {
  const { ask, script, machine } = await start()
  const begun = await ask('/v1/location-walks', { device: 'badge-7', unit: 'north/ed' })
  expect(begun.body.rooms.map(({ path }: { path: string }) => path)).toEqual([
    'north/ed/triage',
    'north/ed/desk',
  ])
  const path = `/v1/location-walks/${begun.body.id}`
  await ask(`${path}/tap`, { place: 'north/ed/triage' })
  const sighting = {
    place: 'north/ed/triage',
    precision: 'room',
    from: 'badge',
    at: machine.clock.now(),
  } as const
  script.ctx!.note('badge-7', { sighting })
  const { body } = await ask(`${path}/end`, {})
  expect(body.score).toMatchObject({ rooms: 1, right: 1, wrong: [], missing: ['north/ed/desk'] })
  expect((await ask(`${path}/tap`, { place: 'north/ed/desk' })).status).toBe(409)
  expect((await ask('/v1/location-walks')).body.walks).toHaveLength(1)
})

test('coverage lists the gaps', async () => {
  const { ask } = await start()
  const { gaps } = (await ask('/v1/coverage')).body
  expect(Array.isArray(gaps)).toBe(true)
})
