import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listening } from './fixtures/listening.ts'
import { Malformed } from './heard.ts'
import { type Config, topicsOf } from './index.ts'

type Listening = ReturnType<typeof listening>
let bridge: Listening
const presses = () => bridge.facts.filter((fact) => fact.is === 'press')

const profiles = ['kontakt', 'quuppa', 'minew', 'openmqttgateway', 'chirpstack', 'tts', 'button'] as const

describe('whatever is published', () => {
  const writtenFor = (profile: string) =>
    /minew|openmqtt/.test(profile)
      ? { profile, alarm: { uuid: 'e2c56db5dffb48d2b060d0f5a71096e1' } }
      : { profile }
  const names = [
    ...[
      'trackingId',
      'clickCounter',
      'timeSinceClick',
      'tags',
      'tagId',
      'button1State',
      'button1LastPressTS',
      'mac',
    ],
    ...[
      'type',
      'ibeaconUuid',
      'id',
      'uuid',
      'major',
      'deviceInfo',
      'devEui',
      'fCnt',
      'object',
      'press',
      'data',
      'rxInfo',
    ],
    ...[
      'end_device_ids',
      'uplink_message',
      'correlation_ids',
      'action',
      'method',
      'params',
      'events',
      'src',
      '__proto__',
    ],
  ]
  const some = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(
        null,
        true,
        '',
        'pushed',
        'E2C56DB5DFFB48D2B060D0F5A71096E1',
        0,
        -1,
        1e300,
        '\u0000\ud800',
      ),
      fc.integer(),
      fc.string({ maxLength: 8 }),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(fc.constantFrom(...names), tie('any'), { maxKeys: 6 }),
    ),
  }))
  const topic = fc.constantFrom(
    ...profiles.flatMap((profile) => [...topicsOf({ profile } as Config)]),
    'a',
    '',
    '/',
  )

  test.each(profiles)('%s throws nothing but Malformed, and every fact can be written', async (profile) => {
    bridge = listening(writtenFor(profile), { anna: 'a' })
    await fc.assert(
      fc.asyncProperty(topic, some.any, fc.boolean(), async (topic, body, retained) => {
        try {
          await bridge.say(topic, JSON.stringify(body), { retained })
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed)
        }
      }),
      { numRuns: 500 },
    )
    for (const fact of bridge.facts) {
      expect(fact.from.length).toBeLessThan(200)
      expect(JSON.parse(JSON.stringify(fact))).toEqual(fact)
    }
  })

  test.each(profiles)('%s: any bytes', async (profile) => {
    bridge = listening(writtenFor(profile))
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        await bridge.say('a/b', Buffer.from(bytes).toString('latin1')).catch((error) => {
          expect(error).toBeInstanceOf(Malformed)
        })
      }),
      { numRuns: 200 },
    )
  })

  test('deep and long JSON', async () => {
    bridge = listening({ profile: 'kontakt' })
    const deep = `{"trackingId":"x","clickCounter":1,"timeSinceClick":0,"deep":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    await bridge.say('telemetry/a', deep)
    expect(JSON.stringify(presses()[0]?.raw).length).toBeLessThan(300)
    const many = JSON.stringify(Array.from({ length: 6_000 }, () => ({})))
    await expect(bridge.say('telemetry/a', many)).rejects.toThrow('more than 5000')
  })
})
