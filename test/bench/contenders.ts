import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { writeNodeRed } from './node-red.ts'
import { freePort } from './process.ts'
import { writeSite } from './site.ts'
import { Program, Stack } from './stack.ts'

/** What a contender starts with: a folder of its own, the targets, and how many different badges will press. */
export interface Room {
  readonly dir: string
  readonly targets: readonly number[]
  readonly badges: number
}

export interface Contender {
  readonly name: string
  /** How it is called in the table. */
  readonly title: string
  /** It comes from `rivals/`, which is installed on demand. */
  readonly isRival: boolean
  readonly needsRedis: boolean
  /** How long nothing may happen after a kill until its lost presses count as lost, ms. */
  readonly patienceMs: number
  build(room: Room): Promise<Stack>
}

const main = new URL('../../main.js', import.meta.url).pathname
const rivals = new URL('rivals/', import.meta.url).pathname

/** As many connections to one target at a time as the http connector has by default. */
const connections = 4

/** Answers HTTP, if only to refuse what carries no token; 404 comes from a Node-RED whose flow is not there yet. */
const answers = (port: number) => (): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  }).then(
    ({ status }) => status !== 404,
    () => false,
  )

/** Redis says PONG once it has read its file. */
const saysPong = (port: number) => (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.setTimeout(500, () => socket.destroy())
    socket.once('data', (data) => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
  })

/** Debian's Redis with its append-only file, synced every second. */
const redisIn = async (dir: string): Promise<{ port: number; program: Program }> => {
  const port = await freePort()
  const folder = join(dir, 'redis')
  mkdirSync(folder)
  const options = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', 'everysec']
  return { port, program: new Program(['redis-server', ...options, ...durable], saysPong(port)) }
}

const nodeRed: Contender = {
  name: 'node-red',
  title: 'Node-RED',
  isRival: true,
  needsRedis: false,
  patienceMs: 5_000,
  async build({ dir, targets }) {
    const port = await freePort()
    const red = join(rivals, 'node_modules/node-red/red.js')
    const command = [process.execPath, red, ...writeNodeRed(dir, port, targets)]
    return new Stack(port, [new Program(command, answers(port))])
  },
}

const naive: Contender = {
  name: 'naive',
  title: 'naive',
  isRival: true,
  needsRedis: true,
  // A queue entry whose worker died is taken up after 30 s of lock and up to 30 s more until somebody looks.
  patienceMs: 75_000,
  async build({ dir, targets }) {
    const [port, health] = [await freePort(), await freePort()]
    const redis = await redisIn(dir)
    const program = (file: string, listen: number, ...args: number[]) =>
      new Program(
        [process.execPath, join(rivals, file), ...[listen, redis.port, ...args].map(String)],
        answers(listen),
      )
    const own = [program('webhook.js', port, ...targets), program('worker.js', health)]
    return new Stack(port, own, redis.program)
  },
}

const inline: Contender = {
  name: 'inline',
  title: 'bridge',
  isRival: false,
  needsRedis: false,
  patienceMs: 5_000,
  async build({ dir, targets, badges }) {
    const [port, api] = [await freePort(), await freePort()]
    const config = writeSite(dir, badges, { api, webhook: port, targets }, { connections })
    return new Stack(port, [bridge(dir, config, port)])
  },
}

const bridge = (dir: string, config: string, port: number): Program =>
  new Program(
    [main, 'run', '--config', config, '--data', join(dir, 'data'), '--log-level', 'error'],
    answers(port),
  )

const workers: Contender = {
  name: 'workers',
  title: 'by workers',
  isRival: false,
  needsRedis: true,
  patienceMs: 5_000,
  async build({ dir, targets, badges }) {
    const [port, api] = [await freePort(), await freePort()]
    const redis = await redisIn(dir)
    const keys = new Map(['w1', 'w2'].map((name) => [name, join(dir, `${name}.key`)]))
    for (const file of keys.values()) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 })
    const elsewhere = { connections, workers: { redis: redis.port, keys } }
    const config = writeSite(dir, badges, { api, webhook: port, targets }, elsewhere)
    const own = [...keys].map(([name, key]) => {
      const address = ['--redis', `redis://127.0.0.1:${redis.port}`]
      // The bridge knows when it can be used; until then it acts itself.
      return new Program([main, 'worker', '--name', name, '--key', key, ...address], async () => true)
    })
    return new Stack(port, [bridge(dir, config, port), ...own], redis.program, () => areFit(api, keys))
  },
}

/** Whether the bridge has every worker's links up, so that it is they who tell the targets. */
const areFit = async (api: number, names: ReadonlyMap<string, unknown>): Promise<boolean> => {
  const { links } = (await (await fetch(`http://127.0.0.1:${api}/v1/links`)).json()) as {
    links: { name: string; up: boolean }[]
  }
  return [...names.keys()].every((worker) => {
    const there = links.filter(({ name }) => name.endsWith(` on ${worker}`))
    return there.length > 0 && there.every(({ up }) => up)
  })
}

export const contenders: readonly Contender[] = [nodeRed, naive, inline, workers]

/** What is missing on this machine for a contender; null when nothing is. */
export const missingFor = ({ needsRedis }: Contender): string | null => {
  if (!needsRedis) return null
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return null
  } catch {
    return 'there is no redis-server: apt-get install redis-server'
  }
}

/** Installs the rivals where they are not there in their exact versions. */
export const installRivals = (): void => {
  const read = (file: string) => JSON.parse(readFileSync(join(rivals, file), 'utf8'))
  const wanted = Object.entries(read('package.json').dependencies as Record<string, string>)
  const isThere = wanted.every(([name, version]) => {
    try {
      return read(`node_modules/${name}/package.json`).version === version
    } catch {
      return false
    }
  })
  if (isThere) return
  console.error('installing the rivals (test/bench/rivals)')
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel', 'error']
  execFileSync('npm', ['ci', '--prefix', rivals, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
}
