import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import console from '../connectors/console/index.ts'
import type { Log } from '../core/connector.ts'
import { messageOf } from '../core/error.ts'
import { partition } from '../core/runner/part.ts'
import type { Site } from '../core/site/site.ts'

/** So many starts that did not end properly, in this time, put connectors into threads (mechanics, "Runners and workers"), ms. */
const crashesMax = 3
const withinMs = 60_000
/** A bridge that lived so long has got over it, ms. */
export const calmMs = 3_600_000
/** A thread takes 27 MB: links beyond this stay where they are, those of the connectors with the most links first. */
const threadsMax = 64
/** Connectors that the words on it name at most: a fault has 500 characters. */
const namedMax = 5
/** A disk that does not answer keeps nothing from starting, ms. */
const diskMs = 1_000

interface Kept {
  /** Starts that have not ended properly, ms since the epoch by the wall clock. */
  readonly starts: readonly number[]
  /** Whether the last one was isolated. */
  readonly isolated: boolean
}

const nothing: Kept = { starts: [], isolated: false }

/** How the last starts of the bridge ended, in a small file of the data directory: whoever is there at a start has crashed. */
export class Starts {
  readonly #file: string
  readonly #log: Log
  #kept: Kept
  /** Connectors for whose links there are no threads. */
  #left: readonly string[] = []

  private constructor(file: string, log: Log, crashes: readonly number[], isolated: boolean, now: number) {
    this.#file = file
    this.#log = log
    this.#kept = { starts: [...crashes, now], isolated }
  }

  /** Reads how it went; never rejects and never takes long. */
  static async read(dir: string, log: Log, now = Date.now()): Promise<Starts> {
    const file = join(dir, 'starts.json')
    const before = (await inTime(readKept(file), log)) ?? nothing
    // What the wall clock calls the future was before it was set back.
    const crashes = before.starts.filter((at) => Math.abs(now - at) <= withinMs).slice(-10)
    return new Starts(file, log, crashes, before.isolated || crashes.length >= crashesMax, now)
  }

  /** Whether connectors start in threads of their own, whatever the config says. */
  get isolated(): boolean {
    return this.#kept.isolated
  }

  /** What is said of it, in the log and as a fault; null: nothing. */
  get words(): string | null {
    if (!this.isolated) return null
    const more = this.#left.length > namedMax ? ` and ${this.#left.length - namedMax} more` : ''
    const left =
      this.#left.length > 0
        ? `, and ${this.#left.slice(0, namedMax).join(', ')}${more}, beyond the ${threadsMax} links that may`
        : ''
    return `the bridge crashed ${crashesMax} times within ${withinMs / 1_000} s: until it has run for an hour or is stopped, the links of every connector run in threads of their own, those with inputs started first; not isolated: the built-in console, which has no wire${left}`
  }

  /** The site as it is started. */
  take(site: Site): Site {
    if (!this.isolated) return site
    const links = new Map<string, number>()
    for (const { connector, connectorName } of partition(site).values())
      if (connector.type !== console.type) links.set(connectorName, (links.get(connectorName) ?? 0) + 1)
    const connectors = new Map(site.connectors)
    const left: string[] = []
    let threads = 0
    for (const [name, count] of [...links].sort(([, a], [, b]) => a - b)) {
      const entry = connectors.get(name)!
      threads += count
      if (threads <= threadsMax) connectors.set(name, { ...entry, isolate: true })
      else if (!entry.isolate) left.push(name)
    }
    this.#left = left
    return { ...site, connectors }
  }

  /** The connectors are about to start. */
  async begin(): Promise<void> {
    await this.#write(this.#kept)
  }

  /** It has run for an hour: the next start, or reload, is as the config says. */
  async calm(): Promise<void> {
    this.#kept = nothing
    await this.#write(nothing)
  }

  /** It was stopped as it should be. */
  async end(): Promise<void> {
    await inTime(rm(this.#file, { force: true }), this.#log)
  }

  /** In one piece or not at all; without fsync, since it outlives the process, and a loss of power is no crash of ours. */
  async #write(kept: Kept): Promise<void> {
    const write = async () => {
      await mkdir(join(this.#file, '..'), { recursive: true })
      await writeFile(`${this.#file}.new`, JSON.stringify(kept))
      await rename(`${this.#file}.new`, this.#file)
    }
    await inTime(write(), this.#log)
  }
}

const readKept = async (file: string): Promise<Kept> => {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '{}'
    throw error
  })
  const { starts, isolated } = JSON.parse(text) as Partial<Record<keyof Kept, unknown>>
  const times = Array.isArray(starts) ? starts.filter((at) => Number.isFinite(at)) : []
  return { starts: times as number[], isolated: isolated === true }
}

/** null: it failed or took too long, which is logged and keeps nothing from starting. */
const inTime = async <T>(work: Promise<T>, log: Log): Promise<T | null> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer of the disk within ${diskMs} ms`)), diskMs)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'how the last starts ended is not known')
    return null
  } finally {
    clearTimeout(timer)
  }
}
