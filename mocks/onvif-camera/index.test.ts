import { createHash, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { decode } from 'jpeg-js'
import { afterEach, expect, test } from 'vitest'
import { type OnvifCamera, startOnvifCamera } from './index.ts'

const wss = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss'
const token = () => {
  const nonce = randomBytes(16)
  const created = new Date().toISOString()
  const digest = createHash('sha1')
    .update(Buffer.concat([nonce, Buffer.from(`${created}right`)]))
    .digest('base64')
  return (
    `<o:Security xmlns:o="${wss}-wssecurity-secext-1.0.xsd"><o:UsernameToken><o:Username>bridge</o:Username>` +
    `<o:Password Type="${wss}-username-token-profile-1.0#PasswordDigest">${digest}</o:Password>` +
    `<o:Nonce>${nonce.toString('base64')}</o:Nonce>` +
    `<z:Created xmlns:z="${wss}-wssecurity-utility-1.0.xsd">${created}</z:Created></o:UsernameToken></o:Security>`
  )
}

let camera: OnvifCamera
const start = async (more: Partial<Parameters<typeof startOnvifCamera>[0]> = {}) => {
  camera = await startOnvifCamera({
    username: 'bridge',
    password: 'right',
    presets: { 1: 'Door', 2: 'Triage 2' },
    ...more,
  })
  return camera
}
afterEach(() => camera.close())

const post = async (path: string, body: string) => {
  const url = path.startsWith('http') ? path : `http://127.0.0.1:${camera.port}${path}`
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/soap+xml; charset=utf-8' },
    body: `<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Header>${token()}</Header><Body>${body}</Body></Envelope>`,
  })
  return { status: response.status, text: await response.text() }
}
const device = (body: string) => post('/onvif/device_service', body)
const ptz = (body: string) => post('/onvif/services/ptz', body)
const io = (body: string) => post('/onvif/services/deviceio', body)

const goto = (preset: string) =>
  `<GotoPreset xmlns="http://www.onvif.org/ver20/ptz/wsdl"><ProfileToken>PROFILE_1</ProfileToken><PresetToken>${preset}</PresetToken></GotoPreset>`
const setRelay = (state: string, namespace = 'http://www.onvif.org/ver10/deviceIO/wsdl', relay = 'RO_0') =>
  `<SetRelayOutputState xmlns="${namespace}"><RelayOutputToken>${relay}</RelayOutputToken><LogicalState>${state}</LogicalState></SetRelayOutputState>`

const subscribe = async (filter = '') => {
  const { text } = await post(
    '/onvif/services/events',
    `<CreatePullPointSubscription xmlns="http://www.onvif.org/ver10/events/wsdl">${filter}<InitialTerminationTime>PT60S</InitialTerminationTime></CreatePullPointSubscription>`,
  )
  return /<adr:Address>(.*)<\/adr:Address>/.exec(text)?.[1] as string
}
const pull = async (address: string, seconds = 5) => {
  const { text } = await post(
    address,
    `<PullMessages xmlns="http://www.onvif.org/ver10/events/wsdl"><Timeout>PT${seconds}S</Timeout><MessageLimit>10</MessageLimit></PullMessages>`,
  )
  return [
    ...text.matchAll(
      /Set">tns1:(.*?)<.*?Operation="(.*?)".*?Name="(.*?)" Value="(.*?)".*?Name="(.*?)" Value="(.*?)"/g,
    ),
  ].map((match) => match.slice(1).join(' '))
}
const synchronize = '<SetSynchronizationPoint xmlns="http://www.onvif.org/ver10/events/wsdl"/>'
const unsubscribe = '<Unsubscribe xmlns="http://docs.oasis-open.org/wsn/b-2"/>'
const renew =
  '<Renew xmlns="http://docs.oasis-open.org/wsn/b-2"><TerminationTime>PT90S</TerminationTime></Renew>'

const basic = { Authorization: `Basic ${Buffer.from('bridge:right').toString('base64')}` }
const snapshot = async () => {
  const response = await fetch(`http://127.0.0.1:${camera.port}/snapshot.jpg`, { headers: basic })
  return Buffer.from(await response.arrayBuffer())
}

