import { beforeEach, describe, expect, test } from 'vitest'
import { listening } from './fixtures/listening.ts'
import { Malformed } from './heard.ts'

type Listening = ReturnType<typeof listening>
let bridge: Listening
const presses = () => bridge.facts.filter((fact) => fact.is === 'press')
const noted = (device: string) =>
  Object.assign({}, ...bridge.notes.filter((note) => note.device === device).map(({ state }) => state))

describe('mapping', () => {
  const mapping = `{ "tag": serial, "battery": bat, "seen": { "gateway": $levels[1], "rssi": -60 },
    "press": state = "HELP" ? { "id": event, "pattern": how, "kind": kind, "at": 1 } }`
  beforeEach(() => {
    bridge = listening({ mapping, topics: ['rtls/+'] }, { anna: 'T-17' })
  })

  test('makes presses, places and batteries', async () => {
    await bridge.say('rtls/gw-2', { serial: 'T17', bat: 55, state: 'IDLE' })
    await bridge.say('rtls/gw-2', { serial: 'T17', state: 'HELP', event: 9, how: 'long', kind: 'assist' })
    await bridge.say('rtls/gw-2', { serial: 'T17', state: 'HELP', event: 9, how: 'long', kind: 'assist' })
    expect(presses()).toMatchObject([
      { device: 'anna', pattern: 'long', kind: 'assist', sighting: { place: 'north/l2/ed/triage' } },
    ])
    expect(noted('anna')).toMatchObject({ batteryPercent: 55 })
  })

  test('nonsense in a detail costs the detail, not the press', async () => {
    await bridge.say('rtls/x', {
      serial: 'T17',
      state: 'HELP',
      event: { a: 1 },
      how: [1],
      kind: 'flood',
      bat: 900,
    })
    expect(presses()).toMatchObject([{ device: 'anna' }])
  })

  test('a list, text, a bare true, counters and times', async () => {
    bridge = listening({ mapping: '$split($, " ").{ "tag": $, "press": true }', topics: ['t'] })
    await bridge.say('t', 'a b')
    expect(presses().map(({ from }) => from)).toEqual(['badge a', 'badge b'])
    bridge = listening({ mapping: '{ "device": id, "press": { "counter": n, "since": s } }', topics: ['t'] })
    for (const n of [3, 4, 4, 6]) await bridge.say('t', { id: 'x', n, s: null })
    expect(presses()).toHaveLength(2)
    bridge = listening({ mapping: '{ "tag": id, "press": { "lastAt": t, "held": h } }', topics: ['t'] })
    for (const h of [false, true, true]) await bridge.say('t', { id: 'x', h })
    expect(presses()).toHaveLength(1)
  })

  test.each(['$error("no")', 'undefined.a(', '{ "press": true }', '($f := function($n){ $f($n+1) }; $f(0))'])(
    '%s is malformed, or refused',
    async (mapping) => {
      try {
        bridge = listening({ mapping, topics: ['t'] })
        await expect(bridge.say('t', {})).rejects.toBeInstanceOf(Malformed)
      } catch (error) {
        expect((error as { code?: string }).code).toMatch(/^S0/)
      }
      expect(presses()).toEqual([])
    },
  )
})
