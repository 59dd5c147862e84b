import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ended, launch, until } from './program.ts'

/** A key file as an administrator makes it: `openssl rand -base64 32`. */
export const keyFile = (dir: string, name: string): string => {
  const file = join(dir, `${name}.key`)
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  return file
}

/** Several processes may start at once on a busy machine, ms. */
const startsWithinMs = 45_000

/** The real program as a worker; it can be killed, frozen and started again. */
export class WorkerProgram {
  readonly name: string
  readonly #args: readonly string[]
  readonly #env: { readonly [name: string]: string }
  #child: ChildProcess | null = null
  #said = { stdout: '', stderr: '' }

  constructor(
    name: string,
    key: string,
    redis: string,
    more: { args?: readonly string[]; env?: { readonly [name: string]: string } } = {},
  ) {
    this.name = name
    this.#args = ['worker', '--name', name, '--key', key, '--redis', redis, ...(more.args ?? [])]
    this.#env = more.env ?? {}
  }

  async start(): Promise<this> {
    const { child, said } = launch(this.#args, this.#env)
    this.#child = child
    this.#said = said
    const isReady = () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${said.stderr}`)
      return said.stdout.includes('ready: worker')
    }
    await until(`worker ready\n${said.stderr}`, isReady, startsWithinMs)
    return this
  }

  get pid(): number {
    return this.#child?.pid as number
  }

  get isAlive(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  get stdout(): string {
    return this.#said.stdout
  }

  get stderr(): string {
    return this.#said.stderr
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return this.#child ? ended(this.#child, () => this.signal(signal)) : null
  }

  kill(): Promise<number | null> {
    return this.end('SIGKILL')
  }
}
