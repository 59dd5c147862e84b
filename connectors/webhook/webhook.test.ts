import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Context } from '../../core/connector.ts'
import { BridgeError } from '../../core/error.ts'
import type { Fact, Json, Press } from '../../core/fact.ts'
import { type Returned, type WebhookSenderOptions, webhookSender } from '../../mocks/webhook-sender/index.ts'
import { testContext } from '../../test/context.ts'
import webhook from './index.ts'

const secret = 'correct horse battery staple'
const links: { close(): Promise<void> }[] = []

beforeEach(() => {
  process.env['WEBHOOK_TEST_SECRET'] = secret
})
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()))
  delete process.env['WEBHOOK_TEST_SECRET']
})

const bearer = { bearer: { env: 'WEBHOOK_TEST_SECRET' } }
const hmac = (more: object) => ({ hmac: { secret: { env: 'WEBHOOK_TEST_SECRET' }, ...more } })
const badges = { anna: { id: '0117' }, ben: { id: '0118' } }

const parsed = (config: object, inputs: Record<string, Json> = badges) => ({
  name: 'badges',
  config: webhook.config.parse({ listen: '127.0.0.1:0', ...config }),
  inputs: new Map(Object.entries(inputs).map(([name, input]) => [name, webhook.input!.parse(input)])),
  outputs: new Map<string, never>(),
})

const open = async (config: object = bearer, context: Partial<Context> = {}) => {
  const test = testContext(context)
  const link = await webhook.open({ ...parsed(config), cursors: new Map() }, test.ctx)
  links.push(link)
  const probe = () =>
    link.probe!(null, new AbortController().signal) as Promise<{ url: string; refused: Json }>
  const { url } = await probe()
  const sender = (options: Partial<WebhookSenderOptions> = { bearer: secret }) =>
    webhookSender({ url, ...options })
  return { ...test, link, url, probe, sender }
}

const bodyOf = ({ body }: Returned) => JSON.parse(body)
const one = (facts: readonly Fact[]) => facts[0] as Press

describe('a press', () => {
  test('is recorded before it is answered, and the answer names it', async () => {
    let recordNow = () => {}
    const may = new Promise<void>((resolve) => {
      recordNow = resolve
    })
    const { facts, sender, ctx } = await open(bearer, {
      record: async (fact) => {
        facts.push(fact)
        await may
        return { duplicate: false, id: 'event-1', incident: 'incident-1' }
      },
    })
    expect(ctx).toBeDefined()
    let answered = false
    const sent = sender()
      .send({ id: '0117', kind: 'weapon', pattern: 'double', person: 'Anna', key: 'k1' })
      .then((returned) => {
        answered = true
        return returned
      })
    await vi.waitFor(() => expect(facts).toHaveLength(1))
    expect(answered).toBe(false)
    recordNow()
    const returned = await sent
    expect(returned.status).toBe(200)
    expect(bodyOf(returned)).toEqual({ id: 'event-1', incident: 'incident-1', duplicate: false })
    expect(one(facts)).toMatchObject({
      is: 'press',
      phase: 'active',
      device: 'anna',
      kind: 'weapon',
      pattern: 'double',
      person: 'Anna',
    })
  })

  test('of a badge that nobody configured is recorded as well, with words that help', async () => {
    const { facts, sender } = await open({
      ...bearer,
      areas: { 'gw-4': { place: 'north/ed', precision: 'zone' } },
    })
    expect((await sender().send({ id: '0999', area: 'gw-4' })).status).toBe(200)
    expect(one(facts)).toMatchObject({
      device: null,
      from: 'webhook badges: unknown id 0999, near gw-4',
      sighting: { place: 'north/ed', precision: 'zone', from: 'badge' },
    })
  })

  test('is taken in spite of details that are nonsense', async () => {
    const { facts, sender } = await open()
    const call = {
      id: 117,
      kind: 'robery',
      at: 'yesterday',
      phase: 'on',
      confidence: 7,
      drill: 'no',
      extra: [],
    }
    expect((await sender().send(call)).status).toBe(200)
    expect(one(facts)).toMatchObject({ phase: 'active', from: 'webhook badges: unknown id 117' })
    expect(one(facts)).not.toHaveProperty('kind')
    expect(one(facts)).not.toHaveProperty('drill')
  })

  test('tells when and where it was seen; a time that can not be is not believed for the place', async () => {
    const { facts, sender, ctx } = await open({ ...bearer, precision: 'room' })
    const at = ctx.clock.now() - 30_000
    await sender().send({ id: '0117', place: 'north/ed/triage-2', at: new Date(at).toISOString() })
    expect(one(facts)).toMatchObject({
      occurredAt: at,
      sighting: { place: 'north/ed/triage-2', precision: 'room', at },
    })
    await sender().send({ id: '0117', place: 'north/ed/triage-2', at: 12 })
    expect((facts[1] as Press).occurredAt).toBe(12_000)
    expect((facts[1] as Press).sighting?.at).toBeGreaterThan(at)
  })

  test('several in one request are recorded each, and answered as a list', async () => {
    const { facts, sender } = await open()
    const returned = await sender().send([{ id: '0117' }, { id: '0118' }], { key: 'both' })
    expect(bodyOf(returned).presses).toHaveLength(2)
    expect(facts.map(({ device }) => device)).toEqual(['anna', 'ben'])
  })
})