test('it turns to a preset, notes it, and reports where it looks', async () => {
  await start()
  const presets = await ptz(
    '<GetPresets xmlns="http://www.onvif.org/ver20/ptz/wsdl"><ProfileToken>PROFILE_1</ProfileToken></GetPresets>',
  )
  expect(presets.text).toMatch(
    /<mov:Preset token="1"><sch:Name>Door<.*<mov:Preset token="2"><sch:Name>Triage 2</s,
  )
  expect((await ptz(goto('2'))).text).toContain('<mov:GotoPresetResponse></mov:GotoPresetResponse>')
  await camera.journal.expect('GotoPreset', ({ preset }) => preset === '2')
  expect(camera.preset).toBe('2')
  const unknown = await ptz(goto('9'))
  expect(unknown.status).toBe(400)
  expect(unknown.text).toMatch(/env12:Sender.*err:InvalidArgVal.*err:NoToken/s)
  expect((await ptz(goto('1').replace('PROFILE_1', 'nope'))).text).toContain('err:NoProfile')
  expect(camera.preset).toBe('2')
  expect(() => camera.journal.verify()).toThrow(/unexpected: GotoPreset .*"9"/)
})

test('a camera that can not turn has no PTZ service', async () => {
  await start({ ptz: false })
  const services = await device('<GetServices xmlns="http://www.onvif.org/ver10/device/wsdl"/>')
  expect(services.text).toContain('http://www.onvif.org/ver10/media/wsdl')
  expect(services.text).not.toContain('<dev:Namespace>http://www.onvif.org/ver20/ptz/wsdl')
  expect((await ptz(goto('1'))).text).toContain('err:ActionNotSupported')
})

test('the snapshot is a guarded JPEG whose picture follows the preset', async () => {
  await start()
  const uri = await post(
    '/onvif/services/media',
    '<GetSnapshotUri xmlns="http://www.onvif.org/ver10/media/wsdl"><ProfileToken>PROFILE_1</ProfileToken></GetSnapshotUri>',
  )
  expect(uri.text).toContain(`<sch:Uri>http://127.0.0.1:${camera.port}/snapshot.jpg</sch:Uri>`)
  const refused = await fetch(`http://127.0.0.1:${camera.port}/snapshot.jpg`)
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toMatch(/^Digest .*, Basic /)
  const home = decode(await snapshot())
  expect([home.width, home.height]).toEqual([320, 240])
  await ptz(goto('2'))
  const turned = decode(await snapshot())
  expect(turned.data.subarray(0, 3)).not.toEqual(home.data.subarray(0, 3))
  const [first, second] = [await camera.journal.expect('snapshot'), await camera.journal.expect('snapshot')]
  expect([first.detail['preset'], second.detail['preset']]).toEqual([null, '2'])
})

test('relays are set in either namespace, and told by events only', async () => {
  await start()
  const pullPoint = await subscribe()
  await pull(pullPoint)
  const waiting = pull(pullPoint)
  expect((await io(setRelay('active'))).text).toContain('<dio:SetRelayOutputStateResponse>')
  expect(await waiting).toEqual(['Device/Trigger/Relay Changed RelayToken RO_0 LogicalState active'])
  const inDevice = setRelay('inactive', 'http://www.onvif.org/ver10/device/wsdl')
  expect((await io(inDevice)).text).toContain('<dev:SetRelayOutputStateResponse>')
  expect(camera.relay('RO_0')).toBe(false)
  expect((await device(inDevice)).status).toBe(200)
  expect((await io(setRelay('active', undefined, 'nope'))).text).toMatch(/err:InvalidArgVal.*err:RelayToken/s)
  expect((await io(setRelay('maybe'))).status).toBe(400)
  expect((await io('<GetRelayOutputs xmlns="http://www.onvif.org/ver10/device/wsdl"/>')).text).toContain(
    '<dev:RelayOutputs token="RO_0"><sch:Properties><sch:Mode>Bistable</sch:Mode>',
  )
})

test('subscribers get the state first, then each change, and again on demand', async () => {
  await start({ inputDataName: 'State' })
  camera.input('DI_0', true)
  const address = await subscribe(
    '<Filter><w:TopicExpression xmlns:w="http://docs.oasis-open.org/wsn/b-2" Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">tns1:Device/Trigger/DigitalInput</w:TopicExpression></Filter>',
  )
  const initial = 'Device/Trigger/DigitalInput Initialized InputToken DI_0 State true'
  expect(await pull(address)).toEqual([initial])
  camera.input('DI_0', false)
  camera.input('DI_0', true, { lost: true })
  expect(await pull(address)).toEqual(['Device/Trigger/DigitalInput Changed InputToken DI_0 State false'])
  expect(await pull(address, 0)).toEqual([])
  await post(address, synchronize)
  expect(await pull(address)).toEqual([initial])
  expect((await post(address, renew)).text).toContain('<ntf:RenewResponse><ntf:TerminationTime>')
  expect((await post(address, unsubscribe)).text).toContain('<ntf:UnsubscribeResponse/>')
  expect(camera.subscriptions).toBe(0)
  expect((await post(address, renew)).text).toContain('ResourceUnknownFault')
})

