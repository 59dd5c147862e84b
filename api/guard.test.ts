import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { fastify } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import { SimulatedClock } from '../core/clock.ts'
import { authenticator, mayAct } from './auth.ts'
import { Bucket } from './bucket.ts'
import { changeRoutes } from './changes.ts'
import { deviceRoutes } from './devices.ts'
import { type Hospital, hospital } from './fixtures/hospital.ts'
import { guard } from './guard.ts'
import { probeRoute } from './probe.ts'
import { refuse } from './reply.ts'

let at: Hospital | null = null
afterEach(async () => {
  await at?.close()
  at = null
})

const json = { 'content-type': 'application/json' }

/** fetch sets Host and Origin itself, so requests that lie about them are made by hand. */
const raw = (method: string, path: string, headers: Record<string, string>, body = '') =>
  new Promise<{ status: number; body: any }>((resolve, reject) => {
    const sent = request(at!.api.url + path, { method, headers }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }))
    })
    sent.on('error', reject)
    sent.end(body)
  })

const forbidden = { error: { code: 'FORBIDDEN', message: expect.any(String), do: expect.any(String) } }

test('with a token everything but life and the empty page needs it, and the right one is let in', async () => {
  at = await hospital({ token: 'correct horse' })
  for (const path of [
    '/v1/incidents',
    '/v1/stream',
    '/metrics',
    '/readyz',
    '/v1/openapi.json',
    '/nothing-here',
  ]) {
    expect(await at.ask(path)).toEqual({ status: 401, body: forbidden })
    expect((await at.ask(path, undefined, { authorization: 'Bearer wrong' })).status).toBe(401)
  }
  expect((await at.ask('/v1/presses', { device: 'button' })).status).toBe(401)
  expect((await at.ask('/healthz')).status).toBe(200)
  const page = await at.ask('/')
  expect(page.status).toBe(200)
  expect(page.body).not.toContain('Hospital')
  const pressed = await at.ask('/v1/presses', { device: 'button' }, { authorization: 'Bearer correct' })
  expect(pressed.status).toBe(401)
})

test('a token is compared whole', async () => {
  at = await hospital({ token: 'token-1' })
  const status = async (authorization: string) =>
    (await at!.ask('/v1/faults', undefined, { authorization })).status
  expect(await status('Bearer token-1')).toBe(200)
  expect(await status('bearer token-1')).toBe(200)
  for (const wrong of [
    'Bearer token-',
    'Bearer token-12',
    'Bearer TOKEN-1',
    'Basic token-1',
    'token-1',
    'Bearer',
  ])
    expect(await status(wrong)).toBe(401)
})

test('without a token only this machine may ask, unless the config opens the API in so many words', () => {
  const from = (ip: string) => ({ ip, headers: {} }) as never
  const closed = authenticator(null, false, new Map())
  for (const ip of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1'])
    expect(closed(from(ip))).toEqual({ name: 'local', role: 'administrator' })
  for (const ip of ['10.0.0.7', '::ffff:10.0.0.7', '128.0.0.1', 'fe80::1'])
    expect(() => closed(from(ip))).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }))
  expect(authenticator(null, true, new Map())(from('10.0.0.7')).role).toBe('administrator')
})

test.each([
  ['viewer', 403, 403, 403],
  ['responder', 404, 403, 403],
  ['supervisor', 404, 404, 403],
  ['administrator', 404, 404, 404],
])('a %s may only do what the role allows', async (role, acknowledge, release, probe) => {
  at = await hospital()
  const app = fastify()
  const authenticate = () => ({ name: 'somebody', role: role as never })
  guard(app, { authenticate, clock: at.machine.clock, host: '127.0.0.1' })
  app.setErrorHandler((error, _request, reply) => refuse(reply, error))
  changeRoutes(app, at.machine)
  probeRoute(app, at.machine)
  deviceRoutes(app, at.machine)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const post = async (path: string, body: object) =>
    (await fetch(url + path, { method: 'POST', headers: json, body: JSON.stringify(body) })).status
  try {
    expect(await post('/v1/incidents/x/acknowledge', {})).toBe(acknowledge)
    expect(await post('/v1/incidents/x/resolve', { as: 'test' })).toBe(acknowledge)
    expect(await post('/v1/incidents/x/release', {})).toBe(release)
    expect(await post('/v1/probe', { target: 'x' })).toBe(probe)
    expect((await fetch(`${url}/v1/devices`)).status).toBe(200)
  } finally {
    await app.close()
  }
})

