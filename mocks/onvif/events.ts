import type { Reply } from '../http/device.ts'
import { durationMs } from './duration.ts'
import {
  concreteSet,
  type Habits,
  type News,
  notification,
  type Property,
  stateOf,
  timeOf,
} from './message.ts'
import { Fault, ns, soapReply } from './soap.ts'
import type { Asked, Service } from './start.ts'
import { Subscription } from './subscription.ts'
import { child, type Element, safe } from './xml.ts'

export type { Habits, Property } from './message.ts'

/** More are refused, as real cameras do: a client that leaks subscriptions finds out. */
const subscriptionsMax = 10
/** How long a subscription lives that doesn't say, and the longest pull, ms. */
const lifeMsDefault = 60_000
const pullMsMax = 60_000

const portType = 'http://www.onvif.org/ver10/events/wsdl'
const oasis = 'http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager'

const bare = (topic: string): string => topic.trim().replace(/^[^:/]*:/, '')

/** Topics that a filter asks for: alternatives by |, whole branches by //. (ONVIF Core, topic expressions). */
const wanted = (filter: string): ((topic: string) => boolean) => {
  const parts = filter.split('|').map((part) => part.trim())
  return (topic) =>
    parts.some((part) =>
      part.endsWith('//.')
        ? `${bare(topic)}/`.startsWith(`${bare(part.slice(0, -3))}/`)
        : bare(topic) === bare(part),
    )
}

const topicTree = (topic: string): string => {
  const [root = '', ...rest] = topic.split('/')
  const inner = rest.reduceRight((within, name, index) => {
    const leaf = index === rest.length - 1 ? ' top:topic="true"' : ''
    return `<${name}${leaf}>${within}</${name}>`
  }, '')
  return `<${root}>${inner}</${root}>`
}

/** The event service of a device with pull points (ONVIF Core, event.wsdl; OASIS WS-BaseNotification 1.3). */
export class Events {
  readonly #properties: readonly Property[]
  readonly #now: () => number
  readonly #habits: Habits
  readonly #topics: readonly string[]
  readonly #subscriptions = new Map<string, Subscription>()
  #made = 0

  /** `now` is the device's clock; `others` are the topics that are no properties. */
  constructor(
    properties: readonly Property[],
    now: () => number,
    { habits = {}, others = [] }: { habits?: Habits; others?: readonly string[] } = {},
  ) {
    this.#properties = properties
    this.#now = now
    this.#habits = habits
    this.#topics = [...new Set([...properties.map(({ topic }) => topic), ...others])]
  }

