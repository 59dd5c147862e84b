import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { storeFiles } from '../../core/store/files.ts'
import { freePort, run } from '../promises/program.ts'
import { BridgeProcess, canStepClocks } from './bridge.ts'
import { Faults } from './faults.ts'
import { siteOf } from './ground.ts'
import { Judge } from './judge.ts'
import type { News, Order, Progress } from './mock-site.ts'
import { type FaultKind, faultKinds, scheduleOf } from './schedule.ts'
import { type Epoch, Times } from './times.ts'
import { type Violation, Violations } from './violations.ts'

export interface Options {
  readonly seed: number
  readonly presses: number
  /** Presses a second; what faults cost is made up for. */
  readonly perSecond: number
  readonly only?: readonly FaultKind[]
  /** Directory for everything that is left; default a new one that is removed. */
  readonly keep?: string
  readonly say: (line: string) => void
}

export interface Summary {
  readonly seed: number
  readonly presses: number
  readonly seconds: number
  readonly pressesPerSecond: number
  readonly incidents: number
  readonly commands: number
  readonly receipts: number
  readonly faults: { readonly [kind: string]: number }
  readonly judged: Violations['judged']
  readonly violations: Violations['counts']
  readonly refused: number
  readonly unanswered: number
  /** With a full disk, for instance. */
  readonly failedStarts: number
  /** From the start of each life of the bridge to its ready line, or to its end. */
  readonly startMs: readonly number[]
  readonly bridgeMb: readonly number[]
  readonly catchUpMs: number
  readonly shown: readonly Violation[]
}

/** Presses of an incident on average: most people press again. */
const anIncident = 40
/** How long the bridge may take to end everything once all is healed, ms. */
const catchUpMs = 90_000
const secret = 'only for this run'
/** What a press leaves on the disk, and what the rest needs, bytes. */
const diskBytes = { press: 4_000, base: 400 * 1_048_576 }

/** One run: presses under faults, then peace, then judgement. */
export const runChaos = async (options: Options): Promise<Summary> => {
  const dir = options.keep ?? mkdtempSync(join(tmpdir(), 'duress-chaos-'))
  mkdirSync(dir, { recursive: true })
  const disk = join(dir, 'disk')
  mkdirSync(disk)
  const isMounted = mountDisk(disk, diskBytes.base + options.presses * diskBytes.press)
  try {
    return await new Run(options, dir, disk, isMounted).play()
  } finally {
    if (isMounted && !options.keep) execFileSync('umount', ['-l', disk])
    if (!options.keep) rmSync(dir, { recursive: true, force: true })
  }
}

class Run {
  readonly #options: Options
  readonly #dir: string
  readonly #disk: string
  readonly #only: readonly FaultKind[]
  readonly #found = new Violations()
  readonly #epochs: Epoch[] = []
  #site!: ChildProcess
  #progress: Progress | null = null

  constructor(options: Options, dir: string, disk: string, isMounted: boolean) {
    this.#options = options
    this.#dir = dir
    this.#disk = disk
    const possible = (kind: FaultKind) =>
      (isMounted || kind !== 'full-disk') && (canStepClocks || !kind.startsWith('clock'))
    this.#only = (options.only ?? faultKinds).filter(possible)
    const missing = (options.only ?? faultKinds).filter((kind) => !possible(kind))
    if (missing.length > 0)
      options.say(
        `not possible here (a small disk needs root, clocks Debian's faketime): ${missing.join(', ')}`,
      )
  }

