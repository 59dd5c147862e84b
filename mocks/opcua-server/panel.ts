import {
  DataType,
  LocalizedText,
  StatusCodes,
  type UAObject,
  type UAVariable,
  type Variant,
  type VariantLike,
} from 'node-opcua'
import type { Journal } from '../mock.ts'
import type { Engine } from './engine.ts'

/** How a node's value is called: Part 4, 7.39. */
export type Quality = 'good' | 'uncertain' | 'bad'

const statusOf = {
  good: StatusCodes.Good,
  uncertain: StatusCodes.UncertainLastUsableValue,
  bad: StatusCodes.BadDeviceFailure,
}

/** What `node` must be of `write`: what a client may write, and what becomes of it. */
type Write = (value: Variant) => boolean

/** One object of the address space with variables below it; their ids are `ns=1;s=NAME.VARIABLE`. */
export class Panel {
  readonly name: string
  readonly object: UAObject
  readonly #engine: Engine
  readonly #journal: Journal
  readonly #variables = new Map<string, UAVariable>()

  constructor(engine: Engine, name: string, journal: Journal) {
    this.#engine = engine
    this.#journal = journal
    this.name = engine.claim(name)
    const { objects } = engine.addressSpace.rootFolder
    this.object = engine.namespace.addObject({
      browseName: this.name,
      nodeId: `s=${this.name}`,
      organizedBy: objects,
      notifierOf: objects.server,
      eventNotifier: 1,
    })
  }

  /** The id of the panel itself, or of something below it, as a client writes it. */
  id(below?: string): string {
    return `ns=1;s=${this.name}${below === undefined ? '' : `.${below}`}`
  }

  /** A variable below the panel; with `write` clients may write it, and it says whether the value is taken over. */
  variable(name: string, dataType: DataType, value: unknown, write?: Write): UAVariable {
    const { Good, BadTypeMismatch } = StatusCodes
    const variable = this.#engine.namespace.addVariable({
      componentOf: this.object,
      browseName: name,
      nodeId: `s=${this.name}.${name}`,
      dataType: DataType[dataType],
      ...(write ? {} : { accessLevel: 'CurrentRead' as const, userAccessLevel: 'CurrentRead' as const }),
      minimumSamplingInterval: 10,
    })
    variable.setValueFromSource({ dataType, value } as VariantLike)
    this.#variables.set(name, variable)
    if (!write) return variable
    // Called for each write of a client, before the value is taken over.
    const take = variable.writeValue.bind(variable)
    variable.writeValue = ((context, dataValue, ...rest) => {
      const done = rest.at(-1) as (error: Error | null, status: unknown) => void
      if (dataValue.value.dataType !== dataType) return done(null, BadTypeMismatch)
      this.#journal.note('write', { node: name, value: dataValue.value.value })
      if (!write(dataValue.value)) return done(null, Good)
      return (take as (...all: unknown[]) => unknown)(context, dataValue, ...rest)
    }) as typeof variable.writeValue
    return variable
  }

  get(name: string): unknown {
    return this.#named(name).readValue().value.value
  }

  set(name: string, value: unknown, quality: Quality = 'good'): void {
    const variable = this.#named(name)
    variable.setValueFromSource(
      { dataType: variable.dataTypeObj.basicDataType, value } as VariantLike,
      statusOf[quality],
    )
  }

  /** The value stays, its quality changes. */
  qualify(name: string, quality: Quality): void {
    this.set(name, this.get(name), quality)
  }

  /** The node is gone from the address space, as after a program download that forgot it. */
  remove(name: string): void {
    this.#engine.addressSpace.deleteNode(this.#named(name))
    this.#variables.delete(name)
  }

  /** An event that is no condition: told once, and forgotten. */
  raise(message: string, severity: number, type = 'BaseEventType'): void {
    this.object.raiseEvent(type, {
      message: { dataType: DataType.LocalizedText, value: new LocalizedText({ text: message }) },
      severity: { dataType: DataType.UInt16, value: severity },
      sourceName: { dataType: DataType.String, value: this.name },
      sourceNode: { dataType: DataType.NodeId, value: this.object.nodeId },
    })
  }

  close(): void {
    this.#engine.addressSpace.deleteNode(this.object)
  }

  #named(name: string): UAVariable {
    const variable = this.#variables.get(name)
    if (!variable) throw new RangeError(`${this.name} has no ${name}`)
    return variable
  }
}
