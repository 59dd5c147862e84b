import { BridgeError } from '../../../core/error.ts'
import { type Call, call, element, namespaces, nothing } from './call.ts'
import type { Reference } from './soap.ts'
import { all, attributeOf, one, textOf, type Xml } from './xml.ts'

const notification = 'http://docs.oasis-open.org/wsn/b-2'

/**
 * `topic` such as `tns1:Device/Trigger/Relay`, several joined by `|`; null takes everything. `seconds`: when it ends if
 * nobody ends it; the device may grant less.
 */
export const createPullPoint = (topic: string | null, seconds: number): Call<PullPoint> => ({
  ...call(
    'events',
    'CreatePullPointSubscription',
    (topic === null ? '' : filter(topic)) + element('InitialTerminationTime', `PT${seconds}S`),
    (answer) => {
      const address = textOf(answer, 'SubscriptionReference', 'Address')
      if (!address) throw new BridgeError('BAD_ANSWER', 'the subscription has no address')
      return { address, lifeMs: lifeIn(answer) }
    },
  ),
  action: `${namespaces.events}/EventPortType/CreatePullPointSubscriptionRequest`,
})

interface PullPoint {
  readonly address: string
  /** How long it lives if nobody renews it, ms; null where the device doesn't say. */
  readonly lifeMs: number | null
}

/** Both times are the device's own (WS-BaseNotification 1.3, 5.1): what counts is what lies between them. */
const lifeIn = (answer: Xml): number | null => {
  const ms =
    Date.parse(textOf(answer, 'TerminationTime') ?? '') - Date.parse(textOf(answer, 'CurrentTime') ?? '')
  return ms > 0 ? ms : null
}

const filter = (topic: string): string =>
  `<Filter><n:TopicExpression xmlns:n="${notification}" xmlns:tns1="http://www.onvif.org/ver10/topics" ` +
  `Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">${topic}</n:TopicExpression></Filter>`

/**
 * The ReferenceParameters of a subscription as they stand in the answer, with the prefixes that the answer declares:
 * parsed and printed again they would not be the same to a picky device. null when there are none.
 */
export const referenceOf = (answer: string): Reference | null => {
  const start = /<(?:\w+:)?ReferenceParameters\b[^<>]*>/.exec(answer)
  if (start === null) return null
  const rest = answer.slice(start.index + start[0].length)
  const xml = rest.slice(0, Math.max(0, rest.search(/<\/(?:\w+:)?ReferenceParameters>/)))
  if (!xml.includes('<') || xml.length > 4_000) return null
  const prefixes = new Map<string, string>()
  for (const [, prefix, uri] of answer.matchAll(/xmlns:(\w{1,30})=["']([^"'<>]{1,200})["']/g))
    if (!prefixes.has(prefix as string)) prefixes.set(prefix as string, uri as string)
  prefixes.delete('s')
  return { xml, prefixes }
}

/** What a device says of one of its parts, flat: `source` says which part, `data` how it is. */
export interface Notice {
  readonly topic: string
  /** Initialized, Changed, Deleted, or empty where it is no property. */
  readonly operation: string
  /** The device's time of it, ms since the epoch; null where it gives none. */
  readonly at: number | null
  readonly source: ReadonlyMap<string, string>
  readonly data: ReadonlyMap<string, string>
}

/** Waits up to `seconds` at the device for news (Core 9.1.2). */
export const pullMessages = (seconds: number): Call<readonly Notice[]> => ({
  ...call(
    'events',
    'PullMessages',
    element('Timeout', `PT${seconds}S`) + element('MessageLimit', '32'),
    (answer) => all(answer, 'NotificationMessage').map(readNotice),
  ),
  action: `${namespaces.events}/PullPointSubscription/PullMessagesRequest`,
})

const readNotice = (listed: Xml): Notice => {
  const message = one(listed, 'Message', 'Message')
  return {
    // Prefixes of topics are the device's choice: compare what follows.
    topic: (textOf(listed, 'Topic') ?? '').slice(0, 300).replaceAll(/(^|\/)[\w.-]+:/g, '$1'),
    operation: attributeOf(message, 'PropertyOperation') ?? '',
    at: timeOf(attributeOf(message, 'UtcTime')),
    source: itemsOf(one(message, 'Source')),
    data: itemsOf(one(message, 'Data')),
  }
}

/** xs:dateTime; without a zone it is meant as UTC (Core, "Message format"), which Date.parse would take for ours. */
const timeOf = (text: string | undefined): number | null => {
  if (text === undefined || text === '') return null
  const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`)
  return Number.isFinite(ms) ? ms : null
}

const itemsOf = (of: Xml | undefined): ReadonlyMap<string, string> =>
  new Map(
    all(of, 'SimpleItem').map((item) => [attributeOf(item, 'Name') ?? '', attributeOf(item, 'Value') ?? '']),
  )

/** Asks for `seconds` more of life, from now on; the answer says how long it got, ms. */
export const renew = (seconds: number): Call<number | null> => ({
  ...call('events', 'Renew', element('TerminationTime', `PT${seconds}S`), lifeIn, notification),
  action: 'http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest',
})

/** Has the device say once more how all its properties are (Core, "SetSynchronizationPoint"). */
export const setSynchronizationPoint: Call<void> = {
  ...call('events', 'SetSynchronizationPoint', '', nothing),
  action: `${namespaces.events}/PullPointSubscription/SetSynchronizationPointRequest`,
}

/** Which topics the device has: whether a path such as `Device/Trigger/DigitalInput` is among them. */
export const getEventProperties: Call<(topic: string) => boolean> = {
  ...call('events', 'GetEventProperties', '', (answer) => {
    const under = (parents: readonly Xml[], name: string) => parents.flatMap((parent) => all(parent, name))
    return (topic: string) => topic.split('/').reduce(under, all(answer, 'TopicSet')).length > 0
  }),
  action: `${namespaces.events}/EventPortType/GetEventPropertiesRequest`,
}

export const unsubscribe: Call<void> = {
  ...call('events', 'Unsubscribe', '', nothing, notification),
  action: 'http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest',
}

/** The relay's state that a notice reports, if it is about this relay (DeviceIO, event Device/Trigger/Relay). */
export const relayStateIn = ({ topic, source, data }: Notice, relay: string): boolean | null => {
  if (topic !== 'Device/Trigger/Relay') return null
  const token = source.get('RelayToken') ?? source.get('RelayOutputToken') ?? source.get('Token')
  const state = (data.get('LogicalState') ?? data.get('State'))?.toLowerCase()
  // An empty source is seen on devices that have one relay only.
  if (token !== undefined && token !== relay) return null
  return state === 'active' || state === 'true' || state === '1'
    ? true
    : state === 'inactive' || state === 'false' || state === '0'
      ? false
      : null
}
