import { expect, test } from 'vitest'
import { getEventProperties, pullMessages, renew } from './event.ts'
import {
  contactIn,
  doorIn,
  duressIn,
  getAccessPointInfoList,
  getDigitalInputs,
  getInputOptions,
} from './input.ts'
import { one, parseXml, type Xml } from './xml.ts'

const answer = (text: string): Xml => one(parseXml(`<r>${text}</r>`), 'r') ?? ''
const read = (text: string) => pullMessages(1).read(answer(text))
const items = (all: Record<string, string>) =>
  Object.entries(all)
    .map(([name, value]) => `<tt:SimpleItem Name="${name}" Value="${value}"/>`)
    .join('')
const message = (topic: string, source: Record<string, string>, data: Record<string, string>) =>
  `<wsnt:NotificationMessage><wsnt:Topic>${topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime="2026-11-21T19:45:08Z" PropertyOperation="Changed"><tt:Source>${items(source)}</tt:Source><tt:Data>${items(data)}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>`
const only = (text: string) => {
  const [notice, ...more] = read(text)
  if (notice === undefined || more.length > 0) throw new Error('not one notice')
  return notice
}

test('the event of a real camera', () => {
  const notice = only(
    '<wsnt:NotificationMessage><wsnt:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">tns1:Device/Trigger/DigitalInput</wsnt:Topic><wsnt:Message><tt:Message UtcTime="2026-11-21T19:45:08Z" PropertyOperation="Initialized"><tt:Source><tt:SimpleItem Name="InputToken" Value="DI_0"/></tt:Source><tt:Data><tt:SimpleItem Name="State" Value="false"/></tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>',
  )
  expect(notice).toMatchObject({ operation: 'Initialized', at: Date.UTC(2026, 10, 21, 19, 45, 8) })
  expect(contactIn(notice)).toEqual({ token: 'DI_0', on: false })
})

const topic = 'tns1:Device/Trigger/DigitalInput'
test.each([
  ['LogicalState', message(topic, { InputToken: 'DI_0' }, { LogicalState: 'true' }), 'DI_0', true],
  ['white space', message(`\n  ${topic} \n`, { InputToken: 'DI_0' }, { LogicalState: 'true' }), 'DI_0', true],
  [
    'another prefix',
    message('x-1.y:Device/x-1.y:Trigger/x-1.y:DigitalInput', { InputToken: 'DI_0' }, { State: '1' }),
    'DI_0',
    true,
  ],
  [
    'several items',
    message(topic, { VideoSource: 'V', InputToken: 'DI_0' }, { Extra: 'x', LogicalState: 'active' }),
    'DI_0',
    true,
  ],
  ['an odd name of the source', message(topic, { Input: 'DI_0' }, { Value: 'False' }), 'DI_0', false],
  ['no source', message(topic, {}, { LogicalState: 'inactive' }), null, false],
  ['an empty source', message(topic, { InputToken: '' }, { LogicalState: '0' }), null, false],
  ['no state', message(topic, { InputToken: 'DI_0' }, {}), 'DI_0', null],
  ['a state of no meaning', message(topic, { InputToken: 'DI_0' }, { LogicalState: 'maybe' }), 'DI_0', null],
])('a contact with %s', (_what, text, token, on) => {
  expect(contactIn(only(text))).toEqual({ token, on })
})

test('times: with a zone, without one, none at all', () => {
  const at = (time: string) => only(message(topic, {}, {}).replace('2026-11-21T19:45:08Z', time)).at
  expect(at('2026-11-21T20:45:08.250+01:00')).toBe(Date.UTC(2026, 10, 21, 19, 45, 8, 250))
  expect(at('2026-11-21T19:45:08')).toBe(Date.UTC(2026, 10, 21, 19, 45, 8))
  expect(at('soon')).toBeNull()
  expect(at('')).toBeNull()
})

