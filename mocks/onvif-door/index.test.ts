import { createHash, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { afterEach, expect, test } from 'vitest'
import { type OnvifDoors, startOnvifDoors } from './index.ts'

const secext = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd'
const utility = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd'
const profile = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0'

const token = (password = 'right', at = Date.now(), nonce = randomBytes(16)) => {
  const created = new Date(at).toISOString()
  const digest = createHash('sha1')
    .update(Buffer.concat([nonce, Buffer.from(created + password)]))
    .digest('base64')
  return (
    `<w:Security xmlns:w="${secext}" xmlns:u="${utility}"><w:UsernameToken><w:Username>bridge</w:Username>` +
    `<w:Password Type="${profile}#PasswordDigest">${digest}</w:Password>` +
    `<w:Nonce>${nonce.toString('base64')}</w:Nonce><u:Created>${created}</u:Created>` +
    '</w:UsernameToken></w:Security>'
  )
}

const post = async (url: string, body: string, header = token(), signal?: AbortSignal) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/soap+xml; charset=utf-8' },
    body:
      '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">' +
      `<s:Header>${header}</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
    ...(signal ? { signal } : {}),
  })
  return { status: response.status, text: await response.text() }
}

const ask = (operation: string, door = '', more = '') =>
  `<tdc:${operation} xmlns:tdc="http://www.onvif.org/ver10/doorcontrol/wsdl">` +
  `${door ? `<tdc:Token>${door}</tdc:Token>` : ''}${more}</tdc:${operation}>`

const information = '<GetDeviceInformation xmlns="http://www.onvif.org/ver10/device/wsdl"/>'

let mock: OnvifDoors<'ED-W' | 'ED-E' | 'PLAIN'>
const start = async (more: Partial<Parameters<typeof startOnvifDoors>[0]> = {}) => {
  mock = await startOnvifDoors({
    username: 'bridge',
    password: 'right',
    doors: {
      'ED-W': { schedule: 'Unlocked', name: 'ED west' },
      'ED-E': { schedule: 'Locked' },
      PLAIN: { schedule: 'Locked', capabilities: {} },
    },
    ...more,
  })
  const doors = `http://127.0.0.1:${mock.port}/onvif/services/doors`
  return { mock, doors, to: (body: string, header?: string) => post(doors, body, header) }
}
afterEach(() => mock.close())

test('a lockdown is noted, answered empty, reported, and released to the schedule', async () => {
  const { to } = await start()
  const locked = await to(ask('LockDownDoor', 'ED-W'))
  expect(locked.status).toBe(200)
  expect(locked.text).toMatch(/<drs:LockDownDoorResponse><\/drs:LockDownDoorResponse>/)
  expect(locked.text).toContain('xmlns:drs="http://www.onvif.org/ver10/doorcontrol/wsdl"')
  await mock.journal.expect('LockDownDoor', ({ token }) => token === 'ED-W')
  await mock.doors['ED-W'].expect('LockedDown')
  const state = await to(ask('GetDoorState', 'ED-W'))
  expect(state.text).toContain(
    '<drs:DoorState><drs:DoorPhysicalState>Closed</drs:DoorPhysicalState>' +
      '<drs:LockPhysicalState>Locked</drs:LockPhysicalState><drs:Alarm>Normal</drs:Alarm>' +
      '<drs:Tamper><drs:State>NotInTamper</drs:State></drs:Tamper><drs:DoorMode>LockedDown</drs:DoorMode></drs:DoorState>',
  )
  await to(ask('LockDownReleaseDoor', 'ED-W'))
  await mock.doors['ED-W'].expect('Unlocked')
  await mock.journal.expect('LockDownReleaseDoor')
  mock.journal.verify()
})