describe('a retry', () => {
  test.each([
    ['by its header', { id: '0117' }, 'delivery-7'],
    ['by its field', { id: '0117', key: 'press-7' }, undefined],
    ['by its time', { id: '0117', at: '2026-01-05T08:00:00Z' }, undefined],
    ['by its body alone', { id: '0117' }, undefined],
  ])('gets the same answer but for `duplicate`, %s', async (_how, payload, key) => {
    const { facts, sender } = await open()
    const returned = await sender().repeat(payload, { times: 3, ...(key && { key }) })
    expect(facts).toHaveLength(1)
    const [first, ...more] = returned.map(bodyOf)
    expect(first.duplicate).toBe(false)
    for (const each of more) expect(each).toEqual({ ...first, duplicate: true })
  })

  test('another device under the same key is another press', async () => {
    const { facts, sender } = await open()
    await sender().send({ id: '0117' }, { key: '1' })
    await sender().send({ id: '0118' }, { key: '1' })
    expect(facts).toHaveLength(2)
  })

  test('a signed request that is played back under another key is the same press', async () => {
    const { facts, url } = await open(hmac({ style: 'stripe' }))
    const sender = webhookSender({ url, hmac: { secret, style: 'stripe' } })
    const at = Date.now()
    for (const key of ['one', 'two'])
      await sender.send({ id: '0117' }, { at, headers: { 'idempotency-key': key } })
    expect(facts).toHaveLength(1)
  })
})

