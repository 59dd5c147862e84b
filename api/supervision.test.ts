import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Hospital, hospital, until } from './fixtures/hospital.ts'

let at: Hospital
beforeEach(async () => {
  at = await hospital()
  await until(() => at.machine.runner.isUp('wire'), Boolean)
})
afterEach(() => at.close())

const device = async (name: string) =>
  (await at.ask('/v1/devices')).body.devices.find((one: any) => one.name === name)
const remove = async (path: string) => {
  const response = await fetch(at.api.url + path, { method: 'DELETE' })
  return { status: response.status, body: (await response.json()) as any }
}
const sendCsv = async (text: string, type = 'text/csv') => {
  const post = { method: 'POST', headers: { 'content-type': type }, body: text }
  const response = await fetch(`${at.api.url}/v1/register.csv`, post)
  return { status: response.status, body: (await response.json()) as any }
}
/** A press by the device's own wire. */
const press = (name: string) =>
  at.script.ctx!.record({
    is: 'press',
    phase: 'active',
    device: name,
    from: name,
    key: `${name}-1`,
    raw: null,
  })

describe('devices', () => {
  test('say how they stand and why, and are counted', async () => {
    const { body } = await at.ask('/v1/devices')
    expect(await device('button')).toMatchObject({
      stands: 'fine',
      standsWhy: expect.any(String),
      worn: false,
      test: null,
      service: null,
    })
    const total = Object.values(body.counts as Record<string, number>).reduce((sum, n) => sum + n, 0)
    expect(total).toBe(body.devices.length)
    expect(Object.keys(body.counts)).toContain('never-tested')
  })

  test('are counted alone, with what is in service mode and in a walk test', async () => {
    await at.ask('/v1/devices/button/service', { for: '2h', because: 'new cable' })
    await at.ask('/v1/walk-tests', { devices: ['desk-button'] })
    const { body } = await at.ask('/v1/devices?only=counts')
    expect(Object.keys(body)).toEqual(['counts', 'service', 'walkTests'])
    expect(body.counts.service).toBe(1)
    expect(body.service).toMatchObject([{ device: 'button', why: 'new cable' }])
    expect(body.walkTests).toMatchObject([{ devices: ['desk-button'] }])
    expect((await at.ask('/v1/devices?only=names')).status).toBe(400)
  })

  test('are measured by how they stand', async () => {
    const { body } = await at.ask('/metrics')
    expect(body).toMatch(/duress_devices\{stands="lost"\} \d/)
    expect(body).toMatch(/duress_devices\{stands="proven"\} 0/)
  })

  test('on a link that is down are lost', async () => {
    const lonely = await until(
      () => device('lonely'),
      ({ standsWhy }) => standsWhy.includes('nobody answers'),
    )
    expect(lonely.stands).toBe('lost')
  })
})

describe('service mode', () => {
  test('begins, is shown, and ends', async () => {
    const begun = await at.ask('/v1/devices/button/service', { for: '2h', because: 'new cable' })
    expect(begun.status).toBe(200)
    expect(begun.body.service).toMatchObject({ why: 'new cable', by: 'local' })
    expect(await device('button')).toMatchObject({ stands: 'service', mode: 'service' })
    expect((await remove('/v1/devices/button/service')).status).toBe(200)
    expect((await device('button')).stands).toBe('fine')
    expect((await remove('/v1/devices/button/service')).status).toBe(404)
  })

  test.each([
    ['9h', 400],
    ['0s', 400],
    ['for ever', 400],
    ['8h', 200],
  ])('for %s: %i', async (time, status) => {
    expect((await at.ask('/v1/devices/button/service', { for: time, because: 'new cable' })).status).toBe(
      status,
    )
  })

  test('of a device that does not exist is refused', async () => {
    const { status, body } = await at.ask('/v1/devices/nothing/service', { for: '1h', because: 'new cable' })
    expect([status, body.error.code]).toEqual([404, 'UNKNOWN_DEVICE'])
  })
})

