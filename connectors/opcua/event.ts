import {
  AttributeIds,
  CallRequest,
  coerceNodeId,
  DataType,
  EventFilter,
  LocalizedText,
  type MonitoredItemCreateRequestOptions,
  MonitoringMode,
  NodeId,
  type NodeIdLike,
  SimpleAttributeOperand,
  StatusCode,
  type Variant,
} from 'node-opcua'
import type { Context } from '../../core/connector.ts'
import { messageOf } from '../../core/error.ts'
import type { Fact, Json } from '../../core/fact.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import { plain, qualityOf } from './codec.ts'
import { Conditions, fits, type Told } from './condition.ts'
import type { Config, Input } from './index.ts'
import type { Nodes } from './nodes.ts'

/** Part 5, Annex A: the types whose fields are selected, and those that bracket a refresh. */
const baseEvent = 'i=2041'
const condition = 'i=2782'
const acknowledgeable = 'i=2881'
const alarm = 'i=2915'
export const eventTypes = {
  refreshStart: 'i=2787',
  refreshEnd: 'i=2788',
  refreshRequired: 'i=2789',
  overflow: 'i=3035',
} as const
/** AcknowledgeableConditionType.Acknowledge (Part 9, 5.7.3). */
const acknowledgeMethod = 'i=9111'
/** Acknowledgements that are remembered; an older event that comes again is acknowledged again, which does no harm. */
const acknowledgedMax = 1_000

/** What is asked of every event: the type that has the field, and the way to it; no way: the id of the condition itself. */
const fields = [
  [baseEvent, ['EventId']],
  [baseEvent, ['EventType']],
  [baseEvent, ['SourceNode']],
  [baseEvent, ['SourceName']],
  [baseEvent, ['Time']],
  [baseEvent, ['Message']],
  [baseEvent, ['Severity']],
  [condition, []],
  [condition, ['ConditionName']],
  [condition, ['BranchId']],
  [condition, ['Retain']],
  [condition, ['Quality']],
  [condition, ['EnabledState', 'Id']],
  [acknowledgeable, ['AckedState', 'Id']],
  [alarm, ['ActiveState', 'Id']],
  [alarm, ['ActiveState', 'TransitionTime']],
] as const

/** The item that tells the events of an object. */
export const eventItem = (notifier: NodeIdLike, queueSize: number): MonitoredItemCreateRequestOptions => ({
  itemToMonitor: { nodeId: notifier, attributeId: AttributeIds.EventNotifier },
  monitoringMode: MonitoringMode.Reporting,
  requestedParameters: {
    samplingInterval: 0,
    queueSize,
    discardOldest: false,
    filter: new EventFilter({
      selectClauses: fields.map(
        ([type, path]) =>
          new SimpleAttributeOperand({
            typeDefinitionId: coerceNodeId(type),
            browsePath: path.map((name) => ({ name })),
            attributeId: path.length === 0 ? AttributeIds.NodeId : AttributeIds.Value,
          }),
      ),
    }),
  },
})

/** What the fields of an event say; what is not there is null. */
export const toldBy = (variants: readonly (Variant | null)[]): Told => {
  const values: unknown[] = fields.map((_, nth) => variants[nth]?.value ?? null)
  const [eventId, type, sourceNode, sourceName, time, message, severity, id, name, branch, ...rest] = values
  const [retain, quality, enabled, acked, active, since] = rest
  return {
    eventId: Buffer.isBuffer(eventId) ? eventId.toString('hex') : '',
    eventType: nodeText(type) ?? '',
    sourceNode: nodeText(sourceNode) ?? '',
    sourceName: String(plain(sourceName) ?? ''),
    time: timeOf(time),
    message: String(plain(message) ?? '').slice(0, 500),
    severity: typeof severity === 'number' ? severity : 0,
    condition: nodeText(id),
    conditionName: String(plain(name) ?? ''),
    branch: nodeText(branch) !== null,
    retain: flag(retain),
    quality: quality instanceof StatusCode ? qualityOf(quality.value) : 'good',
    enabled: flag(enabled),
    acked: flag(acked),
    active: flag(active),
    since: timeOf(since),
  }
}

const flag = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)