describe('who may send', () => {
  const cases = [
    ['hex', {}, {}],
    ['base64', {}, {}],
    ['github', {}, {}],
    ['stripe', {}, {}],
    ['slack', {}, {}],
    ['standard', {}, {}],
    ['hex', { header: 'x-ours' }, { header: 'x-ours' }],
  ] as const

  test.each(cases)(
    'HMAC in the style of %s: right is taken, wrong is not',
    async (style, config, options) => {
      const { facts, sender } = await open(hmac({ style, ...config }))
      const right = sender({ hmac: { secret, style, ...options } })
      expect((await right.send({ id: '0117', key: 'a' })).status).toBe(200)
      for (const tamper of ['body', 'signature', 'no-signature'] as const) {
        const returned = await right.send({ id: '0118', key: tamper }, { tamper })
        expect(returned.status).toBe(401)
        expect(bodyOf(returned).error.code).toBe('BAD_SIGNATURE')
      }
      const wrong = sender({ hmac: { secret: 'guessed', style, ...options } })
      expect((await wrong.send({ id: '0118' })).status).toBe(401)
      expect(facts).toHaveLength(1)
    },
  )

  test.each(['stripe', 'slack', 'standard', 'hex'] as const)(
    'a signed time (%s) that is too old, too new or changed is refused',
    async (style) => {
      const header = style === 'hex' ? { 'timestamp-header': 'x-timestamp' } : {}
      const { facts, sender } = await open(hmac({ style, ...header }))
      const right = sender({ hmac: { secret, style }, ...(style === 'hex' && { timestamped: true }) })
      const minute = 60_000
      for (const at of [Date.now() - 6 * minute, Date.now() + 6 * minute])
        expect((await right.send({ id: '0117' }, { at })).status).toBe(401)
      expect((await right.send({ id: '0117' }, { tamper: 'timestamp' })).status).toBe(401)
      expect(facts).toEqual([])
      expect((await right.send({ id: '0117' }, { at: Date.now() - 2 * minute })).status).toBe(200)
    },
  )

  test('bearer: the token and nothing else', async () => {
    const { facts, sender } = await open()
    for (const tamper of ['bearer', 'no-bearer'] as const)
      expect((await sender().send({ id: '0117' }, { tamper })).status).toBe(401)
    expect(facts).toEqual([])
    expect((await sender().send({ id: '0117' })).status).toBe(200)
  })

  test('no flood of wrong requests keeps a right one from the same address out', async () => {
    const { facts, sender, probe, lines } = await open()
    const wrong = sender({ bearer: 'guessed' })
    const statuses = new Set<number>()
    for (let i = 0; i < 80; i++) statuses.add((await wrong.send({ id: '0117' })).status)
    expect(statuses).toEqual(new Set([401, 429]))
    expect((await sender().send({ id: '0117' })).status).toBe(200)
    expect(facts).toHaveLength(1)
    expect((await probe()).refused).toEqual({ BAD_SIGNATURE: 80 })
    expect(lines.filter(({ text }) => text.includes('refused'))).toHaveLength(1)
  })

  test('the secret is in no answer and no log line', async () => {
    const { sender, lines, probe } = await open()
    const returned = await sender({ bearer: `${secret}!` }).send({ id: '0117' })
    expect(JSON.stringify([returned, lines, await probe()])).not.toContain(secret)
  })
})

describe('what can not be recorded', () => {
  test.each([
    ['NOT_RECORDED', 503],
    ['TOO_BUSY', 429],
  ] as const)('%s is never a success, and says when to try again', async (code, status) => {
    const { sender } = await open(bearer, {
      record: async () => {
        throw new BridgeError(code, 'the disk is full')
      },
    })
    const returned = await sender().send({ id: '0117' })
    expect(returned).toMatchObject({ status, headers: { 'retry-after': '1' } })
    expect(bodyOf(returned).error.code).toBe(code)
  })

  test('of several presses the others are recorded, and the whole is asked for again', async () => {
    const recorded: Fact[] = []
    const { sender } = await open(bearer, {
      record: async (fact) => {
        if (fact.device === 'anna') throw new BridgeError('NOT_RECORDED', 'no')
        recorded.push(fact)
        return { duplicate: false, id: fact.key, incident: null }
      },
    })
    expect((await sender().send([{ id: '0117' }, { id: '0118' }])).status).toBe(503)
    expect(recorded.map(({ device }) => device)).toEqual(['ben'])
  })
})