describe('a walk test', () => {
  test('makes tests of presses, and its outputs prove the device', async () => {
    const { status, body } = await at.ask('/v1/walk-tests', { devices: ['button'], for: '30m' })
    expect(status).toBe(201)
    expect((await at.ask('/v1/walk-tests')).body.walkTests).toEqual([body.walkTest])
    const { incident } = await press('button')
    const resolved = await until(
      async () => (await at.ask(`/v1/incidents/${incident}`)).body.incident,
      (one) => one.resolved !== null,
    )
    expect(resolved).toMatchObject({
      drill: true,
      mode: 'walk-test',
      resolved: { as: 'test', note: 'proven' },
    })
    expect((await device('button')).test.proof).toMatchObject({ how: 'walk-test', by: 'local' })
    expect((await remove(`/v1/walk-tests/${body.walkTest.id}`)).status).toBe(200)
    expect((await at.ask('/v1/walk-tests')).body.walkTests).toEqual([])
  })

  test('is not proven by outputs that failed', async () => {
    at.script.pagesFail = true
    await at.ask('/v1/walk-tests', { place: 'north/ed/triage' })
    await press('button')
    const { test: tested } = await until(
      () => device('button'),
      (one) => one.test !== null,
    )
    expect(tested).toMatchObject({ proof: null, failed: { why: expect.stringContaining('unknown pager') } })
  })

  test.each([
    ['nothing named', {}, 'BAD_REQUEST'],
    ['both named', { devices: ['button'], place: 'north' }, 'BAD_REQUEST'],
    ['an unknown device', { devices: ['nothing'] }, 'UNKNOWN_DEVICE'],
    ['what is not pressed', { devices: ['door-ed'] }, 'INVALID_ARGS'],
    ['an unknown place', { place: 'south' }, 'INVALID_ARGS'],
    ['longer than 8 hours', { devices: ['button'], for: '9h' }, 'BAD_REQUEST'],
  ])('with %s is refused', async (_what, asked, code) => {
    expect((await at.ask('/v1/walk-tests', asked)).body.error.code).toBe(code)
    expect((await at.ask('/v1/walk-tests')).body.walkTests).toEqual([])
  })

  test('by its wearer: with the token of the device, for itself, for 60 s', async () => {
    const phone = { authorization: 'Bearer phone-secret' }
    await at.close()
    at = await hospital({ token: 'main-secret', deviceTokens: new Map([['badge-7', 'phone-secret']]) })
    await until(() => at.machine.runner.isUp('wire'), Boolean)
    const { status, body } = await at.ask('/v1/devices/badge-7/self-test', {}, phone)
    expect(status).toBe(200)
    expect(body.until - at.machine.clock.now()).toBeLessThanOrEqual(60_000)
    const pressed = await at.ask('/v1/presses', {}, phone)
    await until(
      () => at.machine.supervision.proofs.of('badge-7')?.proof,
      (proof) => proof?.how === 'walk-test' && proof.by === 'badge-7',
    )
    expect(pressed.status).toBe(201)
    expect((await at.ask('/v1/devices/button/self-test', {}, phone)).status).toBe(403)
    expect((await at.ask('/v1/walk-tests', { devices: ['badge-7'] }, phone)).status).toBe(403)
    expect((await at.ask('/v1/devices/badge-7/self-test', {})).status).toBe(401)
  })

  test('by its wearer is for what is worn', async () => {
    expect((await at.ask('/v1/devices/button/self-test', {})).status).toBe(400)
  })
})

describe('an inspection', () => {
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    Buffer.alloc(100),
  ])
  const inspect = (photo?: string) =>
    at.ask('/v1/devices/button/inspection', {
      damaged: true,
      note: 'cover torn off',
      ...(photo === undefined ? {} : { photo }),
    })

  test('with a note and a picture marks a device as damaged', async () => {
    const { status, body } = await inspect(png.toString('base64'))
    expect(status).toBe(200)
    expect(body.inspection).toMatchObject({ damaged: true, note: 'cover torn off', by: 'local' })
    expect(await device('button')).toMatchObject({
      stands: 'damaged',
      faults: [{ id: 'damaged:button' }],
    })
  })

  test.each([
    ['no base64', 'a picture'],
    ['no picture', Buffer.from('<svg onload=alert(1)>').toString('base64')],
  ])('with %s is refused', async (_what, photo) => {
    const { status, body } = await inspect(photo)
    expect([status, body.error.code]).toEqual([400, 'BAD_REQUEST'])
    expect((await device('button')).inspection).toBeNull()
  })

  test('with more than 2 MB is refused', async () => {
    const { status } = await inspect(Buffer.concat([png, Buffer.alloc(2 * 1_048_576)]).toString('base64'))
    expect([400, 413]).toContain(status)
    expect((await device('button')).inspection).toBeNull()
  })
})

describe('the test register', () => {
  test('goes out as CSV, a line for each device', async () => {
    const { status, body } = await at.ask('/v1/register.csv')
    expect(status).toBe(200)
    expect(body.split('\r\n')[0]).toBe('device,at,by,note,how,outputs,stands,why,label,place')
    expect(body).toContain('button,')
  })

  test('comes in, and goes out again as it came', async () => {
    const { status, body } = await sendCsv('device,at,by,note\nbutton,2026-01-02T10:00:00Z,T. Ester,loud\n')
    expect([status, body]).toEqual([200, { taken: 1, older: 0 }])
    expect((await device('button')).test.proof).toMatchObject({ how: 'manual', by: 'T. Ester', note: 'loud' })
    const out = (await at.ask('/v1/register.csv')).body
    expect(out).toContain('button,2026-01-02T10:00:00.000Z,T. Ester,loud,manual')
    expect((await sendCsv(out)).body).toEqual({ taken: 0, older: 1 })
  })

  test('takes in nothing of a list with one wrong line, and names every wrong line', async () => {
    const { status, body } = await sendCsv(
      'device,at,by\nbutton,2026-01-02,T\nnobody,2026-01-02,T\nbutton,x,T\n',
    )
    expect(status).toBe(400)
    expect(body.error.problems.map(({ line }: any) => line)).toEqual([3, 4])
    expect(body.error.message).toContain('nothing was taken in')
    expect((await device('button')).test).toBeNull()
  })

  test('a newer test stays', async () => {
    await sendCsv('device,at,by\nbutton,2026-02-02,New\n')
    expect((await sendCsv('device,at,by\nbutton,2026-01-02,Old\n')).body).toEqual({ taken: 0, older: 1 })
    expect((await device('button')).test.proof.by).toBe('New')
  })

  test('is taken as CSV only, so that no foreign page can send one', async () => {
    expect((await sendCsv('device,at,by\n', 'text/plain')).status).toBe(415)
    expect((await sendCsv('{}', 'application/json')).status).toBe(415)
    const foreign = { 'content-type': 'text/csv', origin: 'https://elsewhere.example' }
    const post = { method: 'POST', headers: foreign, body: 'device,at,by\n' }
    expect((await fetch(`${at.api.url}/v1/register.csv`, post)).status).toBe(403)
  })

  test('a press that is sent as CSV is refused as before', async () => {
    const post = { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'device,at,by\n' }
    expect((await fetch(`${at.api.url}/v1/presses`, post)).status).toBe(415)
  })
})
