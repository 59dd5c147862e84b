import {
  AttributeIds,
  CallRequest,
  type CallResponse,
  coerceNodeId,
  DataType,
  type DataValue,
  NodeId,
  NodeIdType,
  ReadRequest,
  type ReadResponse,
  type StatusCode,
  TimestampsToReturn,
  Variant,
  VariantArrayType,
  WriteRequest,
  type WriteResponse,
} from 'node-opcua'
import { BridgeError, messageOf } from '../../core/error.ts'
import { mustBeGood } from './channel.ts'
import { resolved } from './codec.ts'
import type { Act } from './index.ts'
import type { Session } from './session.ts'

/** Nodes in one request: more than some servers take would cost all of them. */
const nodesMax = 200
/** NamespaceArray of the server object (Part 5, 6.3.1). */
const namespaceArray = 'i=2255'
/** The highest DataType that is built in (Part 6, 5.1.2). */
const builtInMax = 25

type Plain = boolean | number | string
type TypeName = Extract<Act, { write: string }>['type']

/** The nodes of one session: reads, writes and calls them by the names of the config. */
export class Nodes {
  readonly #session: Session
  readonly #namespaces: readonly string[]
  readonly #types = new Map<string, DataType>()

  private constructor(session: Session, namespaces: readonly string[]) {
    this.#session = session
    this.#namespaces = namespaces
  }

  /** Asks the server for its namespaces, whose numbers may change with each of its starts. */
  static async of(session: Session): Promise<Nodes> {
    const [value] = await new Nodes(session, []).read([namespaceArray])
    const uris: unknown = value?.value.value
    return new Nodes(session, Array.isArray(uris) ? uris.map(String) : [])
  }

  /** Throws NOT_FOUND when the server has no such namespace. */
  id(node: string): NodeId {
    const text = resolved(node, this.#namespaces)
    if (text === null) throw new BridgeError('NOT_FOUND', `the server has no namespace of this URI: ${node}`)
    return coerceNodeId(text)
  }

  /** Like `id`, but null for a node that the server can't have: it reads as Bad. */
  idOrNull(node: string): NodeId {
    try {
      return this.id(node)
    } catch {
      return NodeId.nullNodeId
    }
  }

  /** Values in the order of the nodes; each has a status of its own. */
  async read(nodes: readonly string[], signal?: AbortSignal): Promise<DataValue[]> {
    const values: DataValue[] = []
    for (let at = 0; at < nodes.length; at += nodesMax) {
      const part = nodes.slice(at, at + nodesMax)
      values.push(
        ...(await this.#read(
          part.map((node) => [node, AttributeIds.Value] as const),
          signal,
        )),
      )
    }
    return values
  }

