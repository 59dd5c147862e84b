import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Call } from './call.ts'
import { getPresets, getProfiles } from './camera.ts'
import { getCapabilities, getServices, getSystemDateAndTime } from './device.ts'
import { doorCommand, getDoorInfoList, getDoorState } from './door.ts'
import { createPullPoint, pullMessages, referenceOf, relayStateIn } from './event.ts'
import { OnvifError } from './fault.ts'
import { envelope, readAnswer } from './soap.ts'
import { one, parseXml, textOf } from './xml.ts'

const fixture = (name: string) => readFileSync(new URL(`../fixtures/${name}.xml`, import.meta.url), 'utf8')
const read = <T>(call: Call<T>, name: string): T => call.read(readAnswer(fixture(name), call.operation))
const refusal = (name: string, operation = 'LockDownDoor') => {
  try {
    readAnswer(fixture(name), operation)
  } catch (error) {
    return error as OnvifError
  }
  throw new Error('no fault')
}

test('the time of a device is its UTC time, whatever its zone', () => {
  expect(read(getSystemDateAndTime, 'date')).toBe(Date.UTC(2026, 10, 22, 0, 5, 9))
})

test('a time that is no time is none', () => {
  const part = '<SystemDateAndTime><UTCDateTime><Time><Hour>x</Hour></Time></UTCDateTime></SystemDateAndTime>'
  expect(getSystemDateAndTime.read(parseXml(part))).toBeNull()
  expect(getSystemDateAndTime.read(parseXml('<SystemDateAndTime/>'))).toBeNull()
})

test('services are known by namespace; their addresses are decoded', () => {
  expect([...read(getServices, 'services')]).toEqual([
    ['device', 'http://192.168.1.64/onvif/device_service'],
    ['doorControl', 'http://192.168.1.64/onvif/door?a=1&b=2'],
  ])
})

test('the older list of services does as well; an empty address is none', () => {
  expect([...read(getCapabilities, 'capabilities').keys()]).toEqual(['device', 'media', 'deviceIO'])
})

test('doors are listed with what they can, one or many, page by page', () => {
  const page = read(getDoorInfoList(null), 'doors-page')
  expect(page.next).toBe('page 2')
  expect(page.doors).toEqual([
    { token: 'ED-W', name: 'ED & Triage é', can: new Set(['Lock', 'Unlock', 'LockDown', 'DoorMonitor']) },
    { token: 'ED-E', name: 'ED east', can: new Set() },
  ])
  expect(read(getDoorInfoList('page 2'), 'doors-one')).toEqual({
    doors: [{ token: '1', name: '1', can: new Set(['Lock']) }],
    next: null,
  })
})

test('a door tells its mode, its sensors and its lock', () => {
  expect(read(getDoorState('ED-W'), 'door-state')).toEqual({
    report: { mode: 'lockdown', open: true, forced: true, tampered: true },
    lock: 'unlocked',
  })
})

test('only the mode must be there, and one that we do not know is unknown', () => {
  expect(read(getDoorState('ED-W'), 'door-state-least')).toEqual({
    report: { mode: 'unknown' },
    lock: 'unknown',
  })
})

test('a state without a mode is no answer', () => {
  expect(() => getDoorState('ED-W').read(parseXml('<DoorState/>'))).toThrow(/DoorMode/)
})

test('profiles say whether they turn, in both media services', () => {
  expect(read(getProfiles('media'), 'profiles')).toEqual([
    { token: 'fixed_1', ptz: false },
    { token: 'turning_1', ptz: true },
  ])
  expect(read(getProfiles('media2'), 'profiles-media2')).toEqual([{ token: 'p1', ptz: true }])
})

test('presets, one or none', () => {
  expect(read(getPresets('p'), 'presets')).toEqual([{ token: '1', name: '<Gate> 1' }])
  expect(read(getPresets('p'), 'presets-none')).toEqual([])
})

test('relay events are found whatever prefix, name of the data and number of items', () => {
  const notices = read(pullMessages(1), 'notices')
  expect(notices.map((notice) => relayStateIn(notice, 'RO_0'))).toEqual([null, true, false])
  expect(notices.map((notice) => relayStateIn(notice, 'RO_1'))).toEqual([null, null, false])
  expect(notices[0]).toMatchObject({ topic: 'Device/Trigger/DigitalInput', operation: 'Initialized' })
})

test('what a subscription wants to see again goes back as it came, prefixes declared', () => {
  const reference = referenceOf(fixture('subscription'))
  expect(reference?.xml).toBe('<dom0:SubscriptionId>17</dom0:SubscriptionId>')
  expect(read(createPullPoint(null, 20), 'subscription').address).toBe('http://10.0.9.3/onvif/services')
  const sent = envelope('<x/>', null, { action: 'a', to: 'http://x/', id: '1', reference })
  expect(textOf(parseXml(sent), 'Envelope', 'Header', 'SubscriptionId')).toBe('17')
  expect(sent).toContain('xmlns:dom0="http://example.org/2009/event"')
  expect(referenceOf(fixture('notices'))).toBeNull()
})

test('faults become our codes, and say whether the device may have acted', () => {
  expect(refusal('fault-not-found')).toMatchObject({
    code: 'NOT_FOUND',
    retry: 'never',
    effect: 'none',
    message: 'the device refused LockDownDoor: InvalidArgs, NotFound, Door token not found',
  })
  expect(refusal('fault-failure')).toMatchObject({ code: 'REFUSED', retry: 'backoff', effect: 'possible' })
  expect(refusal('fault-not-authorized')).toMatchObject({
    code: 'UNAUTHORIZED',
    retry: 'backoff',
    effect: 'none',
  })
  expect(refusal('fault-soap11')).toMatchObject({ code: 'REFUSED', effect: 'possible' })
  expect(refusal('fault-soap11')).toBeInstanceOf(OnvifError)
})

test('an answer to something else is none', () => {
  expect(() => readAnswer(fixture('presets'), 'LockDownDoor')).toThrow(/answered by GetPresetsResponse/)
  expect(() => readAnswer('<a/>', 'LockDownDoor')).toThrow(/not SOAP/)
})

test('a token with markup in it stays a token', () => {
  const { body } = doorCommand('LockDoor', '"><LockOpenDoor/>&')
  expect(Object.keys(one(parseXml(body), 'LockDoor') as object)).toEqual(['Token'])
  expect(textOf(parseXml(body), 'LockDoor', 'Token')).toBe('"><LockOpenDoor/>&')
})
