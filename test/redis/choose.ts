import { spawnSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { hasEngine, startEngine } from '../engine.ts'
import { leftFolders } from '../leftovers.ts'
import { BACKEND } from './backend.ts'

const LOCAL = 'apt-get install -y --no-install-recommends redis-server'

/**
 * Before any test: where Redis runs, said once. `containers` starts an engine when none runs; `local` takes Debian's
 * redis-server; `auto`, the default, takes a running engine that has the image already, else redis-server. Rejects when
 * what was asked for can't be had. Gives what ends it.
 */
export default async function choose(): Promise<() => Promise<void>> {
  const wanted = process.env[BACKEND] ?? 'auto'
  if (!['containers', 'local', 'auto'].includes(wanted))
    throw new Error(`${BACKEND} is containers, local or auto, not ${wanted}`)
  if (spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).error)
    throw new Error(`there is no redis-server, from which the image is made, too; as root: ${LOCAL}`)
  for (const folder of await leftFolders('redis')) await rm(folder, { recursive: true, force: true })
  const isAtHand = wanted === 'auto' && (await hasEngine()) && (await (await import('./image.ts')).hasImage())
  const taken = isAtHand ? 'containers' : wanted === 'auto' ? 'local' : wanted
  process.env[BACKEND] = taken
  console.log(
    `Redis runs in ${taken === 'containers' ? 'containers' : 'local processes'} (${BACKEND}=${wanted})`,
  )
  return taken === 'containers' ? prepare() : async () => {}
}

/** An engine with the image, and nothing on it of test runs that were killed. */
const prepare = async (): Promise<() => Promise<void>> => {
  const engine = (await hasEngine()) ? null : await startEngine()
  try {
    if (engine) {
      process.env['DOCKER_HOST'] = engine.host
      // Else it asks for the bridge between the engine's networks and ours, and there is none.
      process.env['TESTCONTAINERS_HOST_OVERRIDE'] = '127.0.0.1'
    }
    const { ensureImage } = await import('./image.ts')
    await ensureImage()
    const { sweepContainers } = await import('./container.ts')
    await sweepContainers()
  } catch (error) {
    await engine?.stop()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`the engine runs, but makes no image and no container on this machine: ${reason}`)
  }
  return async () => engine?.stop()
}
