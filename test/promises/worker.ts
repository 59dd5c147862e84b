import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Launched } from './program.ts'

/** A key file as an administrator makes it: `openssl rand -base64 32`. */
export const keyFile = (dir: string, name: string): string => {
  const file = join(dir, `${name}.key`)
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  return file
}

/** Several processes may start at once on a busy machine, ms. */
const startsWithinMs = 45_000

/** The real program as a worker; it can be killed, frozen and started again. */
export class WorkerProgram extends Launched {
  readonly name: string
  readonly #args: readonly string[]
  readonly #env: { readonly [name: string]: string }

  constructor(
    name: string,
    key: string,
    redis: string,
    more: { args?: readonly string[]; env?: { readonly [name: string]: string } } = {},
  ) {
    super()
    this.name = name
    this.#args = ['worker', '--name', name, '--key', key, '--redis', redis, ...(more.args ?? [])]
    this.#env = more.env ?? {}
  }

  async start(): Promise<this> {
    await this.launch(this.#args, this.#env, /^ready: worker/m, startsWithinMs)
    return this
  }
}
