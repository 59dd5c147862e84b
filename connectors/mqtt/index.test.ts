import { describe, expect, test } from 'vitest'
import { loadText } from '../../config/load.ts'
import snpp from '../snpp/index.ts'
import mqtt, { type Config, topicsOf } from './index.ts'

const good = { url: 'mqtts://broker.example.org', profile: 'kontakt' }
const issuesOf = (more: object): string[] => {
  const parsed = mqtt.config.safeParse({ ...good, ...more })
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('the config', () => {
  test('needs no more than a broker and a profile', () => {
    const config = mqtt.config.parse(good) as Config
    expect(config).toMatchObject({ version: 4, keepalive: 10_000, 'max-payload': 262_144, areas: {} })
    expect(mqtt.staleAfterMs?.(config)).toBe(20_000)
    expect(topicsOf(config)).toEqual(['telemetry/+', '/stream/+/all'])
  })

  test.each([
    [{ profile: undefined }, 'profile: name exactly one'],
    [{ mapping: '$', topics: ['a'] }, 'profile: name exactly one'],
    [{ profile: undefined, mapping: '$' }, 'topics: say what to subscribe to'],
    [{ profile: 'minew' }, 'alarm: say by which'],
    [{ profile: 'minew', alarm: {} }, 'alarm: say by which'],
    [{ alarm: { major: 1 } }, 'alarm: is for'],
    [{ password: { env: 'P' } }, 'username: a password needs a user'],
    [{ url: 'mqtt://user:secret@host' }, 'url: write mqtt'],
    [{ url: 'mqtt://host', tls: {} }, 'tls: is for mqtts'],
    [{ tls: { cert: 'a' } }, 'tls: `cert` and `key` go together'],
    [{ topics: ['a/#/b'] }, 'topics.0: not a topic filter'],
    [{ topics: ['a+/b'] }, 'topics.0: not a topic filter'],
    [{ heartbeat: 'a/+' }, 'heartbeat: a topic without'],
    [{ keepalive: '2m' }, 'keepalive: too long'],
  ])('%j: %s', (more, issue) => {
    expect(issuesOf(more)).toEqual([expect.stringContaining(issue)])
  })

  test.each(['#', '+', 'a/+/b/#', '/a', '$share/g/x'])('%s is a topic filter', (topic) => {
    expect(issuesOf({ topics: [topic] })).toEqual([])
  })
})

describe('check', () => {
  const checked = (more: object, ids: Record<string, string> = {}) =>
    (
      mqtt.check?.({
        name: 'badges',
        config: mqtt.config.parse({ ...good, ...more }),
        inputs: new Map(Object.entries(ids).map(([device, id]) => [device, { id }])),
        outputs: new Map<string, never>(),
      }) ?? []
    ).map(({ path, message, fatal }) => `${fatal ? 'fatal ' : ''}${path.join('.')}: ${message}`)

  test('is silent about a good one', () => {
    expect(checked({}, { anna: 'ac:23:3f:8c:7c:ee', ben: 'AC233F8C7CEF' })).toEqual([])
  })

  test('two badges of one id, in whatever spelling', () => {
    expect(checked({}, { anna: 'ac:23:3f:8c:7c:ee', ben: 'AC233F8C7CEE' })).toEqual([
      expect.stringMatching(/^fatal inputs\.ben\.id: is already the id of anna/),
    ])
  })

  test('two spellings of one area, no such port, a mapping that is no JSONata', () => {
    const area = { place: 'north', precision: 'unit' }
    expect(checked({ areas: { 'gw-1': area, GW1: area } })).toEqual([
      expect.stringMatching(/^fatal config\.areas\.GW1/),
    ])
    expect(checked({ url: 'mqtts://host:99999' })).toEqual([expect.stringMatching(/^fatal config\.url/)])
    expect(checked({ profile: undefined, topics: ['a'], mapping: '{ "tag": ' })).toEqual([
      expect.stringMatching(/^fatal config\.mapping: not JSONata, at character/),
    ])
  })

  test('beyond this machine without TLS is advised against', () => {
    expect(checked({ url: 'mqtt://broker.example.org' })).toEqual([
      expect.stringMatching(/^config\.url: .*mqtts/),
    ])
    expect(checked({ url: 'mqtt://127.0.0.1:1883' })).toEqual([])
  })
})

test('an area whose place is not there is found before anything starts', () => {
  const site = (place: string) =>
    loadText(
      JSON.stringify({
        site: { name: 'Test', timezone: 'UTC' },
        places: { north: { level: 'building', in: { hall: { level: 'zone' } } } },
        connectors: {
          badges: { type: 'mqtt', ...good, areas: { 'gw-17': { place, precision: 'zone' } } },
          pagers: { type: 'snpp', host: '127.0.0.1' },
        },
        responders: { all: { page: { connector: 'pagers', id: '1', perceptible: 'vibrate' } } },
        plans: { any: { when: {}, steps: [{ at: '0s', do: [{ 'page.send': { to: 'all' } }] }] } },
      }),
      new Map([mqtt, snpp].map((connector) => [connector.type, connector as never])),
    ).findings.filter(({ fatal }) => fatal)
  expect(site('north/hall')).toEqual([])
  expect(site('north/hell')).toMatchObject([{ message: expect.stringContaining('north/hell') }])
})