test('subscriptions are few, and a reboot forgets them', async () => {
  await start()
  const addresses: string[] = []
  for (let count = 0; count < 10; count++) addresses.push(await subscribe())
  expect(camera.subscriptions).toBe(10)
  expect(await subscribe()).toBeUndefined()
  const waiting = pull(addresses[0]!).then(() => pull(addresses[0]!))
  const broken = expect(waiting).rejects.toThrow()
  await camera.reboot(10)
  await broken
  expect(camera.subscriptions).toBe(0)
  expect((await post(addresses[0]!, renew)).text).toContain('ResourceUnknownFault')
})

test('habits: what devices do that no specification says', async () => {
  const habits = {
    topicPrefix: 'x',
    paddedTopics: true,
    emptySources: true,
    silentStart: true,
    longestLifeMs: 5_000,
  }
  await start({ habits, inputOptions: false })
  const address = await subscribe()
  const asked = post(
    address,
    '<PullMessages xmlns="http://www.onvif.org/ver10/events/wsdl"><Timeout>PT5S</Timeout><MessageLimit>9</MessageLimit></PullMessages>',
  )
  camera.repeat('DI_0')
  const { text } = await asked
  expect(text).toMatch(
    /<ntf:Topic xmlns:x="http:..www.onvif.org.ver10.topics"[^>]*>\s+x:Device\/Trigger\/DigitalInput\s+</,
  )
  expect(text).toContain(
    '<sch:Source></sch:Source><sch:Data><sch:SimpleItem Name="LogicalState" Value="false"/>',
  )
  expect(text).not.toContain('Initialized')
  const [now, end] = ['CurrentTime', 'TerminationTime'].map((name) =>
    Date.parse(new RegExp(`${name}>(.*?)<`).exec(text)?.[1] ?? ''),
  )
  expect((end ?? 0) - (now ?? 0)).toBeLessThanOrEqual(6_000)
  const capabilities = '<GetServiceCapabilities xmlns="http://www.onvif.org/ver10/deviceIO/wsdl"/>'
  expect((await io(capabilities)).text).toContain('DigitalInputOptions="false"')
})

test('a camera that can not wait answers at once', async () => {
  await start({ habits: { impatient: true } })
  const address = await subscribe()
  await pull(address)
  expect(await pull(address, 60)).toEqual([])
})

test('single operations fail, hang or stick as they are told', async () => {
  await start()
  camera.plays('GotoPreset', 'fails', 1)
  expect((await ptz(goto('1'))).text).toMatch(/env12:Receiver.*err:Action</s)
  camera.plays('GotoPreset', 'sticks', 1)
  expect((await ptz(goto('1'))).status).toBe(200)
  expect(camera.preset).toBeNull()
  expect((await ptz(goto('1'))).status).toBe(200)
  expect(camera.preset).toBe('1')
  camera.plays('snapshot', 'fails', 1)
  expect((await fetch(`http://127.0.0.1:${camera.port}/snapshot.jpg`, { headers: basic })).status).toBe(500)
})

test('it can tell addresses that lead nowhere', async () => {
  await start({ xaddrHost: 'camera.invalid' })
  const services = await device('<GetServices xmlns="http://www.onvif.org/ver10/device/wsdl"/>')
  expect(services.text).toContain(
    `<dev:XAddr>http://camera.invalid:${camera.port}/onvif/services/ptz</dev:XAddr>`,
  )
  expect(await subscribe()).toContain('http://camera.invalid:')
})

test('npm onvif connects, reads presets, turns, and hears an input', async () => {
  const { Cam } = createRequire(import.meta.url)('onvif/promises')
  await start({ clockOffsetMs: -120_000 })
  const cam = new Cam({ hostname: '127.0.0.1', port: camera.port, username: 'bridge', password: 'right' })
  await cam.connect()
  expect((await cam.getDeviceInformation()).model).toBe('Mock camera')
  expect((await cam.getCapabilities()).extension.deviceIO.XAddr).toContain('/onvif/services/deviceio')
  expect(Object.keys(await cam.getPresets())).toEqual(['Door', 'Triage 2'])
  await cam.gotoPreset({ preset: '2' })
  await camera.journal.expect('GotoPreset', ({ preset }) => preset === '2')
  expect((await cam.getSnapshotUri({})).uri).toContain('/snapshot.jpg')
  expect((await cam.getStatus({})).position.x).toBeCloseTo(2 / 3)
  await cam.createPullPointSubscription()
  camera.input('DI_0', true)
  const { notificationMessage } = await cam.pullMessages({ messageLimit: 10 })
  expect(notificationMessage.at(-1).topic._).toBe('tns1:Device/Trigger/DigitalInput')
  expect(notificationMessage.at(-1).message.message.data.simpleItem.$.Value).toBe(true)
  await cam.unsubscribe()
  expect(camera.subscriptions).toBe(0)
})
