import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { storeFiles } from '../../core/store/files.ts'
import { run } from '../promises/program.ts'
import { Faults } from './faults.ts'
import { Judge } from './judge.ts'
import { canStepClocks } from './process.ts'
import { type FaultKind, faultKinds, scheduleOf } from './schedule.ts'
import { mountDisk, Stage } from './stage.ts'
import { Starved } from './starved.ts'
import { type Epoch, Times } from './times.ts'
import { type Violation, Violations } from './violations.ts'

export interface Options {
  readonly seed: number
  readonly presses: number
  /** Presses a second; what faults cost is made up for. */
  readonly perSecond: number
  readonly only?: readonly FaultKind[]
  /** Directory for everything that is left; default a new one that is removed, but for a copy where a promise was broken. */
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
  /** How often the bridge ended before it was ready. */
  readonly failedStarts: number
  /** From the start of the bridge to its ready line, median and highest, ms. */
  readonly startMs: { readonly median: number; readonly highest: number }
  readonly bridgeMb: { readonly first: number; readonly last: number; readonly highest: number }
  readonly bridgeFiles: { readonly first: number; readonly last: number }
  readonly catchUpMs: number
  /** How long the processes waited for a processor, together: what is late by less says nothing of the bridge. */
  readonly starvedSeconds: number
  readonly shown: readonly Violation[]
}

/** Presses of an incident on average: most people press again. */
const anIncident = 40
/** How long the bridge may take to end everything once all is healed, ms. */
const catchUpMs = 90_000
/** What a press leaves on the disk, and what the rest needs, bytes. */
const diskBytes = { press: 4_000, base: 400 * 1_048_576 }
/** What a bridge that remembers this site and its open incidents may take, MB, and how many files more than at first. */
const most = { mb: 700, files: 300 }
const tellMs = 10_000
/** So many times its length may a run take, with what faults and a busy machine cost; there are faults all the time. */
const longest = 4

/** One run: presses under faults, then peace, then judgement. */
export const runChaos = async (options: Options): Promise<Summary> => {
  const dir = options.keep ?? mkdtempSync(join(tmpdir(), 'duress-chaos-'))
  mkdirSync(dir, { recursive: true })
  const disk = join(dir, 'disk')
  const isMounted = mountDisk(disk, diskBytes.base + options.presses * diskBytes.press)
  let stage: Stage | null = null
  const clear = () => {
    if (options.keep) return
    if (isMounted) execFileSync('umount', ['-l', disk])
    rmSync(dir, { recursive: true, force: true })
  }
  /** What is on a disk in memory can't stay there. */
  const leave = () => {
    if (options.keep) return
    const left = mkdtempSync(join(tmpdir(), 'duress-chaos-broken-'))
    cpSync(dir, left, { recursive: true })
    options.say(`a promise was broken: the store, the record of the devices and the logs are in ${left}`)
  }
  // Also when somebody interrupts it.
  process.once('exit', clear)
  try {
    stage = await Stage.set(dir, disk, options.seed)
    const summary = await new Run(options, stage, isMounted).play()
    if (summary.shown.length > 0) leave()
    return summary
  } finally {
    await stage?.strike()
    process.off('exit', clear)
    clear()
  }
}

class Run {
  readonly #options: Options
  readonly #stage: Stage
  readonly #faults: Faults
  readonly #found = new Violations()
  readonly #judge: Judge
  readonly #only: readonly FaultKind[]
  readonly #epochs: Epoch[] = []
  readonly #starved: Starved

  constructor(options: Options, stage: Stage, isMounted: boolean) {
    this.#options = options
    this.#stage = stage
    this.#faults = new Faults(stage)
    this.#judge = new Judge(stage.record, stage.data, this.#found)
    this.#starved = new Starved(() => stage.pids)
    const wanted = options.only ?? faultKinds
    const isPossible = (kind: FaultKind) =>
      (isMounted || kind !== 'full-disk') &&
      (canStepClocks || !kind.startsWith('clock')) &&
      (stage.redis !== null || !/worker|redis|kill-all/.test(kind))
    this.#only = wanted.filter(isPossible)
    const missing = wanted.filter((kind) => !isPossible(kind))
    if (missing.length > 0)
      options.say(
        `not possible here (a small disk needs root; clocks Debian's faketime, workers its redis-server): ${missing.join(', ')}`,
      )
  }