describe('profiles and maps', () => {
  test('CloudEvents, structured and batched; source and id make the key', async () => {
    const { facts, sender } = await open({ ...bearer, profile: 'cloudevents' })
    const event = (id: string, more: object) => ({
      specversion: '1.0',
      type: 'badge.pressed',
      source: '/badges',
      id,
      time: '2026-01-05T08:00:00Z',
      ...more,
    })
    await sender().send(event('1', { subject: '0117' }) as Json)
    await sender().send([
      event('1', { subject: '0117' }),
      event('2', { data: { id: '0118', kind: 'medical' } }),
    ] as Json)
    expect(facts).toMatchObject([
      { device: 'anna', occurredAt: Date.UTC(2026, 0, 5, 8) },
      { device: 'ben', kind: 'medical' },
    ])
    expect((await sender().send({ id: '0117' })).status).toBe(400)
  })

  const chirpstack = `$exists(object.press) ? {
    "id": deviceInfo.devEui, "pattern": object.press, "key": deduplicationId, "at": time, "area": rxInfo[0].gatewayId }`

  test('a map makes a press of any other body, or nothing', async () => {
    const { facts, sender } = await open({ ...bearer, map: chirpstack })
    const uplink = {
      deduplicationId: '3ac7e3c4-4401-4b8d-9386-a5c902f9202d',
      time: '2026-01-05T08:00:00+00:00',
      deviceInfo: { devEui: '0117' },
      rxInfo: [{ gatewayId: 'gw-4', rssi: -60 }],
    }
    expect(bodyOf(await sender().send({ ...uplink, object: { battery: 90 } }))).toEqual({ presses: [] })
    expect(facts).toEqual([])
    await sender().send({ ...uplink, object: { press: 'long' } })
    expect(facts).toMatchObject([{ device: 'anna', pattern: 'long', raw: uplink }])
  })

  test.each([
    ['$f := function($x) { $f($x + 1) }; $f(1)', 'endless'],
    ['[1..1000000000]', 'huge'],
    ['$error("no")', 'failing'],
    ['function($x) { $x }', 'not a press'],
    ['{"id": {"a": 1}}', 'not an id'],
  ])('a map that goes wrong, %s, is a bad request and harms nobody', async (map) => {
    const { facts, sender } = await open({ ...bearer, map: map.startsWith('$f') ? `(${map})` : map })
    expect((await sender().send({ id: '0117' })).status).toBe(400)
    expect(facts).toEqual([])
  })
})

describe('a heartbeat', () => {
  const styles = ['hex', 'base64', 'github', 'stripe', 'slack', 'standard'] as const
  const configs = [
    ['bearer', bearer],
    ...styles.map((style) => [style, { hmac: { secret: bearer.bearer, style } }] as const),
    ['hex with time', { hmac: { secret: bearer.bearer, style: 'hex', 'timestamp-header': 'x-time' } }],
    ['a map that knows nothing of it', { ...bearer, map: '$.events' }],
  ] as const
  test.each(configs)('comes in over its own wire: %s', async (_, config) => {
    const { facts, link } = await open(config)
    await link.beat?.('mark-1', AbortSignal.timeout(5_000))
    expect(one(facts)).toMatchObject({ is: 'press', heartbeat: 'mark-1', device: null })
  })

  test('that nobody has sent is a request like any other', async () => {
    const { facts, sender } = await open()
    expect((await sender().send({ heartbeat: 'mark-1' })).status).toBe(400)
    expect((await sender().send({ heartbeat: 'mark-1', id: '0117' })).status).toBe(200)
    expect(one(facts)).not.toHaveProperty('heartbeat')
  })

  test('that can not be recorded says so', async () => {
    const { link } = await open(bearer, {
      record: () => Promise.reject(new BridgeError('NOT_RECORDED', 'no disk')),
    })
    await expect(link.beat?.('mark-1', AbortSignal.timeout(5_000))).rejects.toThrow('503')
  })
})