test('a duress code, in the topics of all versions', () => {
  const data = { CredentialToken: 'c', CredentialHolderName: 'A. Miller', Reason: 'PIN' }
  for (const name of ['tns1:AccessControl/Duress', 'tns1:AccessControl/Duress/Credential'])
    expect(duressIn(only(message(name, { AccessPointToken: 'IN' }, data)))).toEqual({
      token: 'IN',
      holder: 'A. Miller',
      reason: 'PIN',
    })
  expect(
    duressIn(only(message('tns1:AccessControl/Duress/Anonymous', { AccessPointToken: 'IN' }, {}))),
  ).toEqual({
    token: 'IN',
    holder: null,
    reason: null,
  })
  expect(duressIn(only(message('tns1:AccessControl/DuressTest', {}, {})))).toBeNull()
  expect(duressIn(only(message('tns1:AccessControl/Denied/Credential', {}, data)))).toBeNull()
})

test.each([
  ['DoorAlarm', 'DoorForcedOpen', ['forced true', 'held-open false']],
  ['DoorAlarm', 'DoorOpenTooLong', ['forced false', 'held-open true']],
  ['DoorAlarm', 'Normal', ['forced false', 'held-open false']],
  ['DoorAlarm', 'Overheated', ['forced null', 'held-open null']],
  ['DoorTamper', 'TamperDetected', ['tamper true']],
  ['DoorTamper', 'Unknown', ['tamper null']],
  ['DoorFault', 'FaultDetected', ['fault true']],
  ['LockPhysicalState', 'Fault', ['fault true']],
  ['LockPhysicalState', 'Locked', ['fault false']],
  ['DoorPhysicalState', 'Unknown', ['fault null']],
  ['DoorMode', 'LockedDown', []],
])('%s %s', (sensor, state, expected) => {
  const found = doorIn(only(message(`tns1:Door/State/${sensor}`, { DoorToken: 'A' }, { State: state })))
  expect(found?.token).toBe('A')
  expect(found?.states.map(({ trouble, is }) => `${trouble} ${is}`)).toEqual(expected)
})

test('what is about something else is about none of them', () => {
  for (const name of ['tns1:VideoSource/MotionAlarm', 'tns1:Device/Trigger/Relay', '', 'Door/State/'])
    for (const about of [contactIn, duressIn, doorIn])
      expect(about(only(message(name, { Source: 'x' }, { State: 'true' })))).toBeNull()
  expect(read('')).toEqual([])
})

test('what a device has: inputs, their options, access points, topics', () => {
  expect(
    getDigitalInputs.read(
      answer('<a:DigitalInputs token="DI_0"/><a:DigitalInputs/><a:DigitalInputs token="1"/>'),
    ),
  ).toEqual(['DI_0', '1'])
  expect(getInputOptions.read(answer('<a:Capabilities DigitalInputOptions="1"/>'))).toBe(true)
  expect(getInputOptions.read(answer(''))).toBe(false)
  const points =
    '<p:AccessPointInfo token="IN"><p:Name>In</p:Name><p:Capabilities Duress="true"/></p:AccessPointInfo>'
  expect(
    getAccessPointInfoList(null).read(answer(`<p:NextStartReference>2</p:NextStartReference>${points}`)),
  ).toEqual({
    points: [{ token: 'IN', name: 'In', duress: true }],
    next: '2',
  })
  const topics =
    '<t:TopicSet><x:Device><Trigger><Relay/></Trigger></x:Device><x:Device><Trigger><DigitalInput/></Trigger></x:Device></t:TopicSet>'
  const has = getEventProperties.read(answer(topics))
  expect([
    has('Device/Trigger/DigitalInput'),
    has('Device/Trigger/Relay'),
    has('Door/State/DoorAlarm'),
  ]).toEqual([true, true, false])
})

test('how long a subscription got is what lies between the two times of the device', () => {
  const got = (now: string, end: string) =>
    renew(60).read(
      answer(`<w:TerminationTime>${end}</w:TerminationTime><w:CurrentTime>${now}</w:CurrentTime>`),
    )
  expect(got('1970-01-01T00:00:10Z', '1970-01-01T00:00:40Z')).toBe(30_000)
  expect(got('2026-01-01T00:00:10Z', '2026-01-01T00:00:00Z')).toBeNull()
  expect(renew(60).read(answer(''))).toBeNull()
})
