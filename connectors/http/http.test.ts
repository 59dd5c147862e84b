import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcp, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Outcome } from '../../core/command.ts'
import { testContext } from '../../test/context.ts'
import http, { type Target } from './index.ts'

interface Heard {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

type Answer = (response: ServerResponse, heard: Heard) => void

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const listen = async (server: Server | TcpServer) => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

/** A server that keeps what it hears and answers as told; without being told 200 and no body. */
const sink = async (answer: Answer = (response) => response.end()) => {
  const heard: Heard[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body }
    heard.push(one)
    answer(response, one)
  })
  const port = await listen(server)
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { heard, url: `http://127.0.0.1:${port}` }
}

const json =
  (body: unknown, status = 200): Answer =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const none = new Map<string, never>()
const secrets: { [name: string]: string } = { PASSWORD: 'pa55word', TOKEN: 't0ken' }

const start = async (raw: object, target: object = {}) => {
  const config = http.config.parse({ timeout: '400ms', ...raw })
  const address = http.output?.parse(target) as Target
  const { ctx } = testContext({ secret: async (ref) => secrets['env' in ref ? ref.env : ''] ?? '' })
  const outputs = new Map([['target', address]])
  const fatal = (http.check?.({ name: 'x', config, inputs: none, outputs }) ?? []).filter(
    (found) => found.fatal,
  )
  expect(fatal).toEqual([])
  const link = await http.open({ name: 'x', config, inputs: none, outputs, cursors: none }, ctx)
  ends.push(() => link.close())
  const act = (capability: string, args: object = {}, signal = new AbortController().signal) =>
    (link.acts as any)[capability]({
      id: 'i1/step.0/a',
      attempt: 1,
      address,
      args,
      signal,
    }) as Promise<Outcome>
  return { link, act, address }
}

const failure = (outcome: Outcome) =>
  outcome.ok ? 'done' : { code: outcome.failure.code, retry: outcome.failure.retry, effect: outcome.effect }
const text = (outcome: Outcome) => (outcome.ok ? '' : outcome.failure.message)

const pressed = Date.UTC(2026, 10, 21, 20, 2, 11)
const message = {
  incident: '0198',
  site: 'Mercy North',
  timezone: 'UTC',
  number: 42,
  about: 'press',
  kind: 'duress',
  drill: false,
  silent: false,
  where: {
    place: 'ed/t2',
    name: 'Triage "2"',
    short: 'ED T2',
    precision: 'room',
    from: 'fixed',
    at: pressed,
  },
  who: null,
  source: null,
  receivedAt: pressed,
  dueAt: pressed,
  acknowledgedBy: null,
  notes: [],
}

describe('what is sent', () => {
  test('an event without a body of its own is a CloudEvent whose id is the command', async () => {
    const { heard, url } = await sink()
    const { act } = await start({ url: `${url}/base/`, requests: { 'event.send': { path: '/in' } } })
    expect(await act('event.send', { message })).toEqual({ ok: true, proof: 'answered', result: {} })
    expect(heard[0]).toMatchObject({ method: 'POST', url: '/base/in' })
    expect(heard[0]?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'idempotency-key': 'i1/step.0/a',
    })
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({
      specversion: '1.0',
      id: 'i1/step.0/a',
      source: '/duress-bridge/Mercy%20North',
      type: 'io.duress-bridge.incident',
      subject: '0198',
      time: '2026-11-21T20:02:11.000Z',
      datacontenttype: 'application/json',
      data: message,
    })
  })

  test('a page is the message and its words', async () => {
    const { heard, url } = await sink()
    const { act } = await start({ url, requests: { 'page.send': {} } })
    await act('page.send', { message })
    const body = JSON.parse(heard[0]?.body ?? '')
    expect(body).toMatchObject({ id: 'i1/step.0/a', message })
    expect(body.text).toMatch(/^DURESS ED T2, /)
    expect(heard[0]?.url).toBe('/')
  })

  test('templates fill path, headers and body; values keep their types', async () => {
    const { heard, url } = await sink()
    const request = {
      method: 'PUT',
      path: '/relays/{{values.number}}?door={{values.door}}',
      headers: { 'X-Command': '{{id}}', 'X-Fixed': 'a' },
      body: { on: '{{args.on}}', number: '{{values.number}}', try: 'no {{attempt}}' },
      confirm: { path: '/relays', test: 'true' },
    }
    const target = { values: { number: 7, door: 'ED W/2' } }
    const { act } = await start({ url, requests: { 'relay.set': request } }, target)
    expect(await act('relay.set', { on: true })).toEqual({
      ok: true,
      proof: 'confirmed',
      result: { on: true },
    })
    expect(heard[0]).toMatchObject({ method: 'PUT', url: '/relays/7?door=ED%20W%2F2' })
    expect(heard[0]?.headers).toMatchObject({ 'x-command': 'i1/step.0/a', 'x-fixed': 'a' })
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({ on: true, number: 7, try: 'no 1' })
    expect(heard[1]).toMatchObject({ method: 'GET', url: '/relays', body: '' })
    expect(heard[1]?.headers['idempotency-key']).toBeUndefined()
  })

  test('a text body is escaped as its type wants it', async () => {
    const { heard, url } = await sink()
    const headers = { 'Content-Type': 'application/json' }
    const body = '{"where":"{{message.where.name}}"}'
    const { act } = await start({ url, requests: { 'event.send': { headers, body } } })
    await act('event.send', { message })
    expect(JSON.parse(heard[0]?.body ?? '')).toEqual({ where: 'Triage "2"' })
  })

  test.each([
    [
      'basic',
      { basic: { username: 'u', password: { env: 'PASSWORD' } } },
      'authorization',
      'Basic dTpwYTU1d29yZA==',
    ],
    ['bearer', { bearer: { env: 'TOKEN' } }, 'authorization', 'Bearer t0ken'],
    ['header', { header: { name: 'x-api-key', value: { env: 'TOKEN' } } }, 'x-api-key', 't0ken'],
  ])('%s credentials', async (_, auth, name, value) => {
    const { heard, url } = await sink()
    const { act } = await start({ url, auth, requests: { 'door.highlight': {} } })
    await act('door.highlight')
    expect(heard[0]?.headers[name]).toBe(value)
  })
})