describe('bad requests', () => {
  test.each([
    ['not JSON', 'not json', 400],
    ['an empty body', '', 400],
    ['no press', '{}', 400],
    ['an empty list', '[]', 400],
    ['a number', '7', 400],
    ['deep JSON', `${'['.repeat(40)}${']'.repeat(40)}`, 400],
    ['deeper JSON', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, 400],
    ['too many', JSON.stringify(Array.from({ length: 101 }, () => ({ id: '0117' }))), 400],
  ])('%s is refused in words, and the next press is taken', async (_what, body, status) => {
    const { facts, sender } = await open()
    const returned = await sender().send(Buffer.from(body))
    expect(returned.status).toBe(status)
    expect(bodyOf(returned).error.message).toBeTruthy()
    expect((await sender().send({ id: '0117' })).status).toBe(200)
    expect(facts).toHaveLength(1)
  })

  test('another method, another path, a body that is too large', async () => {
    const { facts, sender, url } = await open()
    const sent = await sender().send({ id: '0117' }, { method: 'PUT' })
    expect(sent).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect((await webhookSender({ url: `${url}other`, bearer: secret }).send({ id: '0117' })).status).toBe(
      404,
    )
    const large = Buffer.from(JSON.stringify({ id: '0117', more: 'x'.repeat(70_000) }))
    expect((await sender().send(large)).status).toBe(413)
    expect((await sender().send(large, { body: 'chunked' })).status).toBe(413)
    expect((await sender().send({ id: '0117' }, { body: 'oversized' })).status).toBe(413)
    expect(facts).toEqual([])
  })

  test('a body in pieces is whole; half a body is nothing', async () => {
    const { facts, sender } = await open()
    expect((await sender().send({ id: '0117' }, { body: 'slow' })).status).toBe(200)
    expect((await sender().send({ id: '0118' }, { body: 'truncated' })).status).toBe(0)
    expect((await sender().send({ id: '0118' }, { body: 'stalled', withinMs: 200 })).status).toBe(0)
    expect((await sender().send({ id: '0117', key: 'after' })).status).toBe(200)
    expect(facts.map(({ device }) => device)).toEqual(['anna', 'anna'])
  })

  test('whatever bytes come: an error or a record, never a success without one, and the next press is taken', async () => {
    const { facts, sender } = await open()
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
      fc
        .record({ id: fc.anything(), key: fc.anything(), at: fc.anything(), kind: fc.anything() })
        .map((value) =>
          Buffer.from(JSON.stringify(value, (_k, v) => (typeof v === 'bigint' ? String(v) : v)) ?? ''),
        ),
    )
    const header = fc.dictionary(
      fc.constantFrom('idempotency-key', 'content-type', 'x-signature', 'expect-nothing'),
      fc.string({ unit: fc.constantFrom('a', '"', '\\', ' ', ';', '=', ',', '\u00e9'), maxLength: 300 }),
    )
    let n = 0
    await fc.assert(
      fc.asyncProperty(anything, header, async (body, headers) => {
        const before = facts.length
        const returned = await sender().send(body, { headers })
        expect([200, 400, 429]).toContain(returned.status)
        const answered =
          returned.status === 200 ? [bodyOf(returned)].flatMap((all) => all.presses ?? all) : []
        const fresh = answered.filter(({ duplicate }) => !duplicate)
        expect(facts.length - before).toBe(fresh.length)
        if (returned.status === 200) expect(answered.length).toBeGreaterThan(0)
        expect((await sender().send({ id: '0117', key: `good ${n++}` })).status).toBe(200)
      }),
      { numRuns: 200 },
    )
    expect(facts.filter(({ device }) => device === 'anna').length).toBeGreaterThanOrEqual(n)
  })

  test('bytes that are no HTTP end their connection and nothing else', async () => {
    const { sender, url } = await open()
    const { port } = new URL(url)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const socket = connect(Number(port), '127.0.0.1')
        await new Promise<void>((resolve) => {
          socket.on('close', () => resolve())
          socket.on('error', () => {})
          socket.resume()
          socket.end(bytes)
        })
      }),
      { numRuns: 50 },
    )
    expect((await sender().send({ id: '0117' })).status).toBe(200)
  })
})