  async play(): Promise<Summary> {
    const { seed, presses, perSecond } = this.#options
    const lengthMs = (presses / perSecond) * 1_000
    const startedAt = performance.now()
    this.#stage.press({ presses, perSecond, anIncident })
    const looking = setInterval(() => this.#stage.bridge.look(), 1_000)
    const telling = setInterval(() => this.#tell(startedAt), tellMs)
    try {
      const isOver = () => (this.#stage.progress?.acked ?? 0) >= presses
      await this.#faults.play(scheduleOf(seed, lengthMs * longest, this.#only), isOver)
      await this.#pressed()
      const seconds = (performance.now() - startedAt) / 1_000
      const tookMs = await this.#quiet()
      this.#stage.bridge.look()
      const doors = await this.#stage.end()
      const counts = this.#judge.end(this.#times(), doors)
      await this.#verify()
      this.#resources()
      return this.#summary(seconds, tookMs, counts)
    } finally {
      clearInterval(looking)
      clearInterval(telling)
      this.#starved.stop()
    }
  }

  #tell(startedAt: number): void {
    const { acked = 0, open = 0, refused = 0, unanswered = 0 } = this.#stage.progress ?? {}
    const now = this.#faults.active.map(({ kind, on }) => (on ? `${kind} ${on}` : kind))
    // The memory that readers of the store share is a file on its disk.
    if (!now.includes('full-disk')) this.#judge.presses(this.#times())
    const mb = Math.round(this.#stage.bridge.lives.at(-1)?.mb ?? 0)
    const at = Math.round((performance.now() - startedAt) / 1_000)
    this.#options.say(
      `${at} s: ${acked} presses acknowledged, ${refused} refused, ${unanswered} unanswered, ${open} incidents open, ${this.#faults.windows.length} faults over, now ${now.join(', ') || 'none'}; bridge ${mb} MB; ${this.#found.total} violations`,
    )
  }

  /** What was learned of the bridge's clock in each of its lives is kept. */
  #times(): Times {
    for (const [n, { startedAt, endedAt }] of this.#stage.bridge.lives.entries()) {
      const to = endedAt ?? Number.POSITIVE_INFINITY
      this.#epochs[n] = { ...(this.#epochs[n] ?? { from: startedAt, offset: null }), to }
    }
    return new Times([...this.#faults.windows, ...this.#faults.active], this.#epochs, this.#starved.samples)
  }

  /** All presses are acknowledged. */
  async #pressed(): Promise<void> {
    for (const end = performance.now() + catchUpMs; performance.now() < end; await wait(100))
      if ((this.#stage.progress?.acked ?? 0) >= this.#options.presses) return
    this.#found.add('progress', 'not all presses were acknowledged in time', { ...this.#stage.progress })
  }

  /** Nothing is open any more, and no command without a receipt; how long that took, ms. */
  async #quiet(): Promise<number> {
    this.#found.looked('progress')
    const startedAt = performance.now()
    let left = 0
    for (; performance.now() < startedAt + catchUpMs; await wait(250)) {
      if (!this.#stage.progress?.isOver) continue
      left = unfinished(this.#stage.data)
      if (left === 0) return Math.round(performance.now() - startedAt)
    }
    this.#found.add('progress', `${catchUpMs} ms after everything was healed not everything had ended`, {
      left,
      ...this.#stage.progress,
    })
    return catchUpMs
  }

  async #verify(): Promise<void> {
    this.#found.looked('trail')
    const { code, stdout, stderr } = await run('trail', 'verify', '--data', this.#stage.data)
    if (code !== 0) this.#found.add('trail', 'the trail does not verify', { code, stdout, stderr })
  }

  #resources(): void {
    for (const life of this.#stage.bridge.lives) {
      if (life.filesFirst === null) continue
      this.#found.looked('resources')
      if (life.mb > most.mb) this.#found.add('resources', `the bridge took ${Math.round(life.mb)} MB`, life)
      if (life.filesLast > life.filesFirst + most.files)
        this.#found.add(
          'resources',
          `the bridge had ${life.filesLast} files open, at first ${life.filesFirst}`,
          life,
        )
    }
  }

  #summary(
    seconds: number,
    tookMs: number,
    counts: Pick<Summary, 'commands' | 'receipts' | 'incidents'>,
  ): Summary {
    const { acked = 0, refused = 0, unanswered = 0 } = this.#stage.progress ?? {}
    const { lives, failedStarts } = this.#stage.bridge
    const faults: { [kind: string]: number } = {}
    for (const { kind } of this.#faults.windows) faults[kind] = (faults[kind] ?? 0) + 1
    const starts = lives
      .flatMap(({ startedAt, readyAt }) => (readyAt ? [readyAt - startedAt] : []))
      .sort((a, b) => a - b)
    const seen = lives.filter(({ filesFirst }) => filesFirst !== null)
    const mb = seen.map((life) => Math.round(life.mb))
    return {
      seed: this.#options.seed,
      presses: acked,
      seconds: Math.round(seconds),
      pressesPerSecond: Math.round(acked / seconds),
      ...counts,
      faults,
      judged: this.#found.judged,
      violations: this.#found.counts,
      refused,
      unanswered,
      failedStarts,
      startMs: { median: starts[starts.length >> 1] ?? 0, highest: starts.at(-1) ?? 0 },
      bridgeMb: { first: mb[0] ?? 0, last: mb.at(-1) ?? 0, highest: Math.max(...mb) },
      bridgeFiles: { first: seen[0]?.filesFirst ?? 0, last: seen.at(-1)?.filesLast ?? 0 },
      catchUpMs: tookMs,
      starvedSeconds: Math.round((this.#starved.samples.at(-1)?.waitedMs ?? 0) / 1_000),
      shown: this.#found.shown,
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