  async play(): Promise<Summary> {
    const { seed, presses, perSecond, say } = this.#options
    const record = join(this.#dir, 'record.db')
    const data = join(this.#disk, 'data')
    const [api, webhook, keypads] = [await freePort(), await freePort(), await freePort()]
    this.#site = fork(join(import.meta.dirname, 'mock-site.ts'), [record, String(seed)], {
      execPath: process.execPath,
    })
    const ready = await this.#news('ready')
    const { panel, fire, groups } = ready
    const config = join(this.#dir, 'site.yaml')
    writeFileSync(
      config,
      JSON.stringify(siteOf({ api, webhook, keypads, panel, fire, groups }, null), null, 1),
    )
    const bridge = new BridgeProcess(['run', '--config', config, '--data', data, '--log-level', 'warn'], {
      name: 'bridge',
      dir: this.#dir,
      env: { CHAOS_SECRET: secret },
      ready: /^ready:/,
    })
    const judge = new Judge(record, data, this.#found)
    const lengthMs = (presses / perSecond) * 1_000
    const schedule = scheduleOf(seed, lengthMs, this.#only)
    const faults = new Faults({ bridge, disk: this.#disk, tell: (order) => this.#tell(order) })
    try {
      await bridge.start()
      const startedAt = performance.now()
      this.#tell({ do: 'press', api, webhook, keypads, secret, presses, perSecond, anIncident })
      const looking = setInterval(() => bridge.look(), 1_000)
      const telling = setInterval(() => {
        const { acked = 0, open = 0, refused = 0, unanswered = 0 } = this.#progress ?? {}
        const at = Math.round((performance.now() - startedAt) / 1_000)
        judge.presses(this.#times(bridge, faults))
        say(
          `${at} s: ${acked} presses acknowledged, ${refused} refused, ${unanswered} unanswered, ${open} incidents open, ${faults.windows.length} faults, bridge ${Math.round(bridge.lives.at(-1)?.mb ?? 0)} MB, ${this.#found.total} violations`,
        )
      }, 10_000)
      await faults.play(schedule, () => false)
      await this.#pressed(lengthMs)
      const seconds = (performance.now() - startedAt) / 1_000
      const healedAt = performance.now()
      await this.#quiet(data)
      const took = performance.now() - healedAt
      clearInterval(looking)
      clearInterval(telling)
      bridge.look()
      await bridge.end('SIGTERM')
      const stopped = this.#news('stopped')
      this.#tell({ do: 'stop' })
      const { doors } = await stopped
      const counts = await judge.end(this.#times(bridge, faults), doors)
      await this.#verify(data)
      this.#resources(bridge)
      const byKind: { [kind: string]: number } = {}
      for (const { kind } of faults.windows) byKind[kind] = (byKind[kind] ?? 0) + 1
      return {
        seed,
        presses: this.#progress?.acked ?? 0,
        seconds: Math.round(seconds),
        pressesPerSecond: Math.round((this.#progress?.acked ?? 0) / seconds),
        ...counts,
        faults: byKind,
        judged: this.#found.judged,
        violations: this.#found.counts,
        refused: this.#progress?.refused ?? 0,
        unanswered: this.#progress?.unanswered ?? 0,
        failedStarts: bridge.failedStarts,
        startMs: bridge.lives.map(
          ({ startedAt, readyAt, endedAt }) => (readyAt ?? endedAt ?? startedAt) - startedAt,
        ),
        bridgeMb: bridge.lives.map(({ mb }) => Math.round(mb)),
        catchUpMs: Math.round(took),
        shown: this.#found.shown,
      }
    } finally {
      await bridge.end('SIGKILL')
      bridge.close()
      this.#site.kill('SIGKILL')
    }
  }

  /** What was learned of the bridge's clock in each of its lives is kept. */
  #times(bridge: BridgeProcess, faults: Faults): Times {
    for (const [n, { startedAt, endedAt }] of bridge.lives.entries()) {
      const to = endedAt ?? Number.POSITIVE_INFINITY
      this.#epochs[n] = { ...(this.#epochs[n] ?? { from: startedAt, offset: null }), to }
    }
    return new Times([...faults.windows, ...faults.active], this.#epochs)
  }

  #tell(order: Order): void {
    this.#site.send(order)
  }

  #news<Is extends News['is']>(is: Is): Promise<Extract<News, { is: Is }>> {
    return new Promise((resolve, reject) => {
      const hear = (news: News) => {
        if (news.is === 'progress') this.#progress = news
        if (news.is === is) resolve(news as Extract<News, { is: Is }>)
      }
      this.#site.on('message', hear)
      void once(this.#site, 'exit').then(([code]) => reject(new Error(`the mock site ended with ${code}`)))
    })
  }

  /** All presses are acknowledged; what faults cost may take as long again. */
  async #pressed(lengthMs: number): Promise<void> {
    for (const end = performance.now() + lengthMs + catchUpMs; performance.now() < end; await wait(100))
      if ((this.#progress?.acked ?? 0) >= this.#options.presses) return
    this.#found.add('progress', 'not all presses were acknowledged in time', { progress: this.#progress })
  }

  /** Nothing is open any more, and no command without a receipt. */
  async #quiet(data: string): Promise<void> {
    this.#found.looked('progress')
    let left = 0
    for (const end = performance.now() + catchUpMs; performance.now() < end; await wait(250)) {
      if (!this.#progress?.isOver) continue
      left = unfinished(data)
      if (left === 0) return
    }
    this.#found.add('progress', `${catchUpMs} ms after everything was healed not everything had ended`, {
      left,
      progress: this.#progress,
    })
  }

  async #verify(data: string): Promise<void> {
    this.#found.looked('trail')
    const { code, stdout, stderr } = await run('trail', 'verify', '--data', data)
    if (code !== 0) this.#found.add('trail', 'the trail does not verify', { code, stdout, stderr })
  }

  /** Of lives that lasted: the last one has no more than the first, but for what caches take. */
  #resources(bridge: BridgeProcess): void {
    for (const life of bridge.lives) {
      if (life.filesFirst === null) continue
      this.#found.looked('resources')
      if (life.mb > 700) this.#found.add('resources', `the bridge took ${Math.round(life.mb)} MB`, life)
      if (life.filesLast > life.filesFirst + 300)
        this.#found.add(
          'resources',
          `the bridge had ${life.filesLast} files open, at first ${life.filesFirst}`,
          life,
        )
    }
  }
}

/** Commands without a receipt, and holds that live. */
const unfinished = (data: string): number => {
  const newest = storeFiles(data).at(-1)
  if (newest === undefined) return 0
  const db = new DatabaseSync(newest, { readOnly: true, timeout: 2_000 })
  try {
    const sql =
      'SELECT (SELECT count(*) FROM command WHERE receipt IS NULL) + (SELECT count(*) FROM hold WHERE ended IS NULL) AS n'
    return Number(db.prepare(sql).get()?.['n'])
  } finally {
    db.close()
  }
}

/** A disk of its own, so that it can be full; false: not allowed here. */
const mountDisk = (dir: string, bytes: number): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(bytes)}`, 'tmpfs', dir], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
