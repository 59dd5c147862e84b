import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type WebhookSender, type WebhookSenderOptions, webhookSender } from './index.ts'
import { hmac, type Style, sign } from './signature.ts'

interface Got {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly complete: boolean
}

let server: Server
let got: Got[]
let arrived: () => void

beforeEach(async () => {
  const mine: Got[] = []
  got = mine
  arrived = () => {}
  server = createServer((request, response) => {
    if (Number(request.headers['content-length']) > 1_000_000 && request.url === '/small') {
      response.writeHead(413).end('too large')
      // A connection that is closed with something unread is reset, and the refusal goes with it.
      request.resume()
      return
    }
    const chunks: Buffer[] = []
    const note = () => {
      const { headers, complete } = request
      mine.push({ headers, body: Buffer.concat(chunks).toString(), complete })
      arrived()
    }
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('error', note)
    request.on('end', () => {
      note()
      response.writeHead(202).end('{"recorded":true}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`

const sender = (options: Partial<WebhookSenderOptions> = {}): WebhookSender =>
  webhookSender({ url: url('/hook'), ...options })

const at = Date.UTC(2026, 0, 5, 8)
const unix = String(at / 1000)

describe('signatures as their inventors show them', () => {
  const one = (style: Style, secret: string, body: string, time = 0, id = ''): string | undefined =>
    Object.entries(
      sign({ secret, style }, { body: Buffer.from(body), unix: time, id, timeHeader: undefined }),
    ).find(([name]) => name.includes('signature'))?.[1]

  test('HMAC-SHA256, RFC 4231 test cases 2 and 6', () => {
    expect(hmac(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')).toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
    const long = hmac(
      Buffer.alloc(131, 0xaa),
      Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First'),
    )
    expect(long.toString('hex')).toBe('60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54')
  })

  test('HMAC-SHA256 agrees with that of Node for any key and data', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (key, data) =>
        hmac(Buffer.from(key), Buffer.from(data)).equals(createHmac('sha256', key).update(data).digest()),
      ),
    )
  })

  test('github', () => {
    expect(one('github', "It's a Secret to Everybody", 'Hello, World!')).toBe(
      'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    )
  })

  test('standard webhooks', () => {
    const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    expect(one('standard', secret, '{"test": 2432232314}', 1614265330, id)).toBe(
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })

  test('slack, stripe, hex and base64 sign what they say', () => {
    const over = (text: string) => createHmac('sha256', 's').update(text)
    expect(one('slack', 's', 'b', 17)).toBe(`v0=${over('v0:17:b').digest('hex')}`)
    expect(one('stripe', 's', 'b', 17)).toBe(`t=17,v1=${over('17.b').digest('hex')}`)
    expect(one('hex', 's', 'b')).toBe(over('b').digest('hex'))
    expect(one('base64', 's', 'b')).toBe(over('b').digest('base64'))
  })
})

describe('what arrives', () => {
  test('a signed delivery with its time and key, and the answer to it', async () => {
    const hook = sender({ hmac: { secret: 's', style: 'github' }, timestamped: true, bearer: 'token' })
    const returned = await hook.send({ press: 'badge-7' }, { key: 'k1', at })
    expect(returned).toMatchObject({ status: 202, body: '{"recorded":true}' })
    expect(got[0]).toMatchObject({ body: '{"press":"badge-7"}', complete: true })
    expect(got[0]?.headers).toMatchObject({
      authorization: 'Bearer token',
      'idempotency-key': 'k1',
      'x-timestamp': unix,
      'x-hub-signature-256': `sha256=${createHmac('sha256', 's').update(`${unix}.{"press":"badge-7"}`).digest('hex')}`,
    })
  })

  test('a replay, and repeats one by one or at once, are the same bytes', async () => {
    const hook = sender({ hmac: { secret: 's', style: 'stripe', header: 'signature' } })
    await hook.send({ a: 1 }, { at })
    await hook.send(null, { replay: true })
    expect(got[1]).toEqual(got[0])
    const returned = await hook.repeat({ a: 2 }, { times: 3, parallel: true, at })
    await hook.repeat({ a: 2 }, { at })
    expect(returned.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set(got.slice(2).map((each) => JSON.stringify(each))).size).toBe(1)
    expect(got).toHaveLength(7)
  })

  test.each(['hex', 'base64', 'github', 'stripe', 'slack', 'standard'] as const)(
    'tampering with a %s delivery changes what it says and nothing else',
    async (style) => {
      const hook = sender({ hmac: { secret: 'c2VjcmV0', style, header: 'sig' }, timestamped: 'time' })
      const sent = { key: 'k', at }
      await hook.send({ a: 1 }, sent)
      await hook.send({ a: 1 }, { ...sent, tamper: 'body' })
      await hook.send({ a: 1 }, { ...sent, tamper: 'signature' })
      await hook.send({ a: 1 }, { ...sent, tamper: 'no-signature' })
      await hook.send({ a: 1 }, { ...sent, tamper: 'timestamp' })
      const [right, body, signature, none, timestamp] = got
      expect(body?.body).not.toBe(right?.body)
      expect(body?.headers).toEqual(right?.headers)
      expect(signature?.headers['sig']).not.toBe(right?.headers['sig'])
      expect(signature?.headers['sig']).toHaveLength(right?.headers['sig']?.length ?? 0)
      expect(none?.headers['sig']).toBeUndefined()
      expect(JSON.stringify(timestamp?.headers)).toContain(String(at / 1000 + 1))
    },
  )

  test('a wrong bearer, and none', async () => {
    const hook = sender({ bearer: 'right' })
    await hook.send({}, { tamper: 'bearer' })
    await hook.send({}, { tamper: 'no-bearer' })
    expect(got.map(({ headers }) => headers.authorization)).toEqual(['Bearer guessed', undefined])
  })

  test('text and bytes go as they are', async () => {
    await sender().send('{"cut":')
    await sender().send(Buffer.from('ff'))
    expect(got.map(({ body }) => body)).toEqual(['{"cut":', 'ff'])
  })
})

describe('bad manners', () => {
  test('a slow body comes whole in the end, a chunked one without its length', async () => {
    expect((await sender().send({}, { body: 'slow' })).status).toBe(202)
    expect((await sender().send({ a: 1 }, { body: 'chunked' })).status).toBe(202)
    expect(got.map(({ body }) => body)).toEqual(['{}', '{"a":1}'])
    expect(got[1]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' })
  })

  test('a truncated body ends half-way', async () => {
    const closed = new Promise<void>((resolve) => {
      arrived = resolve
    })
    expect((await sender().send({ a: 1 }, { body: 'truncated' })).status).toBe(0)
    await closed
    expect(got[0]).toMatchObject({ body: '{"a', complete: false })
  })

  test('a stalled body waits for the receiver to give up, or for its own patience', async () => {
    expect(await sender().send({ a: 1 }, { body: 'stalled', withinMs: 50 })).toMatchObject({
      status: 0,
      error: 'no answer within 50 ms',
    })
  })

  test('an oversized body is 2 MiB of valid JSON', async () => {
    await sender().send({ a: 1 }, { body: 'oversized' })
    expect(got[0]?.body).toHaveLength(2_097_152)
    expect(JSON.parse(got[0]?.body ?? '')).toEqual({ a: 1 })
  })

  test('the refusal of an oversized body is heard though it comes before the end', async () => {
    const returned = await sender({ url: url('/small') }).send({}, { body: 'oversized' })
    expect(returned).toMatchObject({ status: 413, body: 'too large' })
  })

  test('nobody there is an answer too', async () => {
    const hook = webhookSender({ url: 'http://127.0.0.1:1/' })
    expect(await hook.send({})).toMatchObject({ status: 0, error: expect.stringContaining('ECONNREFUSED') })
  })
})
