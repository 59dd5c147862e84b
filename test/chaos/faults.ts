import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fill } from '../promises/disk.ts'
import type { BridgeProcess } from './bridge.ts'
import type { Order } from './mock-site.ts'
import type { Fault } from './schedule.ts'
import type { Misbehaviour } from './targets.ts'

/** How long a process runs at least between two faults of its own, ms. */
const aliveMs = 1_500

/** What faults happen to. */
export interface Parts {
  readonly bridge: BridgeProcess
  /** The directory of its data, which is a disk of its own. */
  readonly disk: string
  tell(order: Order): void
}

/** A fault as it went, Date.now(). */
export interface Window {
  readonly kind: Fault['kind']
  readonly on: string
  readonly from: number
  /** When its cause was over, and what it stopped ran again. */
  readonly to: number
}

const behaviours: { readonly [kind: string]: (by: number) => Misbehaviour } = {
  'target-hangs': () => ({ is: 'half-open' }),
  'target-deaf': () => ({ is: 'deaf' }),
  'target-refuses': () => ({ is: 'refusing' }),
  'target-garbage': () => ({ is: 'garbage' }),
  'target-wrong': () => ({ is: 'wrong-answer' }),
  'target-slow': (ms) => ({ is: 'slow', ms }),
}

/** Makes the faults of a schedule happen, each in its time. The bridge dies and stands still one at a time. */
export class Faults {
  readonly windows: Window[] = []
  readonly #parts: Parts
  readonly #under = new Map<string, Promise<void>>()
  /** When what goes on has begun, by kind and what it is on. */
  readonly #begun = new Map<Fault, number>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Those that go on now, and since when. */
  get active(): readonly Window[] {
    return [...this.#begun].map(([{ kind, on }, from]) => ({ kind, on, from, to: Number.POSITIVE_INFINITY }))
  }

  /** Resolves when all are over. */
  async play(schedule: readonly Fault[], isStopped: () => boolean): Promise<void> {
    const startedAt = performance.now()
    const all: Promise<void>[] = []
    for (const fault of schedule) {
      await wait(Math.max(0, startedAt + fault.at - performance.now()))
      if (isStopped()) break
      all.push(this.#happen(fault))
    }
    await Promise.all(all)
  }

  /** Two faults of the same part come one after the other. */
  #happen(fault: Fault): Promise<void> {
    const part = fault.kind.startsWith('target') ? fault.on : (fault.kind.split('-')[1] as string)
    const name = fault.kind === 'clock-bridge' ? 'clock' : part
    const happening = (this.#under.get(name) ?? Promise.resolve()).then(async () => {
      // Whoever just got up is left alone for a moment, or a slow machine would never get anything done.
      if (fault.kind.endsWith('bridge'))
        await wait(Math.max(0, this.#parts.bridge.upAt + aliveMs - Date.now()))
      const from = Date.now()
      this.#begun.set(fault, from)
      await this.#do(fault)
      this.#begun.delete(fault)
      this.windows.push({ kind: fault.kind, on: fault.on, from, to: Date.now() })
    })
    this.#under.set(name, happening)
    return happening
  }

  async #do({ kind, on, forMs, by }: Fault): Promise<void> {
    const { bridge, tell, disk } = this.#parts
    switch (kind) {
      case 'kill-bridge':
        await bridge.end('SIGKILL')
        await wait(forMs)
        await bridge.restart()
        return
      case 'stop-bridge':
        bridge.signal('SIGSTOP')
        await wait(forMs)
        bridge.signal('SIGCONT')
        return
      case 'clock-bridge':
        bridge.clock(by)
        await wait(forMs)
        bridge.clock(0)
        // It is seen within a second.
        await wait(1_100)
        return
      case 'full-disk':
        // Again and again: the bridge gives up a ballast that it keeps for this.
        for (const end = performance.now() + forMs; performance.now() < end; await wait(200)) fillUp(disk)
        rmSync(join(disk, 'filler'), { force: true })
        return
      default:
        tell({ do: 'behave', group: on, behaviour: behaviours[kind]!(by) })
        await wait(forMs)
        tell({ do: 'behave', group: on, behaviour: { is: 'normal' } })
    }
  }
}

/** Takes nearly all at once, and the rest in small pieces. */
const fillUp = (dir: string): void => {
  const [, free] = execFileSync('df', ['--output=avail', '-B1', dir], { encoding: 'utf8' }).trim().split('\n')
  const most = Math.max(0, Number(free) - 4 * 1_048_576)
  if (most > 0) execFileSync('fallocate', ['-l', String(most), join(dir, 'filler')])
  fill(dir)
}
