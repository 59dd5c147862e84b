import { ns } from './soap.ts'
import { safe } from './xml.ts'

export const concreteSet = 'http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet'

/** A property that a device reports by events: its state now, and each change. */
export interface Property {
  /** With the prefix tns1, as devices write it: "tns1:Device/Trigger/Relay". */
  readonly topic: string
  readonly source: string
  readonly token: string
  readonly data: string
  readonly value: () => string
}

type Items = { readonly [name: string]: string }

/** What one message says. */
export interface News {
  readonly topic: string
  /** Left out for what is no property. */
  readonly operation?: 'Initialized' | 'Changed' | 'Deleted'
  readonly source: Items
  readonly data: Items
}

/** Ways of devices that a client must live with; by default none of them. */
export interface Habits {
  /** Prefix of topics; default tns1. */
  readonly topicPrefix?: string
  /** Line breaks and blanks around the topic. */
  readonly paddedTopics?: boolean
  /** No event says which part it is about. */
  readonly emptySources?: boolean
  /** Times with milliseconds; default whole seconds, as cameras write them. */
  readonly preciseTimes?: boolean
  /** A new subscriber is not told how things are. */
  readonly silentStart?: boolean
  /** A pull is answered at once, whether there is anything to tell or not. */
  readonly impatient?: boolean
  /** However long a subscription is asked for, it gets no more than this, ms. */
  readonly longestLifeMs?: number
}

export const stateOf = (
  { topic, source, token, data, value }: Property,
  operation: News['operation'],
): News => ({
  topic,
  ...(operation ? { operation } : {}),
  source: { [source]: token },
  data: { [data]: value() },
})

export const timeOf = (ms: number, { preciseTimes = false }: Habits): string => {
  const text = new Date(ms).toISOString()
  return preciseTimes ? text : text.replace(/\.\d+Z$/, 'Z')
}

const items = (all: Items): string =>
  Object.entries(all)
    .map(([name, value]) => `<sch:SimpleItem Name="${safe(name)}" Value="${safe(value)}"/>`)
    .join('')

/** A NotificationMessage (WS-BaseNotification 1.3, ONVIF Core "Message format"). */
export const notification = (
  { topic, operation, source, data }: News,
  at: number,
  habits: Habits,
): string => {
  const prefix = habits.topicPrefix ?? 'tns1'
  const [before, after] = habits.paddedTopics ? ['\n      ', '\n    '] : ['', '']
  const property = operation ? ` PropertyOperation="${operation}"` : ''
  return (
    `<ntf:NotificationMessage><ntf:Topic xmlns:${prefix}="${ns.topics}" Dialect="${concreteSet}">` +
    `${before}${topic.replace(/^tns1:/, `${prefix}:`)}${after}</ntf:Topic><ntf:Message>` +
    `<sch:Message UtcTime="${timeOf(at, habits)}"${property}>` +
    `<sch:Source>${habits.emptySources ? '' : items(source)}</sch:Source><sch:Data>${items(data)}</sch:Data>` +
    '</sch:Message></ntf:Message></ntf:NotificationMessage>'
  )
}
