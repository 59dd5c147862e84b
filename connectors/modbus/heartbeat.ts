import { sleep } from '../../core/clock.ts'
import type { Context, Opening } from '../../core/connector.ts'
import { BridgeError, messageOf } from '../../core/error.ts'
import { Outbox } from '../../core/intake/outbox.ts'
import { bitAt } from './codec.ts'
import type { Config, Input, Output } from './config.ts'
import type { Hearer, ValuesOf } from './listener.ts'
import type { Point, Run } from './points.ts'
import type { Unit } from './unit.ts'
import type { Wire } from './wire.ts'

/** How often is looked whether the input has followed, ms. */
const lookMs = 5

/**
 * A relay that is wired back to an input: the bridge presses for itself, and the poll sees it like any press. What the
 * input does without us is no call for people, since no button hangs there.
 */
export class Heartbeat implements Hearer {
  readonly unit: Unit
  readonly runs: readonly Run[]
  readonly #coil: number
  readonly #point: Point
  readonly #ctx: Context
  readonly #outbox: Outbox
  #mark: string | null = null
  #busy = false
  #level: boolean | null = null

  constructor({ config, name }: Opening<Config, Input, Output>, wire: Wire, ctx: Context) {
    const { coil, input, unit } = config.heartbeat as NonNullable<Config['heartbeat']>
    this.unit = wire.unit(unit)
    this.#coil = coil
    this.#point = { read: 2, address: input.discrete, length: 1, bit: null }
    this.runs = [this.#point]
    this.#ctx = ctx
    this.#outbox = new Outbox(config, `${name}/heartbeat`, ctx)
  }

  hear(valuesOf: ValuesOf): void {
    const read = valuesOf(this.#point)
    const before = this.#level
    this.#level = read && bitAt(read.run, read.values, this.#point)
    const mark = this.#mark
    if (mark === null || before !== false || this.#level !== true) return
    this.#mark = null
    this.#outbox.put({
      is: 'press',
      phase: 'active',
      device: null,
      from: 'heartbeat',
      key: `heartbeat/${mark}`,
      heartbeat: mark,
      raw: { coil: this.#coil, input: this.#point.address },
    })
  }

  unknown(): void {
    this.#level = null
  }

  /** Presses. Resolves when the poll has seen it; rejects with what is wrong. The relay goes back either way. */
  async beat(mark: string, signal: AbortSignal): Promise<void> {
    if (this.#busy) throw new BridgeError('BUSY', 'the heartbeat before is still on its way')
    this.#busy = true
    try {
      // It may still be set from before a crash.
      await this.#set(false, signal)
      await this.#until(
        () => this.#level === false,
        'the input of the heartbeat is active without its relay',
        signal,
      )
      this.#mark = mark
      await this.#set(true, signal)
      await this.#until(
        () => this.#mark === null,
        'the relay of the heartbeat is set, but its input does not follow',
        signal,
      )
    } finally {
      this.#mark = null
      await this.#set(false).catch((error: unknown) => {
        if (!this.#ctx.signal.aborted)
          this.#ctx.log.warn(
            { coil: this.#coil },
            `the heartbeat's relay can't be taken back: ${messageOf(error)}`,
          )
      })
      this.#busy = false
    }
  }

  #set(on: boolean, signal?: AbortSignal): Promise<void> {
    return this.unit.turn(async () => {
      await this.unit.ready()
      if (signal?.aborted) throw new BridgeError('ABORTED', 'given up before the relay was set')
      await this.unit.writeCoil(this.#coil, on)
    })
  }

  async #until(met: () => boolean, otherwise: string, signal: AbortSignal): Promise<void> {
    while (!met()) {
      if (this.#ctx.signal.aborted) throw new BridgeError('LINK_DOWN', 'the connection is gone')
      if (signal.aborted) throw new BridgeError('TIMEOUT', otherwise)
      await sleep(this.#ctx.clock, lookMs, signal)
    }
  }
}
