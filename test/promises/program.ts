import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import type { Receipt } from '../../core/command.ts'
import type { Incident } from '../../core/incident/incident.ts'
import type { LinkHealth } from '../../core/runner/inline.ts'

const main = join(import.meta.dirname, '..', '..', 'main.js')

/** How long something may take that has no time of its own, ms; generous, since the machine may be busy. */
const withinMs = 20_000

/** Asks again and again until the answer is neither false nor nothing; rejects after a bound, with what was waited for. */
export const until = async <T>(
  what: string,
  look: () => T | Promise<T>,
  bound = withinMs,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> => {
  const end = performance.now() + bound
  for (;;) {
    const seen = await look()
    if (seen) return seen as Exclude<T, false | null | undefined | 0 | ''>
    if (performance.now() > end) throw new Error(`not within ${bound} ms: ${what}`)
    await wait(20)
  }
}

/** Real time has to pass: until this moment, ms since the epoch. */
export const passed = (at: number): Promise<void> => wait(Math.max(0, at - Date.now()))

/** A port below those that outgoing connections borrow, so that it stays ours while the program is down. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}

/** Whether anybody listens there. */
export const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

export interface Answer {
  readonly status: number
  readonly body: any
}

/** A command as the API shows it. */
export interface Shown {
  readonly id: string
  readonly target: string
  readonly capability: string
  readonly dueAt: number
  readonly expiresAt: number | null
  readonly receipt: Receipt | null
}

export interface Detail {
  readonly incident: Incident
  readonly commands: readonly Shown[]
  readonly holds: readonly { readonly id: string; readonly until: number }[]
  readonly timeline: readonly {
    readonly what: string
    readonly at: number
    readonly [name: string]: unknown
  }[]
}

interface Options {
  /** Directory for config and data, such as a disk of its own; default a new one. */
  readonly dir?: string
  readonly env?: { readonly [name: string]: string }
}

const running = new Set<ChildProcess>()
const dirs: string[] = []
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-promise-'))
  dirs.push(dir)
  return dir
}

/** Ends every process that was started. */
export const endAll = async (): Promise<void> => {
  for (const child of running) await ended(child, () => child.kill('SIGKILL'))
}

/** And removes what was written. */
export const cleanUp = async (): Promise<void> => {
  await endAll()
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
}

const ended = (child: ChildProcess, end: () => void): Promise<number | null> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode)
    child.once('close', (code) => resolve(code))
    end()
  })

const launch = (args: readonly string[], env: Options['env'] = {}) => {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    said.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.stderr += chunk
  })
  return { child, said }
}