test('each role may do what the ones before it may', () => {
  const may = (role: never) =>
    ['viewer', 'responder', 'supervisor', 'administrator'].map((needs) =>
      mayAct({ name: '', role }, needs as never),
    )
  expect(may('viewer' as never)).toEqual([true, false, false, false])
  expect(may('responder' as never)).toEqual([true, true, false, false])
  expect(may('supervisor' as never)).toEqual([true, true, true, false])
  expect(may('administrator' as never)).toEqual([true, true, true, true])
})

test('an address open to other machines is refused without TLS and token', async () => {
  await expect(hospital({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  await expect(hospital({ host: '0.0.0.0', token: 'x' })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  at = await hospital({ host: '0.0.0.0', config: 'api: { plain-beyond-this-machine: true }\n' })
})

test('an address that is taken is said so', async () => {
  at = await hospital()
  const { hostname, port } = new URL(at.api.url)
  const { startApi, makeMeter } = await import('./index.ts')
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const again = startApi(at.machine, {
    listen: { host: hostname, port: Number(port) },
    token: null,
    log,
    version: '1',
    registry: makeMeter().registry,
  })
  await expect(again).rejects.toMatchObject({
    code: 'NOT_LISTENING',
    message: expect.stringContaining(`${hostname}:${port}`),
  })
})

test('a page of another origin can change nothing', async () => {
  at = await hospital()
  const { host } = new URL(at.api.url)
  const press = (headers: Record<string, string>) =>
    raw('POST', '/v1/presses', { host, ...headers }, '{"device":"button"}')
  expect(await press({ ...json, origin: 'http://evil.example' })).toEqual({ status: 403, body: forbidden })
  expect(await press({ ...json, origin: 'null' })).toEqual({ status: 403, body: forbidden })
  expect(await press({ ...json, origin: `http://${host.replace(/\d+$/, '1')}` })).toEqual({
    status: 403,
    body: forbidden,
  })
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonp',
  ])
    expect(await press({ 'content-type': type })).toMatchObject({
      status: 415,
      body: { error: { code: 'BAD_REQUEST' } },
    })
  expect(await press({})).toMatchObject({ status: 415 })
  expect((await at.ask('/v1/incidents')).body.incidents).toEqual([])
  expect((await press({ ...json, origin: `http://${host}` })).status).toBe(201)
})

test('a name that a foreign page made point here is refused', async () => {
  at = await hospital()
  const { port } = new URL(at.api.url)
  const get = (host: string) => raw('GET', '/v1/incidents', { host })
  expect(await get(`rebound.example:${port}`)).toEqual({ status: 403, body: forbidden })
  expect(await get('127.0.0.1.rebound.example')).toEqual({ status: 403, body: forbidden })
  for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, 'LOCALHOST'])
    expect((await get(host)).status).toBe(200)
})

test.each([
  ['bad JSON', '/v1/presses', '{', 400, 'BAD_REQUEST'],
  ['a poisoned prototype', '/v1/presses', '{"__proto__":{"a":1}}', 400, 'BAD_REQUEST'],
  ['no object', '/v1/presses', '[1]', 400, 'BAD_REQUEST'],
  ['an unknown field', '/v1/presses', '{"devise":"button"}', 400, 'BAD_REQUEST'],
  ['a wrong type', '/v1/presses', '{"device":7}', 400, 'BAD_REQUEST'],
  ['an unknown kind', '/v1/presses', '{"kind":"party"}', 400, 'BAD_REQUEST'],
  ['control characters', '/v1/presses', '{"from":"a\\u001bb"}', 400, 'BAD_REQUEST'],
  [
    'an overlong name',
    '/v1/incidents/x/acknowledge',
    JSON.stringify({ by: 'b'.repeat(101) }),
    400,
    'BAD_REQUEST',
  ],
  ['a resolve without its kind', '/v1/incidents/x/resolve', '{}', 400, 'BAD_REQUEST'],
  ['64 KiB', '/v1/presses', JSON.stringify({ from: 'x'.repeat(70_000) }), 413, 'TOO_LARGE'],
  ['an unknown route', '/v1/nothing', '{}', 404, 'NOT_FOUND'],
  ['an overlong id', `/v1/incidents/${'x'.repeat(150)}/acknowledge`, '{}', 400, 'BAD_REQUEST'],
  ['an id beyond the router', `/v1/incidents/${'x'.repeat(300)}/acknowledge`, '{}', 414, 'BAD_REQUEST'],
  ['a broken escape', '/v1/%zz', '{}', 400, 'BAD_REQUEST'],
])('%s is refused in the one shape of failures', async (_what, path, body, status, code) => {
  at = await hospital()
  const { host } = new URL(at.api.url)
  const answered = await raw(
    'POST',
    path,
    { host, ...json, 'content-length': String(Buffer.byteLength(body)) },
    body,
  )
  expect(answered).toEqual({
    status,
    body: { error: { code, message: expect.any(String), do: expect.any(String) } },
  })
  expect(JSON.stringify(answered.body)).not.toMatch(/node_modules|\.ts:|xxxx/)
})

