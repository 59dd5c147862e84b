import { BridgeError } from '../../../core/error.ts'
import { type Call, call, element, namespaces, nothing } from './call.ts'
import type { Reference } from './soap.ts'
import { all, attributeOf, one, textOf, type Xml } from './xml.ts'

const notification = 'http://docs.oasis-open.org/wsn/b-2'

/** `topic` such as `tns1:Device/Trigger/Relay`; null takes everything. `seconds`: when it ends if nobody ends it. */
export const createPullPoint = (topic: string | null, seconds: number): Call<{ address: string }> => ({
  ...call(
    'events',
    'CreatePullPointSubscription',
    (topic === null ? '' : filter(topic)) + element('InitialTerminationTime', `PT${seconds}S`),
    (answer) => {
      const address = textOf(answer, 'SubscriptionReference', 'Address')
      if (!address) throw new BridgeError('BAD_ANSWER', 'the subscription has no address')
      return { address }
    },
  ),
  action: `${namespaces.events}/EventPortType/CreatePullPointSubscriptionRequest`,
})

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
    topic: (textOf(listed, 'Topic') ?? '').replaceAll(/(^|\/)\w+:/g, '$1'),
    operation: attributeOf(message, 'PropertyOperation') ?? '',
    source: itemsOf(one(message, 'Source')),
    data: itemsOf(one(message, 'Data')),
  }
}

const itemsOf = (of: Xml | undefined): ReadonlyMap<string, string> =>
  new Map(
    all(of, 'SimpleItem').map((item) => [attributeOf(item, 'Name') ?? '', attributeOf(item, 'Value') ?? '']),
  )

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
