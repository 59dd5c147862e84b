import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

/** A process of the bench: asked by messages, ended by its pid. */
export class Part {
  readonly child: ChildProcess

  private constructor(child: ChildProcess) {
    this.child = child
  }

  /** Starts a module of this folder, which says `ready` when it is. */
  static async start(module: string, ...args: string[]): Promise<{ part: Part; ready: any }> {
    const child = fork(new URL(module, import.meta.url), args, { execPath: process.execPath })
    const [ready] = await once(child, 'message')
    return { part: new Part(child), ready }
  }

  async ask(question: string): Promise<any> {
    const answered = once(this.child, 'message')
    this.child.send(question)
    const [answer] = await answered
    return answer
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill(signal)
    await once(this.child, 'exit')
  }
}

/** The bridge itself, as its users start it. */
export class BridgeProcess {
  readonly child: ChildProcess
  /** From the start of the process to its ready line, ms. */
  readonly readyMs: number

  private constructor(child: ChildProcess, readyMs: number) {
    this.child = child
    this.readyMs = readyMs
  }

  static async start(config: string, data: string): Promise<BridgeProcess> {
    const startedAt = performance.now()
    const main = new URL('../../main.js', import.meta.url).pathname
    const args = ['run', '--config', config, '--data', data, '--log-level', 'error']
    const child = spawn(main, args, {
      env: { ...process.env, BENCH_TOKEN: 'bench', BENCH_OUT: 'out' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream }))
      if (line.startsWith('ready:')) return new BridgeProcess(child, performance.now() - startedAt)
    throw new Error('the bridge ended before it was ready')
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number> {
    const startedAt = performance.now()
    this.child.stdout?.resume()
    this.child.kill(signal)
    await once(this.child, 'exit')
    return performance.now() - startedAt
  }
}

/** A port that nobody listens on at this moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Time on a processor that a process has had so far, ms (proc_pid_stat(5): utime and stime, in ticks of 10 ms). */
export const cpuMs = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

/** One clock for all processes of a machine, ms: `process.hrtime` counts from the boot. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