const timeOf = (value: unknown): number | null =>
  value instanceof Date && value.getTime() > 0 ? value.getTime() : null

const nodeText = (value: unknown): string | null =>
  value instanceof NodeId && !value.isEmpty() ? value.toString().replace(/^ns=0;/, '') : null

/** One input that is an alarm or an event: between what the server tells and core. */
export class EventInput {
  readonly device: string
  readonly notifier: string
  readonly #input: Input
  readonly #nodes: Nodes
  readonly #ctx: Context
  readonly #conditions: Conditions
  readonly #outbox: Outbox
  readonly #wanted: NonNullable<Input['event']>
  /** Events that are acknowledged already, or about to be. */
  readonly #acknowledged = new Set<string>()
  /** The server gives its events to us. */
  heard = false

  constructor(
    device: string,
    input: Input,
    cursor: Json | undefined,
    config: Config,
    nodes: Nodes,
    ctx: Context,
  ) {
    this.device = device
    this.#input = input
    this.#nodes = nodes
    this.#ctx = ctx
    this.#outbox = new Outbox(config, device, ctx)
    this.#conditions = new Conditions(device, this.#outbox.last?.cursor ?? cursor)
    const { notifier, source, condition, type, severity } = input.event as NonNullable<Input['event']>
    this.notifier = notifier
    this.#wanted = {
      notifier,
      source: source && this.#plainId(source),
      condition: condition && this.#plainId(condition),
      type: type && this.#plainId(type),
      severity,
    }
  }

  hear(event: Told): void {
    // The end of what was severe enough may be told with less.
    const severity = this.#conditions.isActive(event.condition) ? 0 : this.#wanted.severity
    if (!fits(event, { ...this.#wanted, severity })) return
    this.#put(this.#conditions.hear(event))
    this.note()
    if (this.#input.acknowledge === 'never' || event.acked !== false || event.condition === null) return
    this.#outbox.afterwards(() => this.#acknowledge(event))
  }

  /** From here on the server tells what it retains. */
  refresh(): void {
    this.#conditions.refresh()
  }

  refreshed(): void {
    this.#put(this.#conditions.refreshed())
    this.note()
  }

  /** That it is listened to, and how it stands. */
  note(): void {
    if (this.heard && this.#conditions.known)
      this.#ctx.note(this.device, { quality: 'good', active: this.#conditions.active })
    else this.unknown()
  }

  unknown(): void {
    this.#ctx.note(this.device, { quality: 'unknown' })
  }

  #put(facts: readonly Fact[]): void {
    for (const fact of facts) this.#outbox.put(fact)
  }

  /** A name stays a name; a NodeId gets the index that its namespace has here. */
  #plainId(written: string): string {
    try {
      return this.#nodes
        .id(written)
        .toString()
        .replace(/^ns=0;/, '')
    } catch {
      return written
    }
  }

  /** By the EventId of the very state that was recorded (Part 9, 5.7.3). */
  #acknowledge({ eventId, condition, sourceName }: Told): void {
    if (this.#ctx.signal.aborted || this.#acknowledged.has(eventId)) return
    this.#acknowledged.add(eventId)
    const [oldest] = this.#acknowledged
    if (oldest !== undefined && this.#acknowledged.size > acknowledgedMax) this.#acknowledged.delete(oldest)
    const request = new CallRequest({
      methodsToCall: [
        {
          objectId: coerceNodeId(condition as string),
          methodId: coerceNodeId(acknowledgeMethod),
          inputArguments: [
            { dataType: DataType.ByteString, value: Buffer.from(eventId, 'hex') },
            {
              dataType: DataType.LocalizedText,
              value: new LocalizedText({ text: 'recorded by duress-bridge' }),
            },
          ],
        },
      ],
    })
    this.#nodes.call(request, `Acknowledge of ${sourceName}`).catch((error: unknown) => {
      // Somebody else was faster.
      if (/AlreadyAcked/.test(messageOf(error)) || this.#ctx.signal.aborted) return
      this.#acknowledged.delete(eventId)
      this.#ctx.log.warn({ device: this.device }, `the condition is not acknowledged: ${messageOf(error)}`)
    })
  }
}
