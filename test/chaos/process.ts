import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, globSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'

const main = join(import.meta.dirname, '..', '..', 'main.js')
/** Debian's faketime package. Its variant for threads; what Node's monotonic clock says is left alone. */
const faketime = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]

/** Whether the wall clock of a process can be put off. */
export const canStepClocks = faketime !== undefined

/** What this process has started goes with it. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** One life of a process: from its start until it was seen to end. */
export interface Life {
  readonly startedAt: number
  readyAt: number | null
  endedAt: number | null
  /** Highest resident memory seen, MB, and open files, first and last seen. */
  mb: number
  filesFirst: number | null
  filesLast: number
}

/** The real program, as bridge or as worker, as a supervisor keeps it: killed and started again, stopped and continued, its clock put off. */
export class KeptProcess {
  readonly lives: Life[] = []
  failedStarts = 0
  readonly #args: readonly string[]
  readonly #env: { readonly [name: string]: string }
  readonly #ready: RegExp
  readonly #clockFile: string
  readonly #log: number
  #child: ChildProcess | null = null

  constructor(
    args: readonly string[],
    {
      name,
      dir,
      env,
      ready,
    }: { name: string; dir: string; env: { readonly [name: string]: string }; ready: RegExp },
  ) {
    this.#args = args
    this.#ready = ready
    this.#clockFile = join(dir, `${name}.clock`)
    this.#log = openSync(join(dir, `${name}.log`), 'a')
    this.#env = {
      ...env,
      ...(faketime
        ? {
            LD_PRELOAD: faketime,
            FAKETIME_TIMESTAMP_FILE: this.#clockFile,
            FAKETIME_CACHE_DURATION: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
            FAKETIME_DISABLE_SHM: '1',
          }
        : {}),
    }
    this.clock(0)
  }

  get isAlive(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number | null {
    return this.isAlive ? (this.#child?.pid ?? null) : null
  }

  /** When it was ready last, Date.now(). */
  get upAt(): number {
    return this.lives.findLast(({ readyAt }) => readyAt !== null)?.readyAt ?? 0
  }

  /** Puts its wall clock off from now on (seen within a second), over starts too. */
  clock(ms: number): void {
    writeFileSync(this.#clockFile, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1_000}\n`)
  }

  /** Starts it, as often as it takes: with a full disk a start may fail. Rejects after a minute. */
  async restart(): Promise<void> {
    for (const end = Date.now() + 60_000; ; await wait(300))
      try {
        return await this.start()
      } catch (error) {
        this.failedStarts++
        if (Date.now() > end) throw error
      }
  }

  /** Resolves at its ready line. Rejects when it ends before. */
  async start(): Promise<void> {
    const life: Life = {
      startedAt: Date.now(),
      readyAt: null,
      endedAt: null,
      mb: 0,
      filesFirst: null,
      filesLast: 0,
    }
    this.lives.push(life)
    const child = spawn(main, this.#args, {
      env: { ...process.env, NO_COLOR: '1', ...this.#env },
      stdio: ['ignore', 'pipe', this.#log],
    })
    this.#child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const isReady = new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        if (!this.#ready.test(line)) return
        life.readyAt = Date.now()
        resolve()
      })
      child.once('exit', (code, signal) => {
        life.endedAt = Date.now()
        reject(new Error(`it ended with ${code ?? signal} before it was ready`))
      })
    })
    await isReady
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isAlive) this.#child?.kill(signal)
  }

  /** Ends it with a signal and waits; the exit code, null when it was killed. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (!child || !this.isAlive) return child?.exitCode ?? null
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
    return child.exitCode
  }

  /** Looks at its memory and open files. */
  look(): void {
    const life = this.lives.at(-1)
    const pid = this.#child?.pid
    if (!life || life.readyAt === null || !this.isAlive || pid === undefined) return
    try {
      const [, kb] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
      // What has ended and was not yet heard of has none.
      if (kb === undefined) return
      life.mb = Math.max(life.mb, Number(kb) / 1_024)
      life.filesLast = readdirSync(`/proc/${pid}/fd`).length
      life.filesFirst ??= life.filesLast
    } catch {
      // It ended just now.
    }
  }

  close(): void {
    closeSync(this.#log)
  }
}
