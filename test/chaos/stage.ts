import { type ChildProcess, execFileSync, fork, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../promises/program.ts'
import { type RedisServer, startRedis } from '../redis/server.ts'
import { startWire, type Wire } from '../redis/wire.ts'
import type { Parts } from './faults.ts'
import { type Queue, siteOf, workers } from './ground.ts'
import type { News, Order, Progress } from './mock-site.ts'
import { KeptProcess } from './process.ts'
import { redisWires } from './schedule.ts'

const secret = 'only for this run'

/** Everything that takes part in a run, each in a process of its own but the wires. */
export class Stage implements Parts {
  readonly bridge: KeptProcess
  readonly workers: ReadonlyMap<string, KeptProcess>
  readonly redis: RedisServer | null
  readonly wires: ReadonlyMap<string, Wire>
  readonly disk: string
  /** Where the mock site has written what it has seen. */
  readonly record: string
  readonly #ports: { readonly api: number; readonly webhook: number; readonly keypads: number }
  readonly #site: ChildProcess
  progress: Progress | null = null

  private constructor(
    parts: Pick<Stage, 'bridge' | 'workers' | 'redis' | 'wires' | 'disk' | 'record'>,
    ports: { readonly api: number; readonly webhook: number; readonly keypads: number },
    site: ChildProcess,
  ) {
    this.bridge = parts.bridge
    this.workers = parts.workers
    this.redis = parts.redis
    this.wires = parts.wires
    this.disk = parts.disk
    this.record = parts.record
    this.#ports = ports
    this.#site = site
    site.on('message', (news: News) => {
      if (news.is === 'progress') this.progress = news
    })
  }

  /** Starts all of it; `disk` is the directory for the bridge's data. Without redis-server there are no workers. */
  static async set(dir: string, disk: string, seed: number): Promise<Stage> {
    const record = join(dir, 'record.db')
    const site = fork(join(import.meta.dirname, 'mock-site.ts'), [record, String(seed)], {
      execPath: process.execPath,
    })
    const { groups, ...panels } = await newsOf(site, 'ready')
    const ports = { api: await freePort(), webhook: await freePort(), keypads: await freePort() }
    const redis = hasRedis() ? await startRedis() : null
    const wires = new Map<string, Wire>()
    for (const [group, port] of Object.entries(groups))
      wires.set(group, await startWire({ port, url: `http://127.0.0.1:${port}` }))
    if (redis) for (const name of redisWires) wires.set(name, await startWire(redis))
    const queue = redis ? layKeys(dir, (wires.get('bridge-redis') as Wire).url) : null
    const behind = Object.fromEntries(
      Object.keys(groups).map((group) => [group, (wires.get(group) as Wire).port]),
    )
    const config = join(dir, 'site.yaml')
    writeFileSync(config, JSON.stringify(siteOf({ ...ports, ...panels, groups: behind }, queue), null, 1))
    const kept = (name: string, args: readonly string[], env = {}) =>
      new KeptProcess([...args, '--log-level', 'warn'], { name, dir, env, ready: /^ready:/ })
    const bridge = kept('bridge', ['run', '--config', config, '--data', join(disk, 'data')], {
      CHAOS_SECRET: secret,
    })
    const worker = (name: string, key: string): [string, KeptProcess] => {
      const { url } = wires.get('workers-redis') as Wire
      return [name, kept(name, ['worker', '--name', name, '--key', key, '--redis', url])]
    }
    const all = new Map(Object.entries(queue?.keys ?? {}).map(([name, key]) => worker(name, key)))
    const stage = new Stage({ bridge, workers: all, redis, wires, disk, record }, ports, site)
    await Promise.all([bridge, ...all.values()].map((each) => each.start()))
    return stage
  }

  /** Of all processes that must not starve. */
  get pids(): readonly number[] {
    const kept = [this.bridge, ...this.workers.values()].flatMap(({ pid }) => pid ?? [])
    return [...kept, this.#site.pid as number]
  }

  get data(): string {
    return join(this.disk, 'data')
  }

  tell(order: Order): void {
    this.#site.send(order)
  }

  press(how: { readonly presses: number; readonly perSecond: number; readonly anIncident: number }): void {
    this.tell({ do: 'press', secret, ...this.#ports, ...how })
  }

  /** Ends bridge, workers and devices in peace; how the doors were left. */
  async end(): Promise<{ readonly [door: string]: string }> {
    for (const each of [this.bridge, ...this.workers.values()]) await each.end('SIGTERM')
    const stopped = newsOf(this.#site, 'stopped')
    this.tell({ do: 'stop' })
    return (await stopped).doors
  }

  /** Whatever is left. */
  async strike(): Promise<void> {
    for (const each of [this.bridge, ...this.workers.values()]) {
      await each.end('SIGKILL')
      each.close()
    }
    this.#site.kill('SIGKILL')
    await Promise.all([...this.wires.values()].map((wire) => wire.close()))
    await this.redis?.stop()
  }
}

const hasRedis = (): boolean => !spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error

const layKeys = (dir: string, redis: string): Queue => {
  const keys = workers.map((name) => {
    const file = join(dir, `${name}.key`)
    writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
    return [name, file]
  })
  return { redis, keys: Object.fromEntries(keys) }
}

const newsOf = <Is extends News['is']>(site: ChildProcess, is: Is): Promise<Extract<News, { is: Is }>> =>
  new Promise((resolve, reject) => {
    site.on('message', (news: News) => {
      if (news.is === is) resolve(news as Extract<News, { is: Is }>)
    })
    void once(site, 'exit').then(([code]) => reject(new Error(`the mock site ended with ${code}`)))
  })

/** A disk of its own, so that it can be full; false: not allowed here. */
export const mountDisk = (dir: string, bytes: number): boolean => {
  mkdirSync(dir)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${Math.ceil(bytes)}`, 'tmpfs', dir], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}
