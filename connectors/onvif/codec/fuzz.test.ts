import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BridgeError } from '../../../core/error.ts'
import type { Call } from './call.ts'
import { getPresets, getProfiles, getSnapshotUri } from './camera.ts'
import { getCapabilities, getDeviceInformation, getServices, getSystemDateAndTime } from './device.ts'
import { doorCommand, getDoorInfoList, getDoorState } from './door.ts'
import {
  createPullPoint,
  getEventProperties,
  pullMessages,
  referenceOf,
  relayStateIn,
  renew,
} from './event.ts'
import {
  contactIn,
  doorIn,
  duressIn,
  getAccessPointInfoList,
  getDigitalInputs,
  getInputOptions,
} from './input.ts'
import { readChallenge } from './login.ts'
import { getRelayOutputs, relayWays } from './relay.ts'
import { readAnswer } from './soap.ts'
import { escapeXml, parseXml, textOf } from './xml.ts'

const folder = new URL('../fixtures/', import.meta.url)
const files = readdirSync(folder).filter((name) => name.endsWith('.xml'))
const fixtures = files.map((name) => readFileSync(new URL(name, folder), 'utf8'))
const calls: readonly Call<unknown>[] = [
  getSystemDateAndTime,
  getServices,
  getCapabilities,
  getDeviceInformation,
  getDoorInfoList(null),
  getDoorState('A'),
  doorCommand('LockDoor', 'A'),
  getProfiles('media'),
  getProfiles('media2'),
  getSnapshotUri('media', 'p'),
  getPresets('p'),
  createPullPoint(null, 1),
  pullMessages(1),
  renew(60),
  getEventProperties,
  getDigitalInputs,
  getInputOptions,
  getAccessPointInfoList(null),
  ...relayWays.map(getRelayOutputs),
]

/** Reads as every call would; whatever comes, it is a value or an error of ours. */
const survive = (text: string) => {
  let read = 0
  for (const call of calls)
    try {
      call.read(readAnswer(text, call.operation))
      read++
    } catch (error) {
      expect(error).toBeInstanceOf(BridgeError)
    }
  referenceOf(text)
  return read
}

test('any text is an answer or a clear error', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => void survive(text)))
})

test('any bytes are an answer or a clear error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => void survive(Buffer.from(bytes).toString())),
  )
})

test('an answer that is cut off anywhere is never taken for a whole one', () => {
  for (const fixture of fixtures) {
    const whole = fixture.trimEnd()
    fc.assert(fc.property(fc.nat(whole.length - 1), (at) => survive(whole.slice(0, at)) === 0))
  }
})

test('answers with a few characters changed', () => {
  const change = fc.tuple(
    fc.nat(3_000),
    fc.constantFrom('<', '>', '&', '"', '/', '\0', ' ', '=', 'é', '__proto__'),
  )
  fc.assert(
    fc.property(fc.constantFrom(...fixtures), fc.array(change, { maxLength: 5 }), (fixture, changes) => {
      let text = fixture
      for (const [at, char] of changes) {
        const place = at % text.length
        text = text.slice(0, place) + char + text.slice(place + 1)
      }
      survive(text)
    }),
    { numRuns: 1_000 },
  )
})

test('elements of our names in any shape', () => {
  const name = fc.constantFrom(
    ...[
      'DoorState',
      'DoorMode',
      'DoorInfo',
      'Capabilities',
      'Service',
      'XAddr',
      'Namespace',
      'Profiles',
      'Preset',
    ],
    ...[
      'NotificationMessage',
      'Message',
      'Source',
      'Data',
      'SimpleItem',
      'Topic',
      'toString',
      'constructor',
      'Uri',
    ],
  )
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.string().map(escapeXml),
      fc
        .tuple(name, fc.boolean(), fc.array(tie('tree'), { maxLength: 4 }))
        .map(
          ([tag, token, inside]) =>
            `<a:${tag}${token ? ' token="1" Name="2"' : ''}>${inside.join('')}</a:${tag}>`,
        ),
    ),
  }))
  const operation = fc.constantFrom(...calls)
  fc.assert(
    fc.property(operation, tree, (call, inside) => {
      const response = `<${call.operation}Response>${inside}</${call.operation}Response>`
      survive(`<Envelope><Body>${response}</Body></Envelope>`)
    }),
    { numRuns: 500 },
  )
})

test('nesting, repetition and entities without end are refused', () => {
  const deep = `${'<a>'.repeat(10_000)}${'</a>'.repeat(10_000)}`
  const wide = `<a>${'<b/>'.repeat(100_000)}</a>`
  const dressed = `<a ${'b="" '.repeat(100_000)}/>`
  const bomb = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
  const outside = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
  for (const text of [deep, wide, dressed, bomb, outside]) expect(() => parseXml(text)).toThrow(BridgeError)
})

test('what we escape reads back as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const kept = escapeXml(text)
      expect(textOf(parseXml(`<a>${kept}</a>`), 'a')).toBe(text.trim())
    }),
  )
})

test('any header is a challenge or none', () => {
  fc.assert(fc.property(fc.array(fc.string(), { maxLength: 4 }), (headers) => void readChallenge(headers)))
  const mixed = fc.constantFrom(
    'Digest ',
    'Basic ',
    'nonce=',
    'realm=',
    '"',
    ',',
    '=',
    ' ',
    'x',
    'qop="auth"',
  )
  fc.assert(fc.property(fc.array(mixed, { maxLength: 40 }), (parts) => void readChallenge([parts.join('')])))
})

test('any notice is about a relay or not', () => {
  const map = fc
    .array(fc.tuple(fc.constantFrom('RelayToken', 'State', 'LogicalState', 'x'), fc.string()))
    .map((items) => new Map(items))
  fc.assert(
    fc.property(fc.constantFrom('Device/Trigger/Relay', 'x'), map, map, (topic, source, data) => {
      expect([true, false, null]).toContain(
        relayStateIn({ topic, operation: '', at: null, source, data }, 'RO_0'),
      )
    }),
  )
})

const texts = fc.oneof(
  fc.string(),
  fc.constantFrom(
    'InputToken',
    'AccessPointToken',
    'DoorToken',
    'State',
    'LogicalState',
    'true',
    'DoorForcedOpen',
    'Fault',
  ),
)

test('any notice is about an input, a duress code or a door, or not', () => {
  const map = fc.array(fc.tuple(texts, texts)).map((items) => new Map(items))
  const topic = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'Device/Trigger/DigitalInput',
      'AccessControl/Duress',
      'Door/State/DoorAlarm',
      'Door/State/x',
    ),
  )
  fc.assert(
    fc.property(topic, map, map, (name, source, data) => {
      const notice = { topic: name, operation: '', at: null, source, data }
      const duress = duressIn(notice)
      expect([true, false, null, undefined]).toContain(contactIn(notice)?.on)
      expect((duress?.holder ?? '').length).toBeLessThanOrEqual(200)
      for (const { is } of doorIn(notice)?.states ?? []) expect([true, false, null]).toContain(is)
    }),
  )
})