/** Runs the program to its end. */
export const run = async (
  ...args: string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> => {
  const { child, said } = launch(args)
  const code = await ended(child, () => {})
  return { code, ...said }
}

/** A process of the real program; it can be killed and started again. */
export class Launched {
  #child: ChildProcess | null = null
  #said = { stdout: '', stderr: '' }

  /** Resolves with what `ready` finds in what it says; rejects with all that was said when it ends before. */
  protected async launch(
    args: readonly string[],
    env: Options['env'],
    ready: RegExp,
    bound = withinMs,
  ): Promise<RegExpExecArray> {
    const { child, said } = launch(args, env)
    this.#child = child
    this.#said = said
    const isReady = () => {
      if (!this.isAlive) throw new Error(`it ended with ${child.exitCode}:\n${said.stdout}${said.stderr}`)
      return ready.exec(said.stdout)
    }
    return until(`ready\n${said.stdout}${said.stderr}`, isReady, bound)
  }

  get isAlive(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    return this.#child?.pid as number
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

  /** Sends a signal and waits for the end; the exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    return this.#child ? ended(this.#child, () => this.signal(signal)) : null
  }

  kill(): Promise<number | null> {
    return this.end('SIGKILL')
  }
}

/** The real program, with a config and data of its own. */
export class Program extends Launched {
  readonly dir: string
  readonly data: string
  readonly file: string
  url = ''
  readonly #env: Options['env']

  /** `site` is the config, as text or as what becomes JSON. */
  constructor(site: string | object, { dir = newDir(), env = {} }: Options = {}) {
    super()
    this.dir = dir
    this.data = join(dir, 'data')
    this.file = join(dir, 'site.yaml')
    this.#env = env
    this.write(site)
  }

  write(site: string | object): void {
    writeFileSync(this.file, typeof site === 'string' ? site : JSON.stringify(site, null, 2))
  }

  async start(): Promise<this> {
    const args = ['run', '--config', this.file, '--data', this.data]
    const ready = await this.launch(args, this.#env, /^ready: .* at (http:\S+), data in /m)
    this.url = ready[1] as string
    return this
  }

  async get(path: string): Promise<Answer> {
    return answerOf(await fetch(this.url + path))
  }

  async post(path: string, body: object = {}): Promise<Answer> {
    const headers = { 'content-type': 'application/json' }
    return answerOf(await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) }))
  }

  /** A press by the API; the id of its incident. */
  async press(device: string, more: object = {}): Promise<string> {
    const { status, body } = await this.post('/v1/presses', { device, ...more })
    if (status !== 201) throw new Error(`the press was answered ${status}: ${JSON.stringify(body)}`)
    return body.incident
  }

  async incident(id: string): Promise<Detail> {
    const { status, body } = await this.get(`/v1/incidents/${id}`)
    if (status !== 200) throw new Error(`incident ${id}: ${status} ${JSON.stringify(body)}`)
    return body
  }

  /** The incident that a device has pressed for, open or not. */
  async incidentOf(device: string): Promise<Incident | undefined> {
    const { body } = await this.get('/v1/incidents')
    return body.incidents.find(({ devices }: Incident) => devices.includes(device))
  }

  /** Waits until a command of the incident has its receipt. */
  receipt(id: string, capability: string, target: string, bound = withinMs): Promise<Receipt> {
    return until(
      `a receipt of ${capability} ${target}`,
      async () => {
        const { commands } = await this.incident(id)
        return commands.find((one) => one.capability === capability && one.target === target)?.receipt
      },
      bound,
    )
  }

  /** Waits until every command of the incident has its receipt. */
  settled(id: string, bound = withinMs): Promise<readonly Shown[]> {
    return until(
      `receipts of all commands of ${id}`,
      async () => {
        const { commands } = await this.incident(id)
        return commands.length > 0 && commands.every(({ receipt }) => receipt) ? commands : null
      },
      bound,
    )
  }

  /** Waits until no command is without a receipt in the file: a receipt that the API shows may still be on its way there. */
  written(bound = withinMs): Promise<unknown> {
    const unfinished = 'SELECT count(*) AS n FROM command WHERE receipt IS NULL'
    const isWritten = async () => {
      await this.filed()
      return rowsOf(this.data, unfinished)[0].n === 0
    }
    return until('all receipts are on disk', isWritten, bound)
  }

  /** Resolves when the file has all that the journal has: whoever reads through the API finds it there. */
  async filed(): Promise<void> {
    await this.get('/v1/incidents')
  }

  /** Waits until all links of a connector, or the one of that name, are up, or down. */
  link(name: string, up = true): Promise<unknown> {
    return until(`link ${name} is ${up ? 'up' : 'down'}`, async () => {
      const links = (await this.links()).filter((link) => link.connector === name || link.name === name)
      return links.length > 0 && links.every((link) => link.up === up)
    })
  }

  async links(): Promise<readonly LinkHealth[]> {
    return (await this.get('/v1/links')).body.links
  }
}

/** All rows of a query, on a connection that can't write. */
export const rowsOf = (data: string, sql: string): any[] => rowsIn(join(data, 'duress.db'), sql)

/** The same of any file of the store. */
export const rowsIn = (file: string, sql: string): any[] => {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
  try {
    return db.prepare(sql).all()
  } finally {
    db.close()
  }
}

const answerOf = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text }
}