test('in lockdown other commands fail with Action/Failure; a release fails out of it', async () => {
  const { to } = await start()
  const early = await to(ask('LockDownReleaseDoor', 'ED-W'))
  expect(early.status).toBe(500)
  expect(early.text).toContain(
    '<env12:Code><env12:Value>env12:Receiver</env12:Value><env12:Subcode><env12:Value>err:Action</env12:Value>' +
      '<env12:Subcode><env12:Value>err:Failure</env12:Value></env12:Subcode></env12:Subcode></env12:Code>',
  )
  await to(ask('LockDownDoor', 'ED-W'))
  for (const operation of [
    'UnlockDoor',
    'LockDoor',
    'AccessDoor',
    'BlockDoor',
    'LockOpenDoor',
    'LockOpenReleaseDoor',
  ])
    expect((await to(ask(operation, 'ED-W'))).text).toContain('err:Failure')
  expect(mock.doors['ED-W'].mode).toBe('LockedDown')
})

test('an unknown token, a missing capability and an unknown operation are told apart', async () => {
  const { to } = await start()
  const unknown = await to(ask('LockDoor', 'NOPE'))
  expect(unknown.status).toBe(400)
  expect(unknown.text).toMatch(/env12:Sender.*err:InvalidArgs.*err:NotFound/s)
  expect((await to(ask('LockDownDoor', 'PLAIN'))).text).toMatch(/env12:Receiver.*err:ActionNotSupported/s)
  expect((await to(ask('OpenSesame', 'ED-W'))).text).toContain('err:ActionNotSupported')
  expect((await to(information)).text).toContain('err:ActionNotSupported')
})

test('doors are listed by pages', async () => {
  const { to } = await start()
  const first = await to(ask('GetDoorInfoList', '', '<tdc:Limit>2</tdc:Limit>'))
  expect(first.text).toMatch(/<drs:DoorInfo token="ED-W"><drs:Name>ED west<.* LockDown="true".*token="ED-E"/s)
  expect(first.text).not.toContain('PLAIN')
  const next = /<drs:NextStartReference>(.*?)<\/drs/.exec(first.text)?.[1] as string
  const second = await to(ask('GetDoorInfoList', '', `<tdc:StartReference>${next}</tdc:StartReference>`))
  expect(second.text).toContain('token="PLAIN"')
  expect(second.text).toContain('LockDown="false"')
  expect(second.text).not.toContain('NextStartReference')
  const asked = await to(ask('GetDoorInfo', 'ED-E', '<tdc:Token>NOPE</tdc:Token>'))
  expect(asked.text.match(/<drs:DoorInfo /g)).toHaveLength(1)
})

test('only a fresh, right, unused token by the clock of the device passes', async () => {
  const { mock, to } = await start({ clockOffsetMs: 3_600_000 })
  const theirs = () => Date.now() + 3_600_000
  const state = ask('GetDoorState', 'ED-W')
  const nonce = randomBytes(16)
  expect((await to(state, token('right', theirs(), nonce))).status).toBe(200)
  for (const header of [
    token('right', theirs(), nonce),
    token('right'),
    token('right', theirs() + 6_000),
    token('wrong', theirs()),
    '',
  ]) {
    const refused = await to(state, header)
    expect(refused.status).toBe(400)
    expect(refused.text).toMatch(/env12:Sender.*err:NotAuthorized/s)
  }
  const because = mock.journal.all.filter(({ what }) => what === 'not-authorized')
  expect(because.map(({ detail }) => detail['because'])).toEqual([
    'replayed nonce',
    'time check failed',
    'time check failed',
    'wrong password',
    'no token',
  ])
  const clock = await post(
    mock.url,
    '<GetSystemDateAndTime xmlns="http://www.onvif.org/ver10/device/wsdl"/>',
    '',
  )
  expect(clock.text).toContain(`<sch:Hour>${new Date(theirs()).getUTCHours()}</sch:Hour>`)
})

