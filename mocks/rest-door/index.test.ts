import { createHash } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { type RestDoors, startRestDoors } from './index.ts'

const west = 'Axis-accc8ea9abac:1550808050.595717000'
let mock: RestDoors<typeof west | 'ed-e' | 'plain'>
const start = async (more: Partial<Parameters<typeof startRestDoors>[0]> = {}) => {
  mock = await startRestDoors({
    username: 'root',
    password: 'right',
    token: 'open-sesame',
    doors: {
      [west]: { schedule: 'Unlocked', name: 'Main Door' },
      'ed-e': { schedule: 'Locked' },
      plain: { schedule: 'Locked', capabilities: {} },
    },
    ...more,
  })
  return mock
}
afterEach(() => mock.close())

const basic = `Basic ${Buffer.from('root:right').toString('base64')}`
const vapix = async (body: string, authorization = basic, signal?: AbortSignal) => {
  const response = await fetch(mock.vapix, {
    method: 'POST',
    headers: { Authorization: authorization },
    body,
    ...(signal ? { signal } : {}),
  })
  const text = await response.text()
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text }
}
const generic = async (method: string, path: string, body?: string, token = 'open-sesame') => {
  const response = await fetch(mock.url + path, {
    method,
    headers: { Authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  return { status: response.status, body: response.ok ? JSON.parse(text) : text }
}

test('VAPIX: lockdown, state and release in the payloads of a real controller', async () => {
  await start()
  expect(await vapix(`{"tdc:LockDownDoor":{"Token":"${west}"}}`)).toEqual({ status: 200, body: {} })
  await mock.journal.expect('LockDownDoor', ({ token }) => token === west)
  await mock.doors[west].expect('LockedDown')
  expect((await vapix(`{"tdc:GetDoorState":{"Token":"${west}"}}`)).body).toEqual({
    DoorState: { DoorPhysicalState: 'Closed', Alarm: 'Normal', DoorMode: 'LockedDown' },
  })
  await vapix(`{"tdc:LockDownReleaseDoor":{"Token":"${west}"}}`)
  await mock.journal.expect('LockDownReleaseDoor')
  expect(mock.doors[west].mode).toBe('Unlocked')
  mock.journal.verify()
})

test('VAPIX: a door without configuration has no capabilities, and refuses', async () => {
  await start()
  const { body } = await vapix('{"tdc:GetDoorInfoList":{}}')
  expect(body.DoorInfo[0]).toMatchObject({ token: west, Name: 'Main Door', Capabilities: { LockDown: true } })
  expect(body.DoorInfo[2].Capabilities).toEqual({})
  expect((await vapix('{"tdc:LockDownDoor":{"Token":"plain"}}')).body.FaultCode).toBe(
    'ter:ActionNotSupported',
  )
})

test('VAPIX: faults come as HTTP status, or as a body under HTTP 200', async () => {
  for (const [faults, statuses] of [
    ['status', [400, 500, 400, 500]],
    ['ok', [200, 200, 200, 200]],
  ] as const) {
    await start({ faults })
    mock.doors[west].refuses()
    const answers = [
      await vapix('{"tdc:LockDoor":{"Token":"nope"}}'),
      await vapix(`{"tdc:LockDoor":{"Token":"${west}"}}`),
      await vapix('{"tdc:'),
      await vapix(`{"tdc:OpenSesame":{"Token":"${west}"}}`),
    ]
    expect(answers.map(({ status }) => status)).toEqual(statuses)
    expect(answers.map(({ body }) => body.FaultCode)).toEqual([
      'ter:InvalidArgs',
      'ter:Action',
      'ter:WellFormed',
      'ter:ActionNotSupported',
    ])
    if (faults === 'status') await mock.close()
  }
})

test('HTTP digest is challenged, checked, and never accepted twice', async () => {
  await start()
  const first = await fetch(mock.vapix, { method: 'POST', body: '{}' })
  expect(first.status).toBe(401)
  const [, realm, nonce] = /Digest realm="(.*?)", qop="auth", algorithm=MD5, nonce="(.*?)"/.exec(
    first.headers.get('www-authenticate') as string,
  ) as RegExpExecArray
  const md5 = (text: string) => createHash('md5').update(text).digest('hex')
  const sign = (password: string) => {
    const response = md5(
      `${md5(`root:${realm}:${password}`)}:${nonce}:00000001:c0ffee:auth:${md5('POST:/vapix/doorcontrol')}`,
    )
    return `Digest username="root", realm="${realm}", nonce="${nonce}", uri="/vapix/doorcontrol", qop=auth, nc=00000001, cnonce="c0ffee", response="${response}"`
  }
  const ask = `{"tdc:GetDoorState":{"Token":"${west}"}}`
  expect((await vapix(ask, sign('wrong'))).status).toBe(401)
  expect((await vapix(ask, sign('right'))).status).toBe(200)
  const again = await fetch(mock.vapix, {
    method: 'POST',
    headers: { Authorization: sign('right') },
    body: ask,
  })
  expect(again.status).toBe(401)
  expect(again.headers.get('www-authenticate')).toContain('stale=true')
  expect(mock.journal.count('not-authorized')).toBe(2)
})

test('generic: modes are set and read with a bearer token', async () => {
  await start()
  expect(await generic('GET', '/ed-e')).toEqual({
    status: 200,
    body: { mode: 'normal', locked: true, open: false },
  })
  for (const [mode, is] of [
    ['lockdown', 'LockedDown'],
    ['normal', 'Locked'],
    ['secure', 'Locked'],
  ] as const) {
    expect(await generic('PUT', '/ed-e/mode', `{"mode":"${mode}"}`)).toEqual({ status: 200, body: { mode } })
    await mock.journal.expect('setMode', (detail) => detail.token === 'ed-e' && detail.mode === mode)
    expect(mock.doors['ed-e'].mode).toBe(is)
    expect((await generic('GET', '/ed-e')).body.mode).toBe(mode)
  }
  mock.doors['ed-e'].heldOpen()
  expect((await generic('GET', '/ed-e')).body.open).toBe(true)
  mock.journal.verify()
})

test('generic: what can not be done is said by the status', async () => {
  await start()
  expect((await generic('PUT', '/nope/mode', '{"mode":"secure"}')).status).toBe(404)
  expect((await generic('PUT', '/ed-e/mode', '{"mode":"party"}')).status).toBe(400)
  expect((await generic('PUT', '/ed-e/mode', 'null')).status).toBe(400)
  expect((await generic('PUT', '/plain/mode', '{"mode":"lockdown"}')).status).toBe(422)
  expect((await generic('DELETE', '/ed-e')).status).toBe(405)
  expect((await generic('GET', '/ed-e', undefined, 'guess')).status).toBe(401)
  mock.doors['ed-e'].become('LockedOpen')
  expect((await generic('PUT', '/ed-e/mode', '{"mode":"secure"}')).status).toBe(409)
})

test('it misbehaves as it is told', async () => {
  await start()
  const lock = `{"tdc:LockDownDoor":{"Token":"${west}"}}`
  mock.behave({ is: 'garbage' })
  expect((await vapix(lock)).body).not.toMatch(/^\{/)
  mock.behave({ is: 'wrong-answer' })
  expect((await vapix(lock)).body).toEqual({ Schedule: [{ token: 'always', Name: 'Always' }] })
  mock.behave({ is: 'half-open' })
  await expect(vapix(lock, basic, AbortSignal.timeout(200))).rejects.toThrow(/timeout/)
  expect(mock.doors[west].mode).toBe('Unlocked')
  expect(mock.journal.count('LockDownDoor')).toBe(3)
  mock.behave({ is: 'slow', ms: 300 })
  await expect(vapix(lock, basic, AbortSignal.timeout(100))).rejects.toThrow(/timeout/)
  await mock.doors[west].expect('LockedDown')
})
