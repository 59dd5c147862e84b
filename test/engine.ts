import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { clear, isAlive, leftFolders, ownFolder } from './leftovers.ts'

/** How long an engine may take to start or to stop. */
const PATIENCE_MS = 30_000
const AGAIN_MS = 20
const KIND = 'engine'

export interface Engine {
  /** As DOCKER_HOST wants it. */
  readonly host: string
  stop(): Promise<void>
}

/** Whether one runs; the library that asks is loaded only where there may be one. */
export const hasEngine = async (): Promise<boolean> => {
  if (!process.env['DOCKER_HOST'] && !existsSync('/var/run/docker.sock')) return false
  const { getContainerRuntimeClient } = await import('testcontainers')
  return getContainerRuntimeClient().then(
    () => true,
    () => false,
  )
}

/**
 * A container engine of our own, for where none runs: root starts Debian's dockerd with everything in a folder. It has
 * no network but the host's, so that it changes no rule of the machine's firewall. Rejects with what is missing.
 */
export const startEngine = async (): Promise<Engine> => {
  if (process.getuid?.() !== 0) throw new Error('no container engine is running, and only root can start one')
  if (spawnSync('dockerd', ['--version'], { stdio: 'ignore' }).error)
    throw new Error(
      `no container engine is running, and there is no dockerd; as root: apt-get install -y --no-install-recommends docker.io`,
    )
  await sweep()
  const folder = await ownFolder(KIND)
  const socket = join(folder, 'docker.sock')
  const said = await open(join(folder, 'log'), 'a')
  // Without its parent it stops in order, and all its containers with it.
  const command = ['--pdeathsig', 'TERM', 'dockerd', ...settings(folder)]
  const engine = spawn('setpriv', command, { stdio: ['ignore', said.fd, said.fd] })
  await said.close()
  const over = new Promise<void>((resolve) => engine.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    const last = setTimeout(() => engine.kill('SIGKILL'), PATIENCE_MS)
    engine.kill('SIGTERM')
    await over
    clearTimeout(last)
    await clear(folder)
  }
  for (const end = Date.now() + PATIENCE_MS; !(await isReady(socket)); ) {
    if (engine.exitCode !== null || Date.now() > end) {
      const log = await readFile(join(folder, 'log'), 'utf8')
      await stop()
      throw new Error(
        `dockerd did not start on this machine; it said:\n${log.split('\n').slice(-12).join('\n')}`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
  return { host: `unix://${socket}`, stop }
}

const settings = (folder: string): string[] => [
  `--data-root=${folder}/root`,
  `--exec-root=${folder}/exec`,
  `--pidfile=${folder}/pid`,
  `--host=unix://${folder}/docker.sock`,
  ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
]

/** It listens long before it can do anything. */
const isReady = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: PATIENCE_MS }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })

/** What engines have left that were killed, as those were that started them; one that is just stopping may finish. */
const sweep = async (): Promise<void> => {
  for (const folder of await leftFolders(KIND)) {
    const pid = await readFile(join(folder, 'pid'), 'utf8').catch(() => '')
    if (pid === '' || !isAlive(Number(pid))) await clear(folder)
  }
}
