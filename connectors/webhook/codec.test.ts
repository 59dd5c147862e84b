import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BridgeError } from '../../core/error.ts'
import { type Call, callsIn, fromCloudEvents, fromPress, Keys, parseBody } from './codec.ts'
import webhook, { type Hmac } from './index.ts'
import { verifierOf } from './signature.ts'

const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.json({ maxDepth: 6 }).map((text) => Buffer.from(text)),
)

const presses = (...calls: object[]): Call[] => callsIn(calls)
const press = (call: object): Call => presses(call)[0] as Call

describe('bodies', () => {
  test('whatever comes is presses with an id, or a bad request in words', () => {
    fc.assert(
      fc.property(bodies, fc.constantFrom(fromPress, fromCloudEvents), (body, profile) => {
        try {
          for (const { id } of callsIn(profile(parseBody(body)))) expect(id.length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(BridgeError)
          expect((error as BridgeError).code).toBe('BAD_REQUEST')
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('text for people holds no control characters and no half characters', () => {
    expect(press({ id: 'a\u0000b\r\nc\ud800', person: ' \u001b[31mAnna ' })).toMatchObject({
      id: 'a b c\ufffd',
      person: '[31mAnna',
    })
  })

  test('a time is ISO 8601, Unix seconds or milliseconds', () => {
    const at = Date.UTC(2026, 0, 5, 8)
    for (const given of ['2026-01-05T08:00:00Z', at / 1_000, at])
      expect(press({ id: '1', at: given }).at).toBe(at)
  })
})

describe('keys', () => {
  const body = Buffer.from('{}')
  const now = Date.UTC(2026, 0, 5, 8)

  test('the same request has the same key, another device or another key has another', () => {
    const text = fc.string({ minLength: 1, maxLength: 20 }).filter((each) => /^[\x21-\x7e]+$/.test(each))
    fc.assert(
      fc.property(text, text, text, fc.option(text), (id, other, key, given) => {
        fc.pre(id !== other)
        const keys = new Keys()
        const of = (call: object, header: string | null) => keys.keyOf(press(call), header, 0, body, now)
        expect(of({ id, key }, given)).toBe(of({ id, key }, given))
        expect(of({ id, key }, given)).not.toBe(of({ id: other, key }, given))
        expect(of({ id }, key)).not.toBe(of({ id: other }, key))
        expect(of({ id }, null)).not.toBe(of({ id: other }, null))
        expect(of({ id, key }, given)).not.toBe(of({ id, key, phase: 'restored' }, given))
      }),
    )
  })

  test('a body without time and key is a repeat for ten seconds from the first, then a press', () => {
    const keys = new Keys()
    const at = (ms: number) => keys.keyOf(press({ id: '1' }), null, 0, body, now + ms)
    const first = at(0)
    expect(at(6_000)).toBe(first)
    const later = at(12_000)
    expect(later).not.toBe(first)
    expect(at(13_000)).toBe(later)
  })

  test('presses of one request have keys of their own', () => {
    const keys = new Keys()
    const all = presses({ id: '1' }, { id: '1' }).map((call, nth) => keys.keyOf(call, 'k', nth, body, now))
    expect(new Set(all).size).toBe(2)
  })
})

describe('signatures', () => {
  const styles: readonly Hmac['style'][] = ['hex', 'base64', 'github', 'stripe', 'slack', 'standard']
  const verifier = (style: Hmac['style']) =>
    verifierOf(webhook.config.parse({ hmac: { secret: { env: 'X' }, style } }), 'whsec_c2VjcmV0')
  const names = [
    'x-signature',
    'x-hub-signature-256',
    'stripe-signature',
    'x-slack-signature',
    'x-slack-request-timestamp',
    'webhook-signature',
    'webhook-timestamp',
    'webhook-id',
  ]

  test('no header that is made up is taken, and none makes it throw', () => {
    const value = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.constantFrom('t=1767600000,v1=', 'v0=', 'v1,', 'sha256=', '1767600000', 't=,v1=00', 'v1, v1,'),
    )
    const headers = fc.dictionary(fc.constantFrom(...names), value)
    fc.assert(
      fc.property(fc.constantFrom(...styles), headers, bodies, (style, made, body) => {
        expect(verifier(style)(made, body, 1_767_600_000_000)).toHaveProperty('wrong')
      }),
      { numRuns: 1_000 },
    )
  })

  test('a header that lists several signatures is right when one of them is', () => {
    const body = Buffer.from('{}')
    const time = '1767600000'
    const right = createHmac('sha256', 'whsec_c2VjcmV0').update(`${time}.{}`).digest('hex')
    const header = `t=${time},v1=${'0'.repeat(64)},v1=${right},v0=x`
    expect(verifier('stripe')({ 'stripe-signature': header }, body, Number(time) * 1_000)).toHaveProperty(
      'once',
    )
  })
})
