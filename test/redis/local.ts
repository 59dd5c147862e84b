import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import type { Backend } from './backend.ts'

/** Debian's redis-server as a child of this process, which it never outlives (pdeathsig), however this one ends. */
export class LocalRedis implements Backend {
  readonly #config: string
  readonly #log: string
  #process: ChildProcess | null = null
  #failure: string | null = null

  constructor(config: string, log: string) {
    this.#config = config
    this.#log = log
  }

  async start(): Promise<void> {
    this.#failure = null
    const said = await open(this.#log, 'a')
    const command = ['--pdeathsig', 'KILL', 'redis-server', this.#config]
    const redis = spawn('setpriv', command, { stdio: ['ignore', said.fd, said.fd] })
    await said.close()
    this.#process = redis
    redis.on('error', (error) => {
      this.#failure = error.message
    })
    redis.on('exit', (code, signal) => {
      if (this.#process === redis) this.#failure = `redis-server ended with ${code ?? signal}`
    })
  }

  async failure(): Promise<string | null> {
    return this.#failure
  }

  log(): Promise<string> {
    return readFile(this.#log, 'utf8')
  }

  async freeze(): Promise<void> {
    this.#process?.kill('SIGSTOP')
  }

  async thaw(): Promise<void> {
    this.#process?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const redis = this.#process
    this.#process = null
    if (!redis || redis.pid === undefined || redis.exitCode !== null || redis.signalCode !== null) return
    const gone = new Promise<void>((resolve) => redis.once('exit', () => resolve()))
    redis.kill('SIGKILL')
    await gone
  }

  async remove(): Promise<void> {
    await this.kill()
  }
}
