import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Mosquitto, startMosquitto } from '../../mocks/mosquitto/index.ts'
import { testContext } from '../../test/context.ts'
import { until } from './fixtures/bridge.ts'
import mqtt from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'mqtt-tls-'))
const path = (name: string) => join(folder, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })

const authority = (name: string) =>
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
  )

const certificate = (name: string, by: string, subject: string, alternative?: string) => {
  openssl(
    'req',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    `/CN=${subject}`,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.csr`,
  )
  writeFileSync(
    path(`${name}.ext`),
    alternative ? `subjectAltName=${alternative}\n` : 'basicConstraints=CA:FALSE\n',
  )
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${by}.pem`,
    '-CAkey',
    `${by}.key`,
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    `${name}.ext`,
    '-out',
    `${name}.pem`,
  )
}

beforeAll(() => {
  authority('ours')
  authority('others')
  certificate('broker', 'ours', 'broker', 'IP:127.0.0.1,DNS:broker.test')
  certificate('elsewhere', 'ours', 'elsewhere', 'DNS:elsewhere.test')
  certificate('bridge', 'ours', 'bridge')
  certificate('stranger', 'others', 'bridge')
  chmodSync(folder, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true }))

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const brokerWith = async (name: string, mutual = false): Promise<Mosquitto> => {
  const tls = { cert: path(`${name}.pem`), key: path(`${name}.key`), ...(mutual && { ca: path('ours.pem') }) }
  const broker = await startMosquitto({ tls })
  ends.push(() => broker.close())
  return broker
}

const open = async (broker: Mosquitto, tls: object | undefined, version = 4) => {
  const around = testContext()
  const url = `mqtts://127.0.0.1:${broker.port}`
  const config = mqtt.config.parse({ url, profile: 'kontakt', version, ...(tls && { tls }), timeout: '3s' })
  const none = new Map<string, never>()
  const link = await mqtt.open({ name: 'x', config, inputs: none, outputs: none, cursors: none }, around.ctx)
  ends.push(() => link.close())
  return { link, ...around }
}

test.each([4, 5])(
  'a broker is trusted by our own authority, and presses come through, level %i',
  async (version) => {
    const broker = await brokerWith('broker')
    const { link, facts } = await open(broker, { ca: path('ours.pem') }, version)
    await link.beat?.('over-tls', new AbortController().signal)
    await until(() => facts.length === 1, 'the heartbeat comes in')
    expect(await link.probe?.(null, new AbortController().signal)).toMatchObject({ messages: 1 })
  },
)

test('a certificate in place of a user and password', async () => {
  const broker = await brokerWith('broker', true)
  const ours = { ca: path('ours.pem'), cert: path('bridge.pem'), key: path('bridge.key') }
  const { link } = await open(broker, ours)
  await link.close()
  for (const wrong of [
    { ca: ours.ca },
    { ca: ours.ca, cert: path('stranger.pem'), key: path('stranger.key') },
  ])
    await expect(open(broker, wrong)).rejects.toMatchObject({ name: 'BridgeError' })
  await until(() => broker.openSockets === 0, 'nothing stays open')
})

test('a broker that nobody vouches for gets nothing: not even our user', async () => {
  const broker = await brokerWith('broker')
  await expect(open(broker, undefined)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(open(broker, { ca: path('others.pem') })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await until(() => broker.openSockets === 0, 'nothing stays open')
})

test('a certificate for another name is refused, unless that is the name', async () => {
  const broker = await brokerWith('elsewhere')
  await expect(open(broker, { ca: path('ours.pem') })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await open(broker, { ca: path('ours.pem'), 'server-name': 'elsewhere.test' })
})

test('a certificate that is not there is told when the link opens', async () => {
  const broker = await brokerWith('broker')
  await expect(open(broker, { ca: path('nowhere.pem') })).rejects.toMatchObject({ code: 'SECRET_MISSING' })
})

test('the broker of these tests does speak TLS', async () => {
  const broker = await brokerWith('broker')
  const socket = connect({ port: broker.port, host: '127.0.0.1', rejectUnauthorized: false })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  expect(socket.getPeerCertificate().subject.CN).toBe('broker')
  socket.destroy()
})
