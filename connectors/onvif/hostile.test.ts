import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { testContext } from '../../test/context.ts'
import { dial, order, secret } from './fixtures/dial.ts'

/** A device made for one bad habit at a time: `say` answers by operation, all else is as it should be. */
let server: Server
let base: string
let say: Record<string, (response: ServerResponse, request: IncomingMessage, body: string) => void>
let asked: string[]
let sockets: number
const bodies: string[] = []

const soap = (inside: string) =>
  `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>${inside}</e:Body></e:Envelope>`
const answer = (operation: string, inside = '') =>
  soap(`<${operation}Response>${inside}</${operation}Response>`)
const fault = (...codes: string[]) =>
  soap(
    `<e:Fault><e:Code>${codes.reduceRight(
      (inner, code) => `<e:Value>x:${code}</e:Value>${inner && `<e:Subcode>${inner}</e:Subcode>`}`,
      '',
    )}</e:Code><e:Reason><e:Text>no</e:Text></e:Reason></e:Fault>`,
  )

const service = (namespace: string, path: string) =>
  `<Service><Namespace>http://www.onvif.org/${namespace}/wsdl</Namespace><XAddr>${base}${path}</XAddr></Service>`

const usual = (): Record<string, string> => ({
  GetServices: [
    service('ver10/media', '/media'),
    service('ver20/ptz', '/ptz'),
    service('ver10/doorcontrol', '/doors'),
    service('ver10/deviceIO', '/io'),
    service('ver10/events', '/events'),
  ].join(''),
  GetProfiles: '<Profiles token="p"><PTZConfiguration/></Profiles>',
  GetPresets: '<Preset token="1"><Name>one</Name></Preset>',
  GetSnapshotUri: `<MediaUri><Uri>${base}/picture</Uri></MediaUri>`,
  GetDoorInfoList: '<DoorInfo token="A"><Capabilities Lock="true" LockDown="true"/></DoorInfo>',
  GetDoorState: '<DoorState><DoorMode>Unlocked</DoorMode></DoorState>',
  GetRelayOutputs: '<RelayOutputs token="R"/>',
})

beforeEach(async () => {
  say = {}
  asked = []
  sockets = 0
  bodies.splice(0)
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    bodies.push(body)
    const operation =
      request.method === 'GET' ? (request.url ?? '') : (/<e?s?:?Body><(\w+)/.exec(body)?.[1] ?? '')
    asked.push(operation)
    const special = say[operation]
    if (special) return special(response, request, body)
    response.setHeader('content-type', 'application/soap+xml')
    response.end(answer(operation, usual()[operation]))
  })
  server.on('connection', (socket) => {
    sockets++
    socket.on('close', () => sockets--)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const connect = (output: object) =>
  dial(
    testContext({ secret }).ctx,
    `${base}/onvif/device_service`,
    { it: output },
    { timeout: '400ms', poll: '1m' },
  )

const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(100)])
const picture = (mediaType: string, bytes: Buffer) => (response: ServerResponse) => {
  response.setHeader('content-type', mediaType)
  response.end(bytes)
}

test('row 24: a picture says when it was taken; one that is older than 5 s is not called live', async () => {
  const link = await connect({})
  const shown = async (headers: Record<string, string>) => {
    say['/picture'] = (response) => {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
      picture('image/jpeg', jpeg)(response)
    }
    const outcome = await link.acts['camera.snapshot'](order({}, {}))
    const { capturedAt, live } = (outcome as unknown as { result: { capturedAt: number; live: boolean } })
      .result
    return { age: Math.round((Date.now() - capturedAt) / 1_000), live }
  }
  const date = 'Sun, 22 Nov 2026 08:00:10 GMT'
  expect(await shown({})).toEqual({ age: 0, live: true })
  expect(await shown({ age: '3' })).toEqual({ age: 3, live: true })
  expect(await shown({ age: '60' })).toEqual({ age: 60, live: false })
  expect(await shown({ date, 'last-modified': 'Sun, 22 Nov 2026 08:00:00 GMT' })).toEqual({
    age: 10,
    live: false,
  })
  // Made in the future, or no time at all: then it is as old as our request.
  expect(await shown({ date, 'last-modified': 'Sun, 22 Nov 2026 09:00:00 GMT' })).toEqual({
    age: 0,
    live: true,
  })
  expect(await shown({ date, 'last-modified': 'yesterday', age: '-7' })).toEqual({ age: 0, live: true })
  await link.close()
})

