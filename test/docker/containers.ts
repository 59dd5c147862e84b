import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const call = promisify(execFile)
const root = join(import.meta.dirname, '..', '..')

/** On everything that these tests start, to find what killed runs have left. */
const label = 'duress-bridge-image-test'
export const image = 'duress-bridge:test'
/** The user of the image. */
export const uid = 10_001

export const docker = async (...args: string[]): Promise<string> =>
  (await call('docker', args, { cwd: root, maxBuffer: 64 * 1_048_576 })).stdout.trim()

/** Whichever there is: Debian has the older program. */
const compose = (): readonly string[] =>
  spawnSync('docker', ['compose', 'version']).status === 0 ? ['docker', 'compose'] : ['docker-compose']

/** Of this file's tests: files run beside each other. */
const mark = `${label}=${process.pid}`
/** Which of them builds: the parent is the same for all of a run. */
const turn = join(tmpdir(), `duress-image-build-${process.ppid}`)

/** Builds the image once for all files of a run: the first one does, the others wait for it. */
export const build = async (): Promise<void> => {
  try {
    mkdirSync(turn)
  } catch {
    while (!existsSync(join(turn, 'done'))) await new Promise((resolve) => setTimeout(resolve, 200))
    return
  }
  process.once('exit', () => rmSync(turn, { recursive: true, force: true }))
  await buildAll()
  writeFileSync(join(turn, 'done'), '')
}

/** Builds the image of this machine's Node, and one of Redis and of Mosquitto; no registry of images is asked. */
const buildAll = async (): Promise<void> => {
  await sweep(label)
  await call(join(root, 'docker', 'base-without-registry.sh'), ['redis-server', 'mosquitto'])
  const bases = ['BASE=duress-bridge-base', 'NPM_BASE=duress-bridge-npm-base']
  await docker(
    ...['build', '--quiet', '--network', 'host', '--file', 'docker/Dockerfile', '--tag', image],
    ...[...bases.flatMap((base) => ['--build-arg', base]), '.'],
  )
}

/** Ends what the tests of this file have started; by `label` what all have, in earlier runs, too. */
export const sweep = async (which = mark): Promise<void> => {
  const left = await docker('ps', '--all', '--quiet', '--filter', `label=${which}`)
  if (left !== '') await docker('rm', '--force', '--volumes', ...left.split('\n'))
  const volumes = await docker('volume', 'ls', '--quiet', '--filter', `label=${which}`)
  if (volumes !== '') await docker('volume', 'rm', ...volumes.split('\n'))
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
}

const dirs: string[] = []

/** A folder with these files, readable by the user of the image. */
export const folder = (files: { readonly [name: string]: string }): string => {
  const dir = mkdtempSync(join(tmpdir(), 'duress-image-'))
  dirs.push(dir)
  chmodSync(dir, 0o755)
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text, { mode: 0o400 })
    chownSync(path, uid, uid)
  }
  return dir
}

export const volume = async (name: string): Promise<string> =>
  docker('volume', 'create', '--label', mark, `duress-bridge-${name}-${process.pid}`)

/** As docs/containers.md starts a bridge: everything closed that can be. */
const hardened = [
  '--read-only',
  '--tmpfs',
  '/tmp',
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
]

interface Bridge {
  readonly site: string
  readonly data: string
  readonly url: string
  readonly more?: readonly string[]
}

/** Starts a bridge; the id of its container. */
export const startBridge = ({ site, data, url, more = [] }: Bridge): Promise<string> =>
  docker(
    ...['run', '--detach', '--network', 'host', '--label', mark, ...hardened, ...more],
    ...['--env', `DURESS_URL=${url}`, '--health-interval', '1s', '--memory', '1g'],
    ...['--volume', `${site}:/etc/duress-bridge/site.yaml:ro`, '--volume', `${data}:/var/lib/duress-bridge`],
    image,
  )

export const logsOf = async (id: string): Promise<string> => {
  const { stdout, stderr } = await call('docker', ['logs', id])
  return stdout + stderr
}

export const inspect = async (id: string, format: string): Promise<string> =>
  docker('inspect', '--format', `{{${format}}}`, id)

/** What a compose file starts, under a name of its own. */
export class Composed {
  readonly #args: readonly string[]
  readonly #env: NodeJS.ProcessEnv

  /** `services` get the label by a second file, which compose lays over the first. */
  constructor(file: string, services: readonly string[], env: { readonly [name: string]: string }) {
    const labels = { labels: { [label]: `${process.pid}` } }
    const over = { services: Object.fromEntries(services.map((name) => [name, labels])) }
    const second = join(folder({ 'labels.json': JSON.stringify(over) }), 'labels.json')
    const [program, ...rest] = compose()
    const name = `${file.replaceAll(/\W/g, '')}-${process.pid}`
    const files = [join(root, 'docker', file), ...(services.length > 0 ? [second] : [])]
    this.#args = [program as string, ...rest, '-p', name, ...files.flatMap((path) => ['-f', path])]
    this.#env = { ...process.env, DURESS_IMAGE: image, ...env }
  }

  async run(...args: string[]): Promise<string> {
    const [program, ...rest] = [...this.#args, ...args]
    return (await call(program as string, rest, { env: this.#env })).stdout.trim()
  }

  up(): Promise<string> {
    return this.run('up', '-d')
  }

  async down(): Promise<void> {
    await this.run('down', '--volumes', '--timeout', '5')
  }

  idOf(container: string): Promise<string> {
    return this.run('ps', '-q', container)
  }
}
