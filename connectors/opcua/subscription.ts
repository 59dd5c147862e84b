import {
  CreateMonitoredItemsRequest,
  type CreateMonitoredItemsResponse,
  CreateSubscriptionRequest,
  type CreateSubscriptionResponse,
  DataChangeNotification,
  type DataValue,
  EventNotificationList,
  type MonitoredItemCreateRequestOptions,
  type NotificationMessage,
  PublishRequest,
  type PublishResponse,
  RepublishRequest,
  type RepublishResponse,
  StatusChangeNotification,
  type StatusCode,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua'
import type { Clock } from '../../core/clock.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Fault } from './channel.ts'
import type { Session } from './session.ts'

/** Requests that wait at the server, so that it always has one to answer. */
const waiting = 3
/** A server that answers nothing else so often in a row is not worth asking on. */
const failuresMax = 10
/** Lost messages that are asked for once more; of more nobody knows what was in them. */
const republishMax = 20
/** Servers tell no faster than this whatever they are asked for, and nobody needs it slower, ms. */
const publishing = { least: 50, most: 1_000 }
/** A subscription of ours that nobody listens to ends by itself, ms. */
const lifetimeMs = 10_000
/** Items in one request: more than some servers take would cost all of them. */
const itemsMax = 200
const highestSequence = 0xffff_ffff

/** What a subscription tells, item by item, in order. */
export interface Listens {
  value(handle: number, value: DataValue): void
  event(handle: number, fields: readonly (Variant | null)[]): void
  /** One message is told whole. */
  told(): void
}

/** One subscription of a session. Whatever is wrong with it ends the session: core makes all of it anew. */
export class Subscription {
  readonly id: number
  /** How often the server tells what is new, ms. */
  readonly everyMs: number
  /** After so long without anything to tell it says that it is there, ms. */
  readonly aliveMs: number
  readonly #session: Session
  readonly #clock: Clock
  readonly #listens: Listens
  #last = 0
  #heardAt: number
  #failures = 0
  #underWay = 0
  #acknowledge: { subscriptionId: number; sequenceNumber: number }[] = []
  /** Messages are told one after the other, also while a lost one is asked for again. */
  #turn: Promise<void> = Promise.resolve()

  private constructor(session: Session, made: CreateSubscriptionResponse, clock: Clock, listens: Listens) {
    this.#session = session
    this.#clock = clock
    this.#listens = listens
    this.id = made.subscriptionId
    this.everyMs = made.revisedPublishingInterval
    this.aliveMs = made.revisedPublishingInterval * made.revisedMaxKeepAliveCount
    this.#heardAt = clock.mono()
  }

  static async open(
    session: Session,
    { sampling, watch }: { sampling: number; watch: number },
    clock: Clock,
    listens: Listens,
  ): Promise<Subscription> {
    const everyMs = Math.min(Math.max(sampling, publishing.least), publishing.most)
    const aliveCount = Math.max(1, Math.round(watch / everyMs))
    const request = new CreateSubscriptionRequest({
      requestedPublishingInterval: everyMs,
      requestedMaxKeepAliveCount: aliveCount,
      // Three times the keep-alive at least (Part 4, 5.14.2.2).
      requestedLifetimeCount: Math.max(aliveCount * 3, Math.ceil(lifetimeMs / everyMs)),
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 255,
    })
    const made = await session.ask<CreateSubscriptionResponse>(request, 'making a subscription')
    return new Subscription(session, made, clock, listens)
  }

  /** Adds items; one status each, in order. */
  async monitor(items: readonly MonitoredItemCreateRequestOptions[]): Promise<StatusCode[]> {
    const statuses: StatusCode[] = []
    for (let at = 0; at < items.length; at += itemsMax) {
      const request = new CreateMonitoredItemsRequest({
        subscriptionId: this.id,
        timestampsToReturn: TimestampsToReturn.Both,
        itemsToCreate: items.slice(at, at + itemsMax),
      })
      const made = await this.#session.ask<CreateMonitoredItemsResponse>(request, 'monitoring')
      statuses.push(...(made.results ?? []).map(({ statusCode }) => statusCode))
    }
    return statuses
  }

  /** Begins to listen. */
  start(): void {
    this.#heardAt = this.#clock.mono()
    for (let n = 0; n < waiting; n++) this.#publish()
  }

  /** For how long it has said nothing, ms. */
  get silentMs(): number {
    return this.#clock.mono() - this.#heardAt
  }

  #publish(): void {
    if (!this.#session.isOpen) return
    this.#underWay++
    const request = new PublishRequest({ subscriptionAcknowledgements: this.#acknowledge.splice(0) })
    this.#session
      .ask<PublishResponse>(request, 'listening', { limitMs: null })
      .then(
        (answer) => {
          this.#underWay--
          this.#failures = 0
          // Asked again before anything is told, so that the server is never without a request.
          this.#publish()
          this.#heard(answer)
        },
        (error) => {
          this.#underWay--
          this.#failed(error)
        },
      )
      .catch((error: unknown) => this.#drop('CRASHED', messageOf(error)))
  }

  #failed(error: unknown): void {
    if (!this.#session.isOpen) return
    const name = error instanceof Fault ? error.status.name : ''
    // It takes fewer at a time; those under way go on.
    if (name === 'BadTooManyPublishRequests' && this.#underWay > 0) return
    const again = name === 'BadTimeout' || name === 'BadRequestTimeout'
    if (again && ++this.#failures < failuresMax) this.#publish()
    else this.#drop('BAD_ANSWER', messageOf(error))
  }

  #heard({ subscriptionId, notificationMessage }: PublishResponse): void {
    if (subscriptionId !== this.id) return
    this.#heardAt = this.#clock.mono()
    this.#turn = this.#turn
      .then(() => this.#inOrder(notificationMessage))
      .catch((error: unknown) => {
        if (this.#session.isOpen) this.#drop('BAD_ANSWER', messageOf(error))
      })
  }

  /** Tells a message, and before it those that were lost. One without data is a sign of life with the next number (Part 4, 5.14.1.1). */
  async #inOrder(message: NotificationMessage): Promise<void> {
    if (!this.#session.isOpen) return
    const { sequenceNumber } = message
    const data = message.notificationData ?? []
    const missing = sequenceNumber - after(this.#last)
    if (missing < 0 && data.length > 0) return
    if (missing > republishMax) throw new Error(`${missing} messages of the subscription are lost`)
    for (; after(this.#last) < sequenceNumber; ) await this.#republish(after(this.#last))
    if (data.length > 0) this.#tell(message)
  }

  async #republish(sequenceNumber: number): Promise<void> {
    const request = new RepublishRequest({
      subscriptionId: this.id,
      retransmitSequenceNumber: sequenceNumber,
    })
    const { notificationMessage } = await this.#session.ask<RepublishResponse>(
      request,
      `message ${sequenceNumber} of the subscription, which is lost`,
    )
    this.#tell(notificationMessage)
  }

  #tell({ sequenceNumber, notificationData }: NotificationMessage): void {
    this.#last = sequenceNumber
    this.#acknowledge.push({ subscriptionId: this.id, sequenceNumber })
    for (const data of notificationData ?? []) {
      if (data instanceof DataChangeNotification)
        for (const { clientHandle, value } of data.monitoredItems ?? [])
          this.#listens.value(clientHandle, value)
      else if (data instanceof EventNotificationList)
        for (const { clientHandle, eventFields } of data.events ?? [])
          this.#listens.event(clientHandle, eventFields ?? [])
      else if (data instanceof StatusChangeNotification)
        this.#drop('LINK_DOWN', `the server ends the subscription: ${data.status.name}`)
    }
    this.#listens.told()
  }

  #drop(code: BridgeError['code'], why: string): void {
    this.#session.leave(new BridgeError(code, `the subscription is over: ${why}`))
  }
}

/** After the highest comes 1, not 0 (Part 4, 7.10). */
const after = (sequence: number): number => (sequence >= highestSequence ? 1 : sequence + 1)