test('doors refuse, stick, land late and hang as they are told', async () => {
  const { doors, to } = await start()
  const door = mock.doors['ED-W']
  door.refuses({ times: 1 })
  expect((await to(ask('LockDownDoor', 'ED-W'))).text).toContain('err:Failure')
  door.sticks({ times: 1 })
  expect((await to(ask('LockDownDoor', 'ED-W'))).status).toBe(200)
  expect(door.mode).toBe('Unlocked')
  door.landsLate(50, { times: 1 })
  expect((await to(ask('LockDownDoor', 'ED-W'))).status).toBe(200)
  expect(door.mode).toBe('Unlocked')
  await door.expect('LockedDown')
  door.hangs({ only: 'LockDownReleaseDoor' })
  await expect(
    post(doors, ask('LockDownReleaseDoor', 'ED-W'), token(), AbortSignal.timeout(200)),
  ).rejects.toThrow(/timeout/)
  expect(door.mode).toBe('LockedDown')
  door.obeys()
  await to(ask('LockDownReleaseDoor', 'ED-W'))
  door.forced()
  expect((await to(ask('GetDoorState', 'ED-W'))).text).toMatch(/>Open<.*>DoorForcedOpen</s)
  await expect(door.expect('Blocked', { withinMs: 10 })).rejects.toThrow(
    /ED-W Blocked within 10 ms; it was Unlocked, LockedDown/,
  )
})

test('the device misbehaves as it is told, and notes what it did not do', async () => {
  const { doors, to } = await start()
  const lock = ask('LockDownDoor', 'ED-W')
  mock.behave({ is: 'garbage' })
  expect((await to(lock)).text).not.toContain('Envelope')
  mock.behave({ is: 'wrong-answer' })
  expect((await to(lock)).text).toContain('dev:GetHostnameResponse')
  mock.behave({ is: 'half-open' })
  await expect(post(doors, lock, token(), AbortSignal.timeout(200))).rejects.toThrow(/timeout/)
  mock.behave({ is: 'refusing' })
  await expect.poll(() => to(lock).catch((error) => error.cause.code)).toBe('ECONNREFUSED')
  expect(mock.openSockets).toBe(0)
  expect(mock.doors['ED-W'].mode).toBe('Unlocked')
  expect(mock.journal.count('LockDownDoor')).toBe(3)
  expect(() => mock.journal.verify()).toThrow(/unexpected: LockDownDoor/)
  mock.behave({ is: 'normal' })
  await expect.poll(() => to(lock).catch(() => ({ status: 0 }))).toMatchObject({ status: 200 })
})

test('a reboot drops connections, keeps the port, and forgets nonces', async () => {
  const { mock, to } = await start()
  const { port } = mock
  const header = token()
  await to(ask('GetDoorState', 'ED-W'), header)
  const away = mock.reboot(100)
  await expect(to(ask('GetDoorState', 'ED-W'))).rejects.toThrow()
  await away
  expect(mock.port).toBe(port)
  expect((await to(ask('GetDoorState', 'ED-W'), header)).status).toBe(200)
})

test('bad requests get a fault or a status and disturb nothing', async () => {
  const { doors, to } = await start()
  const raw = async (body: string, type = 'application/soap+xml') =>
    fetch(doors, { method: 'POST', headers: { 'Content-Type': type }, body })
  expect((await raw('<not xml')).status).toBe(400)
  expect((await raw('<!DOCTYPE a [<!ENTITY b "c">]><a/>')).status).toBe(400)
  expect((await raw('<x:Envelope/>')).status).toBe(400)
  expect(
    await (await raw('<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"/>')).text(),
  ).toContain('env12:VersionMismatch')
  expect((await raw('{}', 'application/json')).status).toBe(415)
  expect((await raw(' '.repeat(300 * 1024))).status).toBe(413)
  expect((await to(ask('GetDoorState', 'ED-W'))).status).toBe(200)
})

