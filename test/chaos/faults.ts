import { execFile } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { fill } from '../promises/disk.ts'
import type { RedisServer } from '../redis/server.ts'
import type { Wire } from '../redis/wire.ts'
import type { Order } from './mock-site.ts'
import type { KeptProcess } from './process.ts'
import type { Fault } from './schedule.ts'
import type { Misbehaviour } from './targets.ts'

/** How long a process runs at least between two faults of its own, ms. */
const aliveMs = 1_500
/** A clock that is put off is seen within this by who reads it, ms. */
const clockSeenMs = 1_100

/** What faults happen to. */
export interface Parts {
  readonly bridge: KeptProcess
  readonly workers: ReadonlyMap<string, KeptProcess>
  /** null: no workers. */
  readonly redis: RedisServer | null
  /** By group, and those to Redis. */
  readonly wires: ReadonlyMap<string, Wire>
  /** The directory of the bridge's data, which is a disk of its own. */
  readonly disk: string
  tell(order: Order): void
}

/** A fault as it went, Date.now(). */
export interface Window {
  readonly kind: Fault['kind']
  readonly on: string
  /** How late something slow was, ms; how far a clock was put off. */
  readonly by: number
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

/** What a fault needs for itself: two of the same come one after the other. */
const partsOf = ({ kind, on }: Fault): readonly string[] => {
  if (kind === 'kill-all') return ['bridge', 'w1', 'w2', 'redis']
  if (kind.startsWith('clock')) return [`${kind}-${on}`]
  if (kind.startsWith('wire')) return [`wire-${on}`]
  if (kind.endsWith('bridge')) return ['bridge']
  if (kind.includes('redis')) return ['redis']
  return [on || kind]
}

/** Makes the faults of a schedule happen, each in its time. */
export class Faults {
  readonly windows: Window[] = []
  readonly #parts: Parts
  readonly #under = new Map<string, Promise<void>>()
  readonly #begun = new Map<Fault, number>()
  #failed = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Those that go on now, and since when. */
  get active(): readonly Window[] {
    return [...this.#begun].map(([{ kind, on, by }, from]) => ({
      kind,
      on,
      by,
      from,
      to: Number.POSITIVE_INFINITY,
    }))
  }

  /** Until `isOver`, or the end of the schedule; resolves when all that began are over, rejects when one can't be had. */
  async play(schedule: readonly Fault[], isOver: () => boolean): Promise<void> {
    const startedAt = performance.now()
    const all: Promise<void>[] = []
    for (const fault of schedule) {
      while (performance.now() < startedAt + fault.at && !isOver() && !this.#failed) await wait(50)
      if (isOver() || this.#failed) break
      all.push(this.#happen(fault))
    }
    await Promise.all(all)
  }

  #happen(fault: Fault): Promise<void> {
    const parts = partsOf(fault)
    const before = Promise.all(parts.map((part) => this.#under.get(part)))
    const happening = before.then(async () => {
      // Whoever just got up is left alone for a moment, or a slow machine would never get anything done.
      const upAt = Math.max(0, ...parts.map((part) => this.#process(part)?.upAt ?? 0))
      await wait(Math.max(0, upAt + aliveMs - Date.now()))
      const from = Date.now()
      this.#begun.set(fault, from)
      await this.#do(fault)
      this.#begun.delete(fault)
      this.windows.push({ kind: fault.kind, on: fault.on, by: fault.by, from, to: Date.now() })
    })
    for (const part of parts) this.#under.set(part, happening)
    // Whoever waits for all hears of it, and no other fault comes on top of one that was left as it was.
    happening.catch(() => {
      this.#failed = true
    })
    return happening
  }

  #process(part: string): KeptProcess | undefined {
    return part === 'bridge' ? this.#parts.bridge : this.#parts.workers.get(part)
  }

  async #do({ kind, on, forMs, by }: Fault): Promise<void> {
    const { bridge, redis, disk } = this.#parts
    const worker = this.#parts.workers.get(on)
    const process = kind.endsWith('worker') ? worker : bridge
    switch (kind) {
      case 'kill-bridge':
      case 'kill-worker':
        await process?.end('SIGKILL')
        await wait(forMs)
        if (process === bridge) forgetCrashes(disk)
        return process?.restart()
      case 'kill-redis':
        await redis?.kill()
        await wait(forMs)
        return redis?.start()
      case 'kill-all':
        return this.#killAll(forMs)
      case 'stop-bridge':
      case 'stop-worker':
        process?.signal('SIGSTOP')
        await wait(forMs)
        process?.signal('SIGCONT')
        return
      case 'stop-redis':
        await redis?.freeze()
        await wait(forMs)
        return redis?.thaw()
      case 'redis-read-only':
        await redis?.readOnly()
        await wait(forMs)
        return redis?.writable()
      case 'redis-full':
        await redis?.fill()
        await wait(forMs)
        return redis?.empty()
      case 'clock-bridge':
      case 'clock-worker':
        process?.clock(by)
        await wait(forMs)
        process?.clock(0)
        await wait(clockSeenMs)
        return
      case 'wire-cut':
      case 'wire-half-open':
      case 'wire-slow':
        return this.#disturb(kind, on, forMs, by)
      case 'full-disk':
        // Again and again: the bridge gives up a ballast that it keeps for this.
        for (const end = performance.now() + forMs; performance.now() < end; await wait(200))
          await fillUp(disk)
        rmSync(join(disk, 'filler'), { force: true })
        return
      default:
        this.#parts.tell({ do: 'behave', group: on, behaviour: behaviours[kind]!(by) })
        await wait(forMs)
        this.#parts.tell({ do: 'behave', group: on, behaviour: { is: 'normal' } })
    }
  }

  async #killAll(forMs: number): Promise<void> {
    const { bridge, workers, redis } = this.#parts
    const all = [bridge, ...workers.values()]
    await Promise.all([...all.map((each) => each.end('SIGKILL')), redis?.kill()])
    await wait(forMs)
    forgetCrashes(this.#parts.disk)
    await Promise.all([...all.map((each) => each.restart()), redis?.start()])
  }

  async #disturb(kind: Fault['kind'], on: string, forMs: number, by: number): Promise<void> {
    const wire = this.#parts.wires.get(on)
    if (kind === 'wire-cut') await wire?.cut()
    else if (kind === 'wire-slow') wire?.slow(by)
    else wire?.halfOpen()
    await wait(forMs)
    await wire?.heal()
  }
}

/** Three crashes in a minute would put every connector into a thread for an hour: no connector is to blame for ours. */
const forgetCrashes = (disk: string): void => rmSync(join(disk, 'data', 'starts.json'), { force: true })

const run = promisify(execFile)

/** Takes nearly all at once, and the rest in small pieces. The wires are in this process: they must not stand still meanwhile. */
const fillUp = async (dir: string): Promise<void> => {
  const { stdout } = await run('df', ['--output=avail', '-B1', dir])
  const [, free] = stdout.trim().split('\n')
  const most = Number(free) - 4 * 1_048_576
  if (most > 0) {
    const filler = join(dir, 'filler')
    try {
      await run('fallocate', ['-o', String(sizeOf(filler)), '-l', String(most), filler])
    } catch (error) {
      // The bridge took some of it meanwhile: the next round sees what is left.
      if (/No space left/.test(String(error))) return
      throw error
    }
  }
  fill(dir)
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