describe('listening', () => {
  test('two webhooks share an address by their paths; the same path twice is refused', async () => {
    const probe = await open()
    const listen = `127.0.0.1:${new URL(probe.url).port}`
    await probe.link.close()
    const one = await open({ ...bearer, listen, path: '/one' })
    const two = await open({ ...bearer, listen, path: '/two' })
    await expect(open({ ...bearer, listen, path: '/two' })).rejects.toMatchObject({ code: 'NOT_LISTENING' })
    await two.sender().send({ id: '0117' })
    expect([one.facts.length, two.facts.length]).toEqual([0, 1])
    await one.link.close()
    expect((await one.sender().send({ id: '0117' })).status).toBe(404)
    expect((await two.sender().send({ id: '0118' })).status).toBe(200)
    await two.link.close()
    const again = await open({ ...bearer, listen, path: '/two' })
    expect((await again.sender().send({ id: '0117' })).status).toBe(200)
  })

  test('over TLS where a certificate is configured', async () => {
    const pem = (what: string) => fileURLToPath(new URL(`fixtures/test-only-${what}.pem`, import.meta.url))
    const { url, facts } = await open({ ...bearer, tls: { cert: pem('cert'), key: pem('key') } })
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${secret}` }
      const call = request(url, { method: 'POST', headers, ca: readFileSync(pem('cert')) }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      call.on('error', reject).end('{"id":"0117"}')
    })
    expect(url).toMatch(/^https:/)
    expect(status).toBe(200)
    expect(facts).toHaveLength(1)
    const missing = { ...bearer, tls: { cert: '/nowhere/cert.pem', key: pem('key') } }
    await expect(open(missing)).rejects.toMatchObject({ code: 'NOT_LISTENING' })
  })

  test('an address that somebody else has, or a secret that is not there, refuses to open', async () => {
    const { url } = await open()
    const other = { ...bearer, listen: `127.0.0.1:${new URL(url).port}`, path: '/other' }
    await expect(open(other)).rejects.toMatchObject({ code: 'NOT_LISTENING' })
    await expect(open({ bearer: { env: 'WEBHOOK_TEST_NONE' } })).rejects.toMatchObject({
      code: 'SECRET_MISSING',
    })
  })

  test('closing is prompt, twice is fine, and a request under way gets its answer', async () => {
    let recordNow = () => {}
    const may = new Promise<void>((resolve) => {
      recordNow = resolve
    })
    const { link, sender, facts } = await open(bearer, {
      record: async (fact) => {
        facts.push(fact)
        await may
        return { duplicate: false, id: fact.key, incident: null }
      },
    })
    const sent = sender().send({ id: '0117' })
    await vi.waitFor(() => expect(facts).toHaveLength(1))
    const closed = link.close()
    recordNow()
    expect((await sent).status).toBe(200)
    await closed
    await link.close()
    expect((await sender().send({ id: '0117' })).status).toBe(0)
  })
})

describe('check', () => {
  const checked = (config: object, inputs?: Record<string, Json>) => webhook.check!(parsed(config, inputs))

  test('what is reachable from outside needs TLS, or says so', () => {
    expect(checked({ ...bearer, listen: '0.0.0.0:8081' })).toMatchObject([
      { path: ['config', 'listen'], fatal: true },
    ])
    expect(checked({ ...bearer, listen: '0.0.0.0:8081', 'plain-beyond-this-machine': true })).toEqual([])
    expect(checked({ ...bearer, listen: '[::1]:8081' })).toEqual([])
  })

  test('a map that is no JSONata is named with its position', () => {
    const [finding] = checked({ ...bearer, map: '{ "id": }' })
    expect(finding).toMatchObject({ path: ['config', 'map'], fatal: true })
    expect(finding?.message).toMatch(/character \d+/)
    expect(checked({ ...bearer, map: '{ "id": badge }' })).toEqual([])
  })

  test('two devices with one id are refused by name', () => {
    const findings = checked(bearer, { anna: { id: '7' }, ben: { id: '7' } })
    expect(findings).toMatchObject([{ path: ['inputs', 'ben', 'id'], fatal: true }])
    expect(findings[0]?.message).toContain('anna')
  })

  test.each([
    [{}, 'exactly one'],
    [{ ...bearer, ...hmac({}) }, 'exactly one'],
    [{ ...bearer, map: 'id', profile: 'press' }, 'one of the two'],
    [hmac({ style: 'stripe', 'timestamp-header': 'x-time' }), 'time of its own'],
    [{ ...bearer, listen: '8081' }, 'host:port'],
    [{ ...bearer, path: 'hook' }, 'slash'],
  ])('refuses %j', (config, message) => {
    const issues = webhook.config.safeParse(config).error?.issues.map((issue) => issue.message)
    expect(issues?.join()).toContain(message)
  })
})
