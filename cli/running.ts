import { randomUUIDv7 } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Api, type ApiOptions, makeMeter, startApi } from '../api/index.ts'
import { type LocatedFinding, loadConfig } from '../config/load.ts'
import { resolveSecret } from '../config/secret.ts'
import { catalogue } from '../connectors/index.ts'
import { SystemClock } from '../core/clock.ts'
import type { Log } from '../core/connector.ts'
import type { Hold } from '../core/door/hold.ts'
import { BridgeError, messageOf } from '../core/error.ts'
import type { Json } from '../core/fact.ts'
import { Machine } from '../core/machine.ts'
import { type Catalogue, compileSite } from '../core/site/compile.ts'
import type { SiteConfig } from '../core/site/config.ts'
import type { Site } from '../core/site/site.ts'
import { type Thread, threadStore } from '../core/store/thread.ts'
import { Evidence } from '../core/trail/evidence.ts'
import { openWorkers } from './queue.ts'
import { calmMs, Starts } from './starts.ts'
import { version } from './version.ts'

export interface Settings {
  /** Path of the config. */
  readonly file: string
  /** The data directory. */
  readonly data: string
  readonly log: Log
  /** The store's thread, where it was started ahead; the first start takes it. */
  readonly thread?: Thread
}

/** What became of a wish to take over a changed config. */
export type Reloaded =
  | { readonly is: 'unchanged' | 'reloaded'; readonly findings: readonly LocatedFinding[] }
  | { readonly is: 'refused'; readonly why: string; readonly findings: readonly LocatedFinding[] }

/** Links get this long to close, the store to write, ms; a stop takes less than 2 s. */
const stopMs = 1_700

/** The bridge of this process: machine and API on one data directory, and the way from one config to the next. */
export class Running {
  readonly #settings: Settings
  readonly #starts: Starts
  readonly #calm: NodeJS.Timeout
  #machine: Machine
  #api: Api

  private constructor(settings: Settings, starts: Starts, parts: Parts) {
    this.#settings = settings
    this.#starts = starts
    this.#calm = setTimeout(() => void this.#isCalm(), calmMs).unref()
    this.#machine = parts.machine
    this.#api = parts.api
  }

  /** Opens store and API, and starts to open the links; waits for none of them. Rejects with DATA_IN_USE, NOT_LISTENING, STORE_FAILED. */
  static async start(settings: Settings, site: Site): Promise<Running> {
    const starts = await Starts.read(settings.data, settings.log)
    const { thread = null, ...rest } = settings
    return new Running(rest, starts, await compose(rest, site, starts, thread))
  }

  get machine(): Machine {
    return this.#machine
  }

  get url(): string {
    return this.#api.url
  }

