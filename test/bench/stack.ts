import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** How long a program may take to start, and to end when it is asked to, ms. */
const startMaxMs = 60_000
const endMaxMs = 5_000

const running = new Set<ChildProcess>()
// However the bench ends, nothing of it stays.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** A program that can be killed, and started again as it was. */
export class Program {
  readonly #command: readonly string[]
  readonly #isReady: () => Promise<boolean>
  #child: ChildProcess | null = null

  constructor(command: readonly string[], isReady: () => Promise<boolean>) {
    this.#command = command
    this.#isReady = isReady
  }

  async start(): Promise<void> {
    const [file = '', ...args] = this.#command
    const env = { ...process.env, BENCH_TOKEN: 'bench', BENCH_OUT: 'out', NODE_ENV: 'production' }
    const child = spawn(file, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    running.add(child)
    let said = ''
    child.stderr?.on('data', (data: Buffer) => {
      said = `${said}${data}`.slice(-2_000)
    })
    let ended = ''
    child.once('error', (error) => {
      ended = error.message
    })
    child.once('exit', (code, signal) => {
      ended = `it ended with ${code ?? signal}`
      running.delete(child)
    })
    for (const until = Date.now() + startMaxMs; !(await this.#isReady()); ) {
      if (ended || Date.now() > until)
        throw new Error(`${file} ${args[0]}: ${ended || 'not ready in time'}\n${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  get pid(): number {
    return this.#child?.pid as number
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (!child || !running.has(child)) return
    const gone = once(child, 'exit')
    child.kill(signal)
    const impatience = setTimeout(() => child.kill('SIGKILL'), endMaxMs)
    await gone
    clearTimeout(impatience)
  }
}

/** All that a contender consists of: its own programs, and the Redis that they need. */
export class Stack {
  readonly port: number
  readonly #redis: readonly Program[]
  readonly #own: readonly Program[]
  readonly #isSettled: () => Promise<boolean>

  /** `isSettled`: whether all parts have found each other. */
  constructor(
    port: number,
    own: readonly Program[],
    redis: Program | null = null,
    isSettled = async (): Promise<boolean> => true,
  ) {
    this.port = port
    this.#own = own
    this.#isSettled = isSettled
    this.#redis = redis ? [redis] : []
  }

  get pids(): number[] {
    return [...this.#redis, ...this.#own].map(({ pid }) => pid)
  }

  /** Starts all of it; resolves when it works as it is meant to. */
  async start(): Promise<void> {
    await this.#startAll()
    for (const until = Date.now() + startMaxMs; !(await this.#isSettled()); ) {
      if (Date.now() > until) throw new Error(`on port ${this.port}: the parts do not find each other`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Kills all of it at once, but for Redis where that is spared; what it returns starts that again. */
  async killed(spared: 'redis' | 'nothing'): Promise<() => Promise<void>> {
    const all = spared === 'redis' ? this.#own : [...this.#redis, ...this.#own]
    await Promise.all(all.map((program) => program.end('SIGKILL')))
    return spared === 'redis' ? () => this.#startOwn() : () => this.#startAll()
  }

  async end(): Promise<void> {
    for (const program of [...this.#own].reverse()) await program.end()
    for (const redis of this.#redis) await redis.end()
  }

  async #startAll(): Promise<void> {
    for (const redis of this.#redis) await redis.start()
    await this.#startOwn()
  }

  async #startOwn(): Promise<void> {
    await Promise.all(this.#own.map((program) => program.start()))
  }
}