  /** Subscriptions that have neither ended nor run out. */
  get subscriptions(): number {
    for (const [id, { endsAt }] of this.#subscriptions)
      if (endsAt <= Date.now()) this.#subscriptions.delete(id)
    return this.#subscriptions.size
  }

  /** Tells all subscribers the new state. */
  changed(property: Property): void {
    this.happened(stateOf(property, 'Changed'))
  }

  /** Tells all subscribers something, now or as it was at `at` by the device's clock. */
  happened(news: News, at = this.#now()): void {
    const message = notification(news, at, this.#habits)
    for (const subscription of this.#subscriptions.values()) subscription.put(news.topic, message)
  }

  forget(): void {
    for (const subscription of this.#subscriptions.values()) subscription.end()
    this.#subscriptions.clear()
  }

  services(address: (path: string) => string): readonly Service[] {
    const pullPath = '/onvif/services/pull'
    return [
      {
        namespace: ns.events,
        path: '/onvif/services/events',
        operations: {
          GetServiceCapabilities: {
            open: true,
            run: () =>
              `<evt:Capabilities WSSubscriptionPolicySupport="false" WSPullPointSupport="true" MaxPullPoints="${subscriptionsMax}"/>`,
          },
          GetEventProperties: { run: () => this.#eventProperties() },
          CreatePullPointSubscription: { run: (args) => this.#create(args, address(pullPath)) },
        },
      },
      {
        namespace: ns.events,
        path: pullPath,
        unlisted: true,
        operations: {
          PullMessages: { run: (args, asked) => this.#pull(args, asked) },
          SetSynchronizationPoint: { run: (_args, asked) => this.#synchronize(asked) },
          [`{${ns.notification}}Renew`]: { run: (args, asked) => this.#renew(args, asked) },
          [`{${ns.notification}}Unsubscribe`]: { run: (_args, asked) => this.#unsubscribe(asked) },
        },
      },
    ]
  }

  #time(ms = Date.now()): string {
    return timeOf(ms - Date.now() + this.#now(), this.#habits)
  }

  #initial(subscription: Subscription): void {
    for (const property of this.#properties)
      subscription.put(
        property.topic,
        notification(stateOf(property, 'Initialized'), this.#now(), this.#habits),
      )
  }

  #end(asked: string, otherwise: number): number {
    const ms = asked === '' ? otherwise : (durationMs(asked) ?? Date.parse(asked) - this.#now())
    if (!(ms > 0)) throw new Fault('Sender', ['InvalidArgVal'], 'UnacceptableTerminationTimeFault')
    return Date.now() + Math.min(ms, this.#habits.longestLifeMs ?? ms)
  }

  #create(args: Element, address: string): Reply {
    const filter = child(child(args, ns.events, 'Filter'), ns.notification, 'TopicExpression')
    if (this.subscriptions >= subscriptionsMax)
      throw new Fault('Receiver', ['Action'], 'SubscribeCreationFailedFault: too many subscriptions')
    const asked = child(args, ns.events, 'InitialTerminationTime')?.text ?? ''
    const made = new Subscription(this.#end(asked, lifeMsDefault), filter ? wanted(filter.text) : () => true)
    const id = String(++this.#made)
    this.#subscriptions.set(id, made)
    if (!this.#habits.silentStart) this.#initial(made)
    return this.#reply(
      `${portType}/EventPortType/CreatePullPointSubscriptionResponse`,
      `<evt:CreatePullPointSubscriptionResponse><evt:SubscriptionReference><adr:Address>${safe(address)}?subscription=${id}</adr:Address>` +
        `</evt:SubscriptionReference><ntf:CurrentTime>${this.#time()}</ntf:CurrentTime>` +
        `<ntf:TerminationTime>${this.#time(made.endsAt)}</ntf:TerminationTime></evt:CreatePullPointSubscriptionResponse>`,
    )
  }

  async #pull(args: Element, asked: Asked): Promise<Reply> {
    const [, subscription] = this.#find(asked)
    const waitMs = durationMs(child(args, ns.events, 'Timeout')?.text ?? '')
    const limit = Number(child(args, ns.events, 'MessageLimit')?.text)
    if (waitMs === undefined || !(limit >= 1))
      throw new Fault('Sender', ['InvalidArgVal'], 'PullMessages needs a Timeout and a MessageLimit')
    const patience = this.#habits.impatient ? 0 : Math.min(waitMs, pullMsMax)
    const messages = await subscription.pull(limit, patience, asked.request.gone)
    return this.#reply(
      `${portType}/PullPointSubscription/PullMessagesResponse`,
      `<evt:PullMessagesResponse><evt:CurrentTime>${this.#time()}</evt:CurrentTime>` +
        `<evt:TerminationTime>${this.#time(subscription.endsAt)}</evt:TerminationTime>${messages.join('')}</evt:PullMessagesResponse>`,
    )
  }

  #synchronize(asked: Asked): Reply {
    this.#initial(this.#find(asked)[1])
    return this.#reply(
      `${portType}/PullPointSubscription/SetSynchronizationPointResponse`,
      '<evt:SetSynchronizationPointResponse/>',
    )
  }

  #renew(args: Element, asked: Asked): Reply {
    const [, subscription] = this.#find(asked)
    subscription.endsAt = this.#end(
      child(args, ns.notification, 'TerminationTime')?.text ?? '',
      lifeMsDefault,
    )
    return this.#reply(
      `${oasis}/RenewResponse`,
      `<ntf:RenewResponse><ntf:TerminationTime>${this.#time(subscription.endsAt)}</ntf:TerminationTime>` +
        `<ntf:CurrentTime>${this.#time()}</ntf:CurrentTime></ntf:RenewResponse>`,
    )
  }

  #unsubscribe(asked: Asked): Reply {
    const [id, subscription] = this.#find(asked)
    subscription.end()
    this.#subscriptions.delete(id)
    return this.#reply(`${oasis}/UnsubscribeResponse`, '<ntf:UnsubscribeResponse/>')
  }

  #find({ request }: Asked): [string, Subscription] {
    const id = new URLSearchParams(request.target.split('?')[1] ?? '').get('subscription') ?? ''
    const found = this.#subscriptions.get(id)
    if (!found || found.endsAt <= Date.now())
      throw new Fault('Sender', ['InvalidArgVal'], 'ResourceUnknownFault: no such subscription')
    return [id, found]
  }

  #reply(action: string, body: string): Reply {
    // WS-Addressing is mandatory for the event services (ONVIF Core, event handling).
    return soapReply(body, `<adr:Action>${action}</adr:Action>`)
  }

  #eventProperties(): string {
    return (
      '<evt:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</evt:TopicNamespaceLocation>' +
      `<ntf:FixedTopicSet>true</ntf:FixedTopicSet><top:TopicSet>${this.#topics.map(topicTree).join('')}</top:TopicSet>` +
      `<ntf:TopicExpressionDialect>${concreteSet}</ntf:TopicExpressionDialect>` +
      '<ntf:TopicExpressionDialect>http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete</ntf:TopicExpressionDialect>' +
      '<evt:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter</evt:MessageContentFilterDialect>' +
      '<evt:MessageContentSchemaLocation>http://www.onvif.org/onvif/ver10/schema/onvif.xsd</evt:MessageContentSchemaLocation>'
    )
  }
}