  /**
   * Reads the config again. A good, changed one takes over in this process on the same data: links close and new ones
   * open, open incidents keep the config that they began with. Whatever is wrong leaves the running one untouched.
   */
  async reload(): Promise<Reloaded> {
    const { file } = this.#settings
    const { site, findings } = await loadConfig(file, catalogue)
    if (!site) return { is: 'refused', why: `${file} has findings that must be corrected`, findings }
    if (site.revision === this.#machine.site.revision) {
      this.#machine.assignments.takeOver(site.assignments)
      return { is: 'unchanged', findings }
    }
    const dropped = this.#machine.doors
      .liveHolds()
      .filter(({ door }) => !keeps(site, this.#machine.site, door))
    if (dropped.length > 0) {
      const doors = [...new Set(dropped.map(({ door }) => door))].join(', ')
      const why = `${doors} ${dropped.length > 1 ? 'are' : 'is'} held and must stay as it is in the config until released`
      return { is: 'refused', why, findings }
    }
    const before = this.#machine.site
    await this.#end()
    try {
      this.#take(await compose(this.#settings, site, this.#starts))
      return { is: 'reloaded', findings }
    } catch (error) {
      this.#take(await compose(this.#settings, before, this.#starts))
      return { is: 'refused', why: messageOf(error), findings }
    }
  }

  /** Ends everything in less than 2 s; returns the doors that stay held. */
  async stop(): Promise<readonly Hold[]> {
    const holds = this.#machine.doors.liveHolds()
    clearTimeout(this.#calm)
    await this.#end()
    await this.#starts.end()
    return holds
  }

  /** Links stay where they are: whoever moved them now would cut them for nothing. */
  async #isCalm(): Promise<void> {
    await this.#starts.calm()
    this.#machine.faults.set('isolated', null)
  }

  #take({ machine, api }: Parts): void {
    this.#machine = machine
    this.#api = api
  }

  async #end(): Promise<void> {
    const late = new Promise<'late'>((resolve) => setTimeout(resolve, stopMs, 'late').unref())
    const ended = await Promise.race([
      Promise.all([this.#api.close(), this.#machine.stop()]).then(() => 'ended' as const),
      late,
    ])
    if (ended === 'late')
      this.#settings.log.warn({}, 'not everything ended in time; the store has what was written')
  }
}

interface Parts {
  readonly machine: Machine
  readonly api: Api
}

const compose = async (
  { data, log }: Settings,
  wanted: Site,
  starts: Starts,
  thread: Thread | null = null,
): Promise<Parts> => {
  const site = starts.take(wanted)
  const clock = new SystemClock()
  const { meter, registry } = makeMeter()
  const evidence = new Evidence(data)
  const machine = await Machine.open({
    site,
    clock,
    log,
    openStore: (options) => threadStore({ dir: data, clock, ...options }, thread),
    compile: (config, revision) => compile(config, site.catalogue, revision),
    keep: (bytes) => evidence.keep(bytes),
    forget: (hash, before) => evidence.remove(hash, before),
    secret: resolveSecret,
    newId: randomUUIDv7,
    random: Math.random,
    meter,
    workers: site.queue ? await openWorkers(site.queue, clock, log) : undefined,
  })
  try {
    const deviceTokens = await tokensOf(machine)
    const api = await startApi(machine, {
      ...(await listening(site)),
      deviceTokens,
      log,
      version,
      registry,
    })
    machine.faults.set('isolated', starts.words)
    await starts.begin()
    machine.start()
    return { machine, api }
  } catch (error) {
    await machine.stop()
    throw error
  }
}

/** A token that is missing or of no use keeps its device out, and nothing else. */
const tokensOf = async ({ site, faults }: Machine): Promise<Map<string, string>> => {
  const tokens = new Map<string, string>()
  for (const { name, label, token } of site.devices.values()) {
    if (!token) continue
    const why = await resolveSecret(token).then(
      (secret) => unusable(secret, tokens) ?? void tokens.set(name, secret),
      (error: unknown) => messageOf(error),
    )
    faults.set(`no-token:${name}`, why ? `${label} can not press over the API: ${why}` : null)
  }
  return tokens
}

/** What keeps a token from telling its device; null: nothing. The first of two devices with the same one keeps it. */
const unusable = (secret: string, tokens: ReadonlyMap<string, string>): string | null => {
  if (/\s/.test(secret)) return 'its token has a blank in it, and can not be sent as a bearer token'
  const [other] = [...tokens].find(([, taken]) => taken === secret) ?? []
  return other === undefined ? null : `it has the same token as ${other}, for which it would be taken`
}

/** Where and how the API listens, with its token and certificate read. */
const listening = async ({ api }: Site): Promise<Pick<ApiOptions, 'listen' | 'tls' | 'token'>> => {
  const colon = api.listen.lastIndexOf(':')
  const host = api.listen.slice(0, colon).replace(/^\[|\]$/g, '')
  return {
    listen: { host, port: Number(api.listen.slice(colon + 1)) },
    token: api.token ? await resolveSecret(api.token) : null,
    ...(api.tls ? { tls: { cert: await pem(api.tls.cert), key: await pem(api.tls.key) } } : {}),
  }
}

const pem = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    throw new BridgeError('NOT_LISTENING', `api.tls: ${messageOf(error)}`)
  })

/** A stored revision again; null when a connector of it is no longer there or takes other fields now. */
const compile = (config: Json, known: Catalogue, revision: string): Site | null => {
  try {
    return compileSite(config as unknown as SiteConfig, known, revision)
  } catch {
    return null
  }
}

/** Whether a held door is still the same door on the same wire, and still ours to release. */
const keeps = (next: Site, now: Site, name: string): boolean => {
  const door = next.devices.get(name)
  const held = now.devices.get(name)
  return (
    door?.door?.lockable === true &&
    door.link === held?.link &&
    JSON.stringify(door.output) === JSON.stringify(held.output)
  )
}
