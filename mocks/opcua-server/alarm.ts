import { DataType, type Namespace, StatusCodes } from 'node-opcua'
import type { Journal } from '../mock.ts'
import type { Engine } from './engine.ts'
import type { Panel } from './panel.ts'

type Native = ReturnType<Namespace['instantiateOffNormalAlarm']>
type Told = Parameters<Native['raiseNewCondition']>[0]

/** An alarm condition (Part 9, 5.8.2) below a panel: retained while it is active or not acknowledged. */
export class Alarm {
  readonly #alarm: Native

  constructor(engine: Engine, panel: Panel, name: string, journal: Journal) {
    const input = panel.variable(`${name}.Input`, DataType.Boolean, false)
    const source = engine.namespace.addObject({
      browseName: `${name} Button`,
      nodeId: `s=${panel.name}.${name}.Source`,
      componentOf: panel.object,
      eventSourceOf: panel.object,
    })
    this.#alarm = engine.namespace.instantiateOffNormalAlarm({
      browseName: name,
      nodeId: `s=${panel.name}.${name}`,
      componentOf: panel.object,
      conditionName: name,
      conditionSource: source,
      conditionOf: source,
      inputNode: input,
      normalState: input,
    })
    this.restart()
    this.#alarm.on('acknowledged', (_eventId, comment) => {
      journal.note('acknowledge', { condition: name, comment: comment.text ?? '' })
      if (!this.active) this.#alarm.currentBranch().setRetain(false)
    })
  }

  get active(): boolean {
    return this.#alarm.activeState.getValue()
  }

  get acknowledged(): boolean {
    return this.#alarm.ackedState.getValue()
  }

  raise(severity = 700): void {
    this.#alarm.activateAlarm()
    this.#tell('pressed', severity)
  }

  clear(severity = 700): void {
    // It is of no interest any more only once somebody has acknowledged it.
    this.#alarm.deactivateAlarm(!this.acknowledged)
    this.#tell('let go', severity)
  }

  /** As a server with condition branches tells it: each state that nobody has acknowledged goes on as a branch. */
  signal(active: boolean): void {
    this.#alarm.signalNewCondition(active ? 'Active' : 'Inactive', active, 'by branch')
  }

  /** Tells the state as it is with another quality. */
  qualify(quality: 'good' | 'bad'): void {
    this.#tell('quality', 700, quality === 'good' ? StatusCodes.Good : StatusCodes.BadSensorFailure)
  }

  /** As after power-up: nothing is active, nothing waits for an acknowledgement. */
  restart(): void {
    const branch = this.#alarm.currentBranch()
    branch.setAckedState(true)
    branch.setActiveState(false)
    branch.setRetain(false)
  }

  #tell(message: string, severity: number, quality = StatusCodes.Good): void {
    const retain = this.active || !this.acknowledged
    this.#alarm.raiseNewCondition({ message, severity, quality, retain } as Told)
  }
}
