import { execFileSync, spawnSync } from 'node:child_process'
import { hasEngine } from './engine.ts'
import { BACKEND } from './redis/backend.ts'
import choose from './redis/choose.ts'

/** Programs of Debian that the tests use, servers and independent peers among them, and the package of each. */
const tools = {
  strace: 'strace',
  prlimit: 'util-linux',
  mount: 'mount',
  mosquitto: 'mosquitto',
  socat: 'socat',
  mbpoll: 'mbpoll',
  xmllint: 'libxml2-utils',
  setpriv: 'util-linux',
  'systemd-notify': 'systemd',
  openssl: 'openssl',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  chromium: 'chromium',
  faketime: 'faketime',
} as const

/** For tests in containers, where no engine runs that somebody else has started. */
const engine = { dockerd: 'docker.io', 'docker-compose': 'docker-compose' } as const

/** For the units under a systemd of their own. */
const machine = { 'systemd-nspawn': 'systemd-container', nsenter: 'util-linux' } as const

/** Before any test: what is missing is there, and so is what Redis runs in. Gives what ends it. */
export default async function setup(): Promise<() => Promise<void>> {
  await install()
  return choose()
}

/** A tool that is missing is installed where that is possible, else the run ends with the command for it. */
const install = async (): Promise<void> => {
  const isInContainers = process.env[BACKEND] === 'containers'
  const more = isInContainers ? { ...machine, ...((await hasEngine()) ? {} : engine) } : {}
  const missing = Object.entries({ ...tools, ...more }).filter(
    ([tool]) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined,
  )
  if (missing.length === 0) return
  const packages = [...new Set(missing.map(([, name]) => name))]
  const command = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], { stdio: 'ignore' }).error)
    throw new Error(`these tests need ${packages.join(', ')}; as root: ${command}`)
  console.log(`installing what the tests need: ${command}`)
  execFileSync('sh', ['-c', command], {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}
