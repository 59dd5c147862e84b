import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { getContainerRuntimeClient, ImageName } from 'testcontainers'

const run = promisify(execFile)

/** Of this machine's redis-server: another build gets another image. */
export const imageName = async (): Promise<string> => {
  const { stdout } = await run('redis-server', ['--version'])
  const [, version] = /v=(\S+)/.exec(stdout) ?? []
  const [, build] = /build=(\S+)/.exec(stdout) ?? []
  if (!version || !build) throw new Error(`redis-server --version says nothing that we know: ${stdout}`)
  return `duress-bridge-redis:${version}-${build}`
}

export const hasImage = async (): Promise<boolean> => {
  const { image } = await getContainerRuntimeClient()
  return image.exists(ImageName.fromString(await imageName()))
}

/** Makes the image where it is missing, without a registry: this machine's redis-server with the libraries that it loads. */
export const ensureImage = async (): Promise<void> => {
  if (await hasImage()) return
  const { container } = await getContainerRuntimeClient()
  const { stdout: redis } = await run('sh', ['-c', 'command -v redis-server'])
  const { stdout: loaded } = await run('ldd', [redis.trim()])
  const files = [redis.trim(), ...[...loaded.matchAll(/(\/\S+) \(/g)].map(([, path]) => path as string)]
  const tar = spawn(
    'tar',
    ['--create', '--dereference', '--directory=/', ...files.map((path) => path.slice(1))],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = once(tar, 'exit')
  const [repo, tag] = (await imageName()).split(':')
  const answer = await container.dockerode.importImage(tar.stdout, { repo, tag })
  let said = ''
  for await (const bytes of answer) said += bytes
  const [code] = await ended
  if (code !== 0 || !(await hasImage())) throw new Error(`the image of Redis could not be made: ${said}`)
}