test('bad queries are refused', async () => {
  at = await hospital()
  for (const query of [
    'open=maybe',
    'limit=0',
    'limit=101',
    'cursor=-1',
    'cursor=1;DROP',
    'other=1',
    'limit=1&limit=2',
  ])
    expect(await at.ask(`/v1/incidents?${query}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'BAD_REQUEST' } },
    })
  expect((await at.ask('/v1/stream?from=x')).status).toBe(400)
})

test('an empty body of JSON will do where nothing is required', async () => {
  at = await hospital()
  const { host } = new URL(at.api.url)
  const { incident } = (await at.ask('/v1/presses', {})).body
  expect((await raw('POST', `/v1/incidents/${incident}/acknowledge`, { host, ...json })).status).toBe(200)
})

test('bytes that are not HTTP get an answer in the same shape', async () => {
  at = await hospital()
  const { hostname, port } = new URL(at.api.url)
  const text = await new Promise<string>((resolve) => {
    let got = ''
    const socket = connect(Number(port), hostname, () => socket.write('\x16\x03\x01 hello\r\n\r\n'))
    socket.on('data', (chunk) => {
      got += chunk
    })
    socket.on('close', () => resolve(got))
  })
  expect(text).toMatch(/^HTTP\/1\.1 400 /)
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n'))).error.code).toBe('BAD_REQUEST')
})

test('whoever changes things too fast is slowed down, but no press is', async () => {
  at = await hospital()
  const many = await Promise.all(
    Array.from({ length: 200 }, () => at!.ask('/v1/incidents/x/acknowledge', {})),
  )
  expect(new Set(many.map(({ status }) => status))).toEqual(new Set([404, 429]))
  expect(many.find(({ status }) => status === 429)!.body.error.code).toBe('TOO_BUSY')
  expect((await at.ask('/v1/presses', { device: 'button' })).status).toBe(201)
})

test('a slowed address gets its budget back with time, and others keep theirs', async () => {
  const clock = new SimulatedClock()
  const bucket = new Bucket(clock)
  const taken = () => Array.from({ length: 300 }, () => bucket.take('a')).filter(Boolean).length
  expect(taken()).toBe(100)
  expect(bucket.take('b')).toBe(true)
  await clock.advance(1_000)
  expect(taken()).toBe(20)
})

test('with a certificate it speaks TLS and nothing else', async () => {
  const pem = (name: string) =>
    readFileSync(new URL(`../connectors/http/fixtures/${name}`, import.meta.url), 'utf8')
  const tls = { cert: pem('server.pem'), key: pem('server.key.pem') }
  at = await hospital({ tls, token: 'token-1' })
  const { protocol, port } = new URL(at.api.url)
  expect(protocol).toBe('https:')
  const status = await new Promise((resolve, reject) => {
    const headers = { authorization: 'Bearer token-1' }
    const to = { host: '127.0.0.1', port, path: '/readyz', ca: pem('ca.pem'), headers }
    secureRequest(to, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end()
  })
  expect(status).toBe(200)
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow()
})

test('the README has every route', async () => {
  at = await hospital()
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8')
  const { paths } = (await at.ask('/v1/openapi.json')).body
  for (const [path, methods] of Object.entries<Record<string, unknown>>(paths))
    for (const method of Object.keys(methods))
      expect(readme).toContain(`| ${method.toUpperCase()} \`${path}\` |`)
})
