import { readFileSync } from 'node:fs'

const everyMs = 250

/** How long processes had waited for a processor at a moment, together, ms. */
export interface Sample {
  readonly at: number
  readonly waitedMs: number
}

/**
 * Counts for how long the machine had no time for the processes of a run although they could have run
 * (proc_pid_schedstat: time spent waiting on a run queue): so much what is late on a busy machine says nothing of the bridge.
 */
export class Starved {
  readonly samples: Sample[] = [{ at: Date.now(), waitedMs: 0 }]
  readonly #pids: () => readonly number[]
  #waited = new Map<number, number>()
  readonly #timer = setInterval(() => this.#look(), everyMs)

  constructor(pids: () => readonly number[]) {
    this.#pids = pids
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const waited = new Map(this.#pids().map((pid) => [pid, waitedMs(pid)]))
    const last = this.samples.at(-1) as Sample
    let more = 0
    for (const [pid, ms] of waited) more += Math.max(0, ms - (this.#waited.get(pid) ?? 0))
    this.#waited = waited
    this.samples.push({ at: Date.now(), waitedMs: last.waitedMs + more })
  }
}

const waitedMs = (pid: number): number => {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}