test.each([
  ['of the wrong type', 'text/html', jpeg],
  ['that is none', 'image/jpeg', Buffer.from('<html>log in</html>')],
  ['of more than 8 MiB', 'image/jpeg', Buffer.concat([jpeg, Buffer.alloc(9_000_000)])],
])('a picture %s is refused', async (_what, mediaType, bytes) => {
  say['/picture'] = picture(mediaType, bytes)
  const link = await connect({})
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'BAD_ANSWER' },
  })
  say['/picture'] = picture('image/jpeg', jpeg)
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({
    ok: true,
    result: { bytes: 104 },
  })
  await link.close()
})

test('a redirect is not followed, and our login goes nowhere else', async () => {
  const other = createServer((_request, response) => response.end())
  let visited = 0
  other.on('connection', () => visited++)
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/picture`
  say['/picture'] = (response) => response.writeHead(302, { location: elsewhere }).end()
  const link = await connect({})
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({
    ok: false,
    failure: { code: 'BAD_ANSWER', message: expect.stringContaining('redirect') },
  })
  expect(visited).toBe(0)
  await link.close()
  await new Promise((resolve) => other.close(resolve))
})

test('an answer without end is cut off', async () => {
  say['GetDoorState'] = (response) => {
    const pour = () => {
      while (!response.destroyed && response.write('<a>'.repeat(10_000)));
    }
    response.on('drain', pour)
    pour()
  }
  const link = await connect({})
  expect(await link.acts['door.state'](order({ token: 'A' }, {}))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'BAD_ANSWER' },
  })
  await link.close()
  await expect.poll(() => sockets).toBe(0)
})

test('an answer that trickles in ends in the timeout all the same', async () => {
  let timer: NodeJS.Timeout | undefined
  say['LockDownDoor'] = (response) => {
    timer = setInterval(() => response.write(' '), 50)
  }
  const link = await connect({ token: 'A' })
  expect(await link.acts['door.lockdown'](order({ token: 'A' }, {}))).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'TIMEOUT' },
  })
  clearInterval(timer)
  await link.close()
})

test('a connection that breaks in the middle of a command may have had an effect', async () => {
  say['LockDownDoor'] = (response) => void response.destroy()
  const link = await connect({ token: 'A' })
  expect(await link.acts['door.lockdown'](order({ token: 'A' }, {}))).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'UNREACHABLE', retry: 'backoff' },
  })
  await link.close()
})

test('a door that claims to be locked while its lock says otherwise is NOT confirmed', async () => {
  say['GetDoorState'] = (response) =>
    response.end(
      answer(
        'GetDoorState',
        '<DoorState><LockPhysicalState>Unlocked</LockPhysicalState><DoorMode>Locked</DoorMode></DoorState>',
      ),
    )
  const link = await connect({ token: 'A' })
  expect(await link.acts['door.secure'](order({ token: 'A' }, {}))).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'UNCONFIRMED', message: expect.stringContaining('reports locked, its lock unlocked') },
  })
  await link.close()
})

test('a refusal of what has come about by itself is none', async () => {
  say['LockDownDoor'] = (response) => {
    say['GetDoorState'] = (later) =>
      later.end(answer('GetDoorState', '<DoorState><DoorMode>LockedDown</DoorMode></DoorState>'))
    response.writeHead(500).end(fault('Receiver', 'Action', 'Failure'))
  }
  const link = await connect({ token: 'A' })
  expect(await link.acts['door.lockdown'](order({ token: 'A' }, {}))).toMatchObject({
    ok: true,
    proof: 'confirmed',
    result: { mode: 'lockdown' },
  })
  await link.close()
})

test('a relay whose device has no events is set, and honestly NOT confirmed', async () => {
  say['CreatePullPointSubscription'] = (response) =>
    response.writeHead(500).end(fault('Receiver', 'ActionNotSupported'))
  const link = await connect({ relay: 'R' })
  expect(await link.acts['relay.set'](order({ relay: 'R' }, { on: true }))).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'UNCONFIRMED', retry: 'never' },
  })
  expect(asked.filter((operation) => operation === 'SetRelayOutputState')).toHaveLength(1)
  await link.close()
})

test('a relay whose event never comes is NOT confirmed, and the subscription is given back', async () => {
  say['CreatePullPointSubscription'] = (response) =>
    response.end(
      answer(
        'CreatePullPointSubscription',
        `<SubscriptionReference><Address>${base}/pull</Address></SubscriptionReference>`,
      ),
    )
  const link = await connect({ relay: 'R' })
  expect(await link.acts['relay.set'](order({ relay: 'R' }, { on: true }))).toMatchObject({
    ok: false,
    effect: 'possible',
    failure: { code: 'UNCONFIRMED', retry: 'backoff', message: expect.stringContaining('NOT confirmed') },
  })
  await expect.poll(() => asked.filter((operation) => operation === 'Unsubscribe').length).toBe(1)
  // It answers each pull at once: it must not be flooded for that.
  expect(asked.filter((operation) => operation === 'PullMessages').length).toBeLessThan(80)
  await link.close()
})

test('a list of doors that goes round in circles ends', async () => {
  say['GetDoorInfoList'] = (response) =>
    response.end(
      answer(
        'GetDoorInfoList',
        `<NextStartReference>${asked.length}</NextStartReference><DoorInfo token="A"/>`,
      ),
    )
  const link = await connect({ token: 'A' })
  expect(asked.filter((operation) => operation === 'GetDoorInfoList')).toHaveLength(100)
  await link.close()
})

test('each request is signed with a nonce of its own', async () => {
  const link = await connect({ token: 'A' })
  await Promise.all(Array.from({ length: 20 }, () => link.acts['door.state'](order({ token: 'A' }, {}))))
  await link.close()
  const nonces = bodies.flatMap((body) => /Nonce[^>]*>([^<]+)</.exec(body)?.[1] ?? [])
  expect(nonces.length).toBeGreaterThan(20)
  expect(new Set(nonces).size).toBe(nonces.length)
  expect(bodies.filter((body) => body.includes('GetSystemDateAndTime')).join()).not.toContain('Nonce')
})

test('an address of a picture that no longer holds is asked for again', async () => {
  say['/picture'] = picture('image/jpeg', jpeg)
  say['GetSnapshotUri'] = (response) =>
    response.end(answer('GetSnapshotUri', `<MediaUri><Uri>${base}/old</Uri></MediaUri>`))
  say['/old'] = (response) => response.writeHead(404).end()
  const link = await connect({})
  delete say['GetSnapshotUri']
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({ ok: false, effect: 'none' })
  expect(await link.acts['camera.snapshot'](order({}, {}))).toMatchObject({ ok: true })
  await link.close()
})

test('a device that asks for a login and is gone before it comes has done nothing', async () => {
  say['LockDownDoor'] = (response) => {
    const challenge = 'Digest realm="x", nonce="1", qop="auth"'
    response.writeHead(401, { 'www-authenticate': challenge, connection: 'close' }).end()
    server.close()
  }
  const link = await connect({ token: 'A' })
  expect(await link.acts['door.lockdown'](order({ token: 'A' }, {}))).toMatchObject({
    ok: false,
    effect: 'none',
    failure: { code: 'UNREACHABLE' },
  })
  await link.close()
})

test('a device that cannot filter its events is asked for all of them', async () => {
  say['CreatePullPointSubscription'] = (response, _request, body) => {
    if (body.includes('TopicExpression'))
      return void response.writeHead(400).end(fault('Sender', 'InvalidArgVal'))
    const address = `<SubscriptionReference><Address>${base}/pull</Address></SubscriptionReference>`
    response.end(answer('CreatePullPointSubscription', address))
  }
  const relay =
    '<Topic>tns1:Device/Trigger/Relay</Topic><Message><Message PropertyOperation="Changed"><Source/>' +
    '<Data><SimpleItem Name="LogicalState" Value="active"/></Data></Message></Message>'
  say['PullMessages'] = (response) =>
    response.end(answer('PullMessages', `<NotificationMessage>${relay}</NotificationMessage>`))
  const link = await connect({ relay: 'R' })
  expect(await link.acts['relay.set'](order({ relay: 'R' }, { on: true }))).toMatchObject({
    ok: true,
    proof: 'confirmed',
  })
  await link.close()
})