test('subscribers hear what doors do', async () => {
  const { mock } = await start()
  const events = 'http://www.onvif.org/ver10/events/wsdl'
  const made = await post(
    `http://127.0.0.1:${mock.port}/onvif/services/events`,
    `<CreatePullPointSubscription xmlns="${events}"><Filter><TopicExpression xmlns="http://docs.oasis-open.org/wsn/b-2">tns1:Door/State//.</TopicExpression></Filter></CreatePullPointSubscription>`,
  )
  const address = /<adr:Address>(.*)<\/adr:Address>/.exec(made.text)?.[1] as string
  const pull = async () => {
    const { text } = await post(
      address,
      `<PullMessages xmlns="${events}"><Timeout>PT5S</Timeout><MessageLimit>50</MessageLimit></PullMessages>`,
    )
    const messages = text.matchAll(/State\/(\w+)<.*?Operation="(\w+)".*?Value="(.*?)".*?Value="(.*?)"/g)
    return [...messages].map((match) => match.slice(1).join(' '))
  }
  expect(await pull()).toContain('DoorMode Initialized ED-W Unlocked')
  mock.doors['ED-W'].become('LockedDown')
  mock.doors['ED-W'].forced()
  expect(await pull()).toEqual([
    'DoorMode Changed ED-W LockedDown',
    'LockPhysicalState Changed ED-W Locked',
    'DoorPhysicalState Changed ED-W Open',
    'DoorAlarm Changed ED-W DoorForcedOpen',
  ])
  expect(mock.subscriptions).toBe(1)
})

test('a duress code is told to those who listen, once, and to nobody later', async () => {
  const { mock } = await start({ accessPoints: { IN: { name: 'West, outside' }, OUT: { duress: false } } })
  const base = `http://127.0.0.1:${mock.port}`
  const { text } = await post(
    `${base}/onvif/services/access`,
    '<GetAccessPointInfoList xmlns="http://www.onvif.org/ver10/accesscontrol/wsdl"/>',
  )
  expect(text).toMatch(
    /AccessPointInfo token="IN"><pts:Name>West, outside<.*?Duress="true".*token="OUT".*?Duress="false"/,
  )
  const events = 'http://www.onvif.org/ver10/events/wsdl'
  const subscribe = async () => {
    const made = await post(
      `${base}/onvif/services/events`,
      `<CreatePullPointSubscription xmlns="${events}"><Filter><TopicExpression xmlns="http://docs.oasis-open.org/wsn/b-2">tns1:AccessControl/Duress//.</TopicExpression></Filter></CreatePullPointSubscription>`,
    )
    return /<adr:Address>(.*)<\/adr:Address>/.exec(made.text)?.[1] as string
  }
  const pull = async (address: string) => {
    const said = await post(
      address,
      `<PullMessages xmlns="${events}"><Timeout>PT0S</Timeout><MessageLimit>50</MessageLimit></PullMessages>`,
    )
    const messages = said.text.matchAll(/<sch:Message UtcTime="[^"]+"( Prop[^>]*)?>.*?<\/sch:Message>/g)
    return [...messages].map(([whole]) => [...whole.matchAll(/Value="(.*?)"/g)].map(([, value]) => value))
  }
  const early = await subscribe()
  mock.duress('IN', { credential: 'c-1', holder: 'A. & B.', reason: 'PIN' })
  expect(await pull(early)).toEqual([['IN', 'c-1', 'A. &amp; B.', 'PIN']])
  expect(await pull(await subscribe())).toEqual([])
  await post(early, `<SetSynchronizationPoint xmlns="${events}"/>`)
  expect(await pull(early)).toEqual([])
})

test('npm onvif connects and reads who it is, by WS-Security and by HTTP digest', async () => {
  const { Cam } = createRequire(import.meta.url)('onvif/promises')
  for (const useWSSecurity of [true, false]) {
    const { mock } = await start({ auth: ['ws-security', 'digest'], clockOffsetMs: 60_000 })
    const cam = new Cam({
      hostname: '127.0.0.1',
      port: mock.port,
      username: 'bridge',
      password: 'right',
      useWSSecurity,
    })
    await cam.connect()
    expect((await cam.getDeviceInformation()).model).toBe('Mock door controller')
    expect(cam.uri.doorcontrol.href).toBe(`http://127.0.0.1:${mock.port}/onvif/services/doors`)
    if (useWSSecurity) await mock.close()
  }
})
