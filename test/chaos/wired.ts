import { type Dc09Panel, dc09Panel } from '../../mocks/dc09-panel/index.ts'
import { type ModbusPanel, startModbusPanel } from '../../mocks/modbus-panel/index.ts'
import { randomOf } from '../simulation/random.ts'
import { accountOf, keypads, latchCoil, panelButtons, wings } from './ground.ts'
import type { Recorder } from './record.ts'

/** How long after each other the presses of one panel button, and those of one keypad, come, ms. */
const apartMs = { panel: [2_000, 8_000], keypad: [3_000, 10_000] } as const
/** How long a fire lasts, and how long there is none, ms. */
const fireMs = [1_000, 4_000] as const
const calmMs = [15_000, 45_000] as const

/** What is wired: buttons on a Modbus panel, keypads by DC-09, and the fire inputs. */
export class Wired {
  readonly #record: Recorder
  readonly #random: () => number
  readonly #panel: ModbusPanel
  readonly #fire: ModbusPanel
  readonly #keypads: Dc09Panel[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #active = new Set<number>()
  #stopped = false

  private constructor(record: Recorder, seed: number, panel: ModbusPanel, fire: ModbusPanel) {
    this.#record = record
    this.#random = randomOf(seed ^ 0xf12e)
    this.#panel = panel
    this.#fire = fire
    for (let n = 1; n < panelButtons; n += 2) panel.latch(n, latchCoil(n))
  }

  static async open(record: Recorder, seed: number): Promise<Wired> {
    return new Wired(record, seed, await startModbusPanel(), await startModbusPanel())
  }

  get ports(): { panel: number; fire: number } {
    return { panel: this.#panel.port, fire: this.#fire.port }
  }

  start(port: number): void {
    for (let n = 0; n < panelButtons; n++) this.#every(apartMs.panel, () => this.#press(n))
    for (let n = 0; n < keypads; n++) {
      const keypad = dc09Panel({ port, account: accountOf(n), stamped: false })
      this.#keypads.push(keypad)
      this.#every(apartMs.keypad, () => this.#alarm(keypad, n))
    }
    for (const wing of wings) this.#every(calmMs, () => this.#burn(wing))
  }

  /** No more presses, and no fire. */
  end(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const wing of this.#active) this.#set(wing, false)
  }

  async close(): Promise<void> {
    await Promise.all([
      this.#panel.close(),
      this.#fire.close(),
      ...this.#keypads.map((keypad) => keypad.close()),
    ])
  }

  async #press(n: number): Promise<void> {
    this.#record.wired({ at: Date.now(), device: `panel-button-${n}`, ackedAt: null })
    await this.#panel.press(n)
  }

  async #alarm(keypad: Dc09Panel, n: number): Promise<void> {
    const at = Date.now()
    // A panel repeats the same bytes until it hears an answer.
    const frame = keypad.frame('1120 01 001')
    for (;;) {
      const answer = await keypad.transmit(frame, { withinMs: 2_000 })
      if (answer?.is === 'ACK') break
      if (this.#stopped) return
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    this.#record.wired({ at, device: `keypad-${n}`, ackedAt: Date.now() })
  }

  async #burn(wing: number): Promise<void> {
    this.#set(wing, true)
    await new Promise((resolve) => setTimeout(resolve, between(this.#random, fireMs)))
    if (this.#active.has(wing)) this.#set(wing, false)
  }

  #set(wing: number, active: boolean): void {
    if (active) this.#active.add(wing)
    else this.#active.delete(wing)
    this.#fire.set(wing, active)
    this.#record.fire({ at: Date.now(), wing, active: active ? 1 : 0 })
  }

  #every(range: readonly [number, number], run: () => Promise<void>): void {
    const timer = setTimeout(
      async () => {
        this.#timers.delete(timer)
        await run()
        if (!this.#stopped) this.#every(range, run)
      },
      between(this.#random, range),
    )
    this.#timers.add(timer)
  }
}

const between = (random: () => number, [low, high]: readonly [number, number]): number =>
  low + random() * (high - low)