describe('how it ends', () => {
  const requests = { 'event.send': { success: { test: 'code = "SUCCESS"' }, result: '{ "reference": id }' } }

  test('success is what the config says it is, and makes the result', async () => {
    const { url } = await sink(json({ code: 'SUCCESS', id: 'R-9' }))
    const { act } = await start({ url, requests })
    expect(await act('event.send', { message })).toEqual({
      ok: true,
      proof: 'answered',
      result: { reference: 'R-9' },
    })
  })

  test('200 with a refusal inside is a failure', async () => {
    const { url } = await sink(json({ code: 'DENIED' }))
    const { act } = await start({ url, requests })
    const outcome = await act('event.send', { message })
    expect(failure(outcome)).toEqual({ code: 'REFUSED', retry: 'backoff', effect: 'possible' })
    expect(text(outcome)).toContain('DENIED')
  })

  test.each([
    ['a result that is none', json({ code: 'SUCCESS', id: 7 })],
    ['an endless answer', ((response) => response.end('x'.repeat(1_100_000))) as Answer],
  ])('%s is a bad answer', async (_, answer) => {
    const { url } = await sink(answer)
    const { act } = await start({ url, requests })
    const outcome = failure(await act('event.send', { message }))
    expect(outcome).toMatchObject({ code: 'BAD_ANSWER', effect: 'possible' })
  })

  test.each([
    [401, {}, { code: 'UNAUTHORIZED', retry: 'backoff', effect: 'none' }],
    [403, {}, { code: 'UNAUTHORIZED', retry: 'backoff', effect: 'none' }],
    [404, {}, { code: 'NOT_FOUND', retry: 'never', effect: 'none' }],
    [400, {}, { code: 'REFUSED', retry: 'never', effect: 'none' }],
    [500, {}, { code: 'REFUSED', retry: 'backoff', effect: 'possible' }],
    [302, { location: 'http://127.0.0.1:1/' }, { code: 'REFUSED', retry: 'backoff', effect: 'none' }],
    [429, { 'retry-after': '2' }, { code: 'BUSY', retry: { afterMs: 2_000 }, effect: 'none' }],
    [503, { 'retry-after': '99999' }, { code: 'BUSY', retry: { afterMs: 60_000 }, effect: 'possible' }],
    [503, { 'retry-after': 'soon' }, { code: 'BUSY', retry: 'backoff', effect: 'possible' }],
    [503, {}, { code: 'BUSY', retry: 'backoff', effect: 'possible' }],
  ] as const)('%i %j', async (status, headers, expected) => {
    const { url, heard } = await sink((response) => response.writeHead(status, headers).end('no'))
    const { act } = await start({ url, requests: { 'event.send': {} } })
    expect(failure(await act('event.send', { message }))).toEqual(expected)
    expect(heard).toHaveLength(1)
  })

  test('nobody there: nothing was sent', async () => {
    const { act } = await start({ url: 'http://127.0.0.1:1', requests: { 'event.send': {} } })
    const outcome = failure(await act('event.send', { message }))
    expect(outcome).toEqual({ code: 'UNREACHABLE', retry: 'backoff', effect: 'none' })
  })

  test('no answer, a stalled answer, a broken line and noise may have had an effect', async () => {
    let mode = ''
    const server = createTcp((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => {
        if (mode === 'reset') socket.resetAndDestroy()
        if (mode === 'noise') socket.end('\u0000\u0001 no http\r\n\r\n')
        if (mode === 'stall') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf')
      })
      ends.push(() => socket.destroy())
    })
    const url = `http://127.0.0.1:${await listen(server)}`
    ends.push(() => server.close())
    const { act } = await start({ url, requests: { 'event.send': {} } })
    const expected = { silence: 'TIMEOUT', stall: 'TIMEOUT', reset: 'UNREACHABLE', noise: 'BAD_ANSWER' }
    for (const [is, code] of Object.entries(expected)) {
      mode = is
      expect([is, failure(await act('event.send', { message }))]).toEqual([
        is,
        { code, retry: 'backoff', effect: 'possible' },
      ])
    }
  })

  test('given up before it starts, nothing is sent; after, it may have had an effect', async () => {
    const abort = new AbortController()
    const { url, heard } = await sink(() => abort.abort())
    const { act } = await start({ url, timeout: '30s', requests: { 'event.send': {} } })
    const early = await act('event.send', { message }, AbortSignal.abort())
    expect(failure(early)).toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(heard).toHaveLength(0)
    const late = await act('event.send', { message }, abort.signal)
    expect(failure(late)).toMatchObject({ code: 'TIMEOUT', effect: 'possible' })
  })

  test('a command that waits for a connection and is given up is never sent', async () => {
    const { url, heard } = await sink(() => {})
    const { act } = await start({ url, timeout: '1s', connections: 1, requests: { 'event.send': {} } })
    const first = act('event.send', { message })
    const abort = new AbortController()
    const second = act('event.send', { message }, abort.signal)
    abort.abort()
    expect(failure(await second)).toMatchObject({ code: 'ABORTED', effect: 'none' })
    expect(failure(await first)).toMatchObject({ code: 'TIMEOUT' })
    expect(heard).toHaveLength(1)
  })

  test('what is not read back is not done', async () => {
    let on = false
    const { url } = await sink((response, { method }) =>
      json({ on: method === 'GET' && on })(response, {} as Heard),
    )
    const confirm = { test: 'on = true', within: '300ms', every: '50ms' }
    const { act } = await start({ url, requests: { 'relay.set': { confirm } } })
    const outcome = await act('relay.set', { on: true })
    expect(failure(outcome)).toEqual({ code: 'UNCONFIRMED', retry: 'backoff', effect: 'possible' })
    expect(text(outcome)).toContain('NOT confirmed')
    on = true
    expect(await act('relay.set', { on: true })).toMatchObject({ ok: true, proof: 'confirmed' })
  })

  test('a capability without a request is unsupported', async () => {
    const { act } = await start({ url: 'http://127.0.0.1:1', requests: { 'event.send': {} } })
    expect(failure(await act('door.highlight'))).toMatchObject({ code: 'UNSUPPORTED', retry: 'never' })
  })

  test('no failure tells a query, a body or a credential, not even when the server repeats that', async () => {
    for (const auth of [
      { basic: { username: 'u', password: { env: 'PASSWORD' } } },
      { bearer: { env: 'TOKEN' } },
    ]) {
      const { url } = await sink((response, { headers }) =>
        response.writeHead(500).end(`I do not like ${headers.authorization}`),
      )
      const request = { path: '/x?key={{values.key}}' }
      const { act } = await start(
        { url, auth, requests: { 'event.send': request } },
        { values: { key: 'k3y' } },
      )
      const outcome = JSON.stringify(await act('event.send', { message }))
      expect(outcome).toContain('I do not like')
      expect(outcome).not.toMatch(/t0ken|pa55word|dTpwYTU1d29yZA|k3y|Mercy/)
    }
  })

  test('closing ends what is in flight at once, and twice is once', async () => {
    let asked = () => {}
    const waiting = new Promise<void>((resolve) => {
      asked = resolve
    })
    const { url } = await sink(() => asked())
    const { act, link } = await start({ url, timeout: '30s', requests: { 'event.send': {} } })
    const outcome = act('event.send', { message })
    await waiting
    await Promise.all([link.close(), link.close()])
    expect(failure(await outcome)).toMatchObject({ code: 'UNREACHABLE', effect: 'possible' })
  })
})

describe('probing', () => {
  test('connects, and asks for the state where there is a way', async () => {
    const { url, heard } = await sink(json({ mode: 'locked' }))
    const signal = new AbortController().signal
    const plain = await start({ url, requests: { 'event.send': {} } })
    expect(await plain.link.probe?.(plain.address, signal)).toEqual({ connected: url })
    expect(heard).toHaveLength(0)
    const door = await start({ url, requests: { 'door.state': { result: '{ "mode": mode }' } } })
    expect(await door.link.probe?.(door.address, signal)).toEqual({
      connected: url,
      door: { mode: 'locked' },
    })
  })

  test('finds who is not there and who does not know us', async () => {
    const signal = new AbortController().signal
    const gone = await start({ url: 'http://127.0.0.1:1', requests: { 'event.send': {} } })
    await expect(gone.link.probe?.(null, signal)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    const { url } = await sink(json({}, 401))
    const stranger = await start({ url, requests: { 'door.state': { result: '{ "mode": mode }' } } })
    await expect(stranger.link.probe?.(stranger.address, signal)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
  })
})
