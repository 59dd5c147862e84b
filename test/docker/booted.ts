import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clear, leftFolders, ownFolder } from '../leftovers.ts'

const call = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

/** Where the units have the program. */
export const installed = '/opt/duress-bridge'
const kind = 'booted'
/** How long the machine may take to boot, or to end. */
const patienceMs = 30_000
const againMs = 50

/**
 * A machine made of this one: its files as they are, with whatever is changed kept in memory and lost in the end; processes
 * and a network of its own; and systemd as its first process, by Debian's systemd-nspawn. Needs root.
 */
export class Booted {
  readonly #folder: string
  readonly #nspawn: ChildProcess
  readonly #over: Promise<unknown>
  #init = 0

  private constructor(folder: string, nspawn: ChildProcess) {
    this.#folder = folder
    this.#nspawn = nspawn
    this.#over = once(nspawn, 'close')
  }

  static async boot(): Promise<Booted> {
    for (const left of await leftFolders(kind)) await clear(left)
    const folder = await ownFolder(kind)
    const machine = await files(folder)
    const options = [
      '--quiet',
      '--boot',
      '--register=no',
      '--keep-unit',
      '--private-network',
      '--link-journal=no',
    ]
    // Without its parent it powers the machine off.
    const nspawn = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'TERM', 'systemd-nspawn', ...options],
        ...[`--directory=${machine}`, `--machine=duress-${process.pid}`, '--console=pipe'],
        ...['--', '--unit=basic.target', '--log-level=info', '--show-status=no'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let said = ''
    for (const stream of [nspawn.stdout, nspawn.stderr]) stream.on('data', (chunk) => (said += chunk))
    const booted = new Booted(folder, nspawn)
    for (const end = Date.now() + patienceMs; !(await booted.#isUp()); await pause())
      if (nspawn.exitCode !== null || Date.now() > end) {
        await booted.end()
        throw new Error(`systemd did not boot on this machine; it said:\n${said.slice(-2_000)}`)
      }
    return booted
  }

  /** Runs shell commands as root there, in the folder of the program; what they print. Rejects with what they said. */
  async run(commands: string): Promise<string> {
    const enter = ['--target', `${this.#init}`, '--all', `--wdns=${installed}`]
    const { stdout } = await call('nsenter', [...enter, 'sh', '-e', '-c', commands], {
      maxBuffer: 16 * 1_048_576,
      timeout: patienceMs,
    })
    return stdout.trim()
  }

  /** Writes a file there. */
  write(path: string, text: string): void {
    const file = join(this.#folder, 'machine', path)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, text)
  }

  async end(): Promise<void> {
    const last = setTimeout(() => this.#nspawn.kill('SIGKILL'), patienceMs)
    this.#nspawn.kill('SIGTERM')
    await this.#over
    clearTimeout(last)
    await clear(this.#folder)
  }

  async #isUp(): Promise<boolean> {
    const { pid } = this.#nspawn
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
    this.#init = Number(children.trim().split(' ')[0])
    if (this.#init === 0) return false
    return this.run('systemctl is-active --quiet basic.target').then(
      () => true,
      () => false,
    )
  }
}

/** What the machine sees as its files: ours and the program at its place, both under what it writes. */
const files = async (folder: string): Promise<string> => {
  const memory = join(folder, 'memory')
  const machine = join(folder, 'machine')
  mkdirSync(memory)
  mkdirSync(machine)
  await call('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'duress-booted', memory])
  await overlay('/', join(memory, 'system'), machine)
  const place = join(machine, installed)
  mkdirSync(place, { recursive: true })
  await overlay(root, join(memory, 'program'), place)
  return machine
}

const overlay = async (lower: string, changed: string, at: string): Promise<void> => {
  const [upper, work] = [join(changed, 'upper'), join(changed, 'work')]
  for (const dir of [upper, work]) mkdirSync(dir, { recursive: true })
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  await call('mount', ['-t', 'overlay', '-o', options, 'duress-booted', at])
}

const pause = () => new Promise((resolve) => setTimeout(resolve, againMs))