  /** The built-in type that a node takes. Throws when it can't be found out. */
  async typeOf(node: string, signal?: AbortSignal): Promise<DataType> {
    const known = this.#types.get(node)
    if (known !== undefined) return known
    const [value, dataType] = await this.#read(
      [
        [node, AttributeIds.Value],
        [node, AttributeIds.DataType],
      ],
      signal,
    )
    mustBeGood(dataType?.statusCode, `the type of ${node}`)
    const declared: unknown = dataType?.value.value
    const builtIn =
      declared instanceof NodeId && declared.namespace === 0 && declared.identifierType === NodeIdType.NUMERIC
        ? (declared.value as number)
        : Number.POSITIVE_INFINITY
    // Enumerations and types of the server's own: what the value is made of.
    const type = builtIn <= builtInMax ? builtIn : (value?.value.dataType ?? DataType.Null)
    if (type === DataType.Null)
      throw new BridgeError(
        'CONFIG_TARGET',
        `${node}: its type can't be found out, write \`type\` into the config`,
      )
    this.#types.set(node, type)
    return type
  }

  /** Everything of a write but the bytes: what can be wrong with it is found here. */
  async toWrite(node: string, value: Plain, type: TypeName, signal: AbortSignal): Promise<WriteRequest> {
    const dataType = type === undefined ? await this.typeOf(node, signal) : DataType[type]
    return new WriteRequest({
      nodesToWrite: [
        {
          nodeId: this.id(node),
          attributeId: AttributeIds.Value,
          value: { value: variantOf(dataType, value, node) },
        },
      ],
    })
  }

  async write(request: WriteRequest, node: string, signal?: AbortSignal): Promise<void> {
    const answer = await this.#session.ask<WriteResponse>(
      request,
      `writing ${node}`,
      signal ? { signal } : {},
    )
    mustBeGood(answer.results?.[0], `writing ${node}`)
  }

  toCall(act: Extract<Act, { call: string }>): CallRequest {
    return new CallRequest({
      methodsToCall: [
        {
          objectId: this.id(act.of),
          methodId: this.id(act.call),
          inputArguments: act.args.map(({ type, value }, nth) =>
            variantOf(DataType[type], value, `argument ${nth + 1} of ${act.call}`),
          ),
        },
      ],
    })
  }

  async call(request: CallRequest, what: string, signal?: AbortSignal): Promise<StatusCode | undefined> {
    const answer = await this.#session.ask<CallResponse>(request, `calling ${what}`, signal ? { signal } : {})
    const status = answer.results?.[0]?.statusCode
    mustBeGood(status, `calling ${what}`)
    return status
  }

  async #read(
    nodes: readonly (readonly [string, AttributeIds])[],
    signal?: AbortSignal,
  ): Promise<DataValue[]> {
    const request = new ReadRequest({
      maxAge: 0,
      timestampsToReturn: TimestampsToReturn.Both,
      nodesToRead: nodes.map(([node, attributeId]) => ({ nodeId: this.idOrNull(node), attributeId })),
    })
    const answer = await this.#session.ask<ReadResponse>(request, 'reading', signal ? { signal } : {})
    const results = answer.results ?? []
    if (results.length !== nodes.length)
      throw new BridgeError('BAD_ANSWER', `asked for ${nodes.length} values, got ${results.length}`)
    return results
  }
}

const integers: { readonly [type: number]: readonly [number, number] } = {
  [DataType.SByte]: [-128, 127],
  [DataType.Byte]: [0, 255],
  [DataType.Int16]: [-32_768, 32_767],
  [DataType.UInt16]: [0, 65_535],
  [DataType.Int32]: [-(2 ** 31), 2 ** 31 - 1],
  [DataType.UInt32]: [0, 2 ** 32 - 1],
  [DataType.Int64]: [0, Number.MAX_SAFE_INTEGER],
  [DataType.UInt64]: [0, Number.MAX_SAFE_INTEGER],
}

/** A value of the config in the type that the server wants. Throws INVALID_ARGS when it doesn't fit. */
const variantOf = (dataType: DataType, value: Plain, what: string): Variant => {
  const misfit = () =>
    new BridgeError('INVALID_ARGS', `${what}: ${JSON.stringify(value)} is no ${DataType[dataType]}`)
  const limits = integers[dataType]
  const number = typeof value === 'boolean' ? Number(value) : value
  try {
    if (dataType === DataType.Boolean && typeof value !== 'string')
      return new Variant({ dataType, value: Boolean(value) })
    if (dataType === DataType.String && typeof value === 'string') return new Variant({ dataType, value })
    if (typeof number !== 'number') throw misfit()
    if (dataType === DataType.Float || dataType === DataType.Double)
      return new Variant({ dataType, value: number })
    if (!limits || !Number.isInteger(number) || number < limits[0] || number > limits[1]) throw misfit()
    const wide = dataType === DataType.Int64 || dataType === DataType.UInt64
    return new Variant({
      dataType,
      arrayType: VariantArrayType.Scalar,
      value: wide ? [Math.floor(number / 2 ** 32), number % 2 ** 32] : number,
    })
  } catch (error) {
    throw error instanceof BridgeError
      ? error
      : new BridgeError('INVALID_ARGS', `${what}: ${messageOf(error)}`)
  }
}
