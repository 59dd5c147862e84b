import { basename } from 'node:path'
import { GenericContainer, getContainerRuntimeClient, PullPolicy, Wait } from 'testcontainers'
import { isAlive } from '../leftovers.ts'
import type { Backend } from './backend.ts'
import { imageName } from './image.ts'

/** What the engine answers when something is already as it should be, or isn't there (Docker's HTTP API). */
const ALREADY = [304, 404, 409]

/** The number of the process that it belongs to. */
const OWNER = 'duress-bridge.owner'

/**
 * A container on the network of the host, so that its port is the same after each start. The folder with config and data
 * has the same path inside.
 */
export class ContainerRedis implements Backend {
  readonly #folder: string
  readonly #config: string
  /** Of the folder, which is unique. */
  readonly #name: string
  #isMade = false

  constructor(folder: string, config: string) {
    this.#folder = folder
    this.#config = config
    this.#name = basename(folder)
  }

  async start(): Promise<void> {
    if (this.#isMade) return (await this.#container()).start()
    this.#isMade = true
    await new GenericContainer(await imageName())
      .withName(this.#name)
      .withLabels({ [OWNER]: String(process.pid) })
      .withPullPolicy(PullPolicy.neverPull())
      .withNetworkMode('host')
      .withUser(`${process.getuid?.()}:${process.getgid?.()}`)
      .withBindMounts([{ source: this.#folder, target: this.#folder }])
      .withCommand(['redis-server', this.#config])
      // Whether it answers is asked by who starts it, and not only the first time.
      .withWaitStrategy(Wait.forLogMessage(/./))
      // Its own image for that would come from a registry.
      .withAutoCleanup(false)
      .start()
  }

  async failure(): Promise<string | null> {
    const { State } = await (await this.#container()).inspect()
    return State.Running ? null : `the container ended with ${State.ExitCode} ${State.Error}`.trim()
  }

  async log(): Promise<string> {
    const lines = await (await this.#container()).logs({ stdout: true, stderr: true, tail: 50 })
    return lines.toString('utf8')
  }

  async freeze(): Promise<void> {
    await (await this.#container()).pause()
  }

  async thaw(): Promise<void> {
    await (await this.#container()).unpause()
  }

  async kill(): Promise<void> {
    const container = await this.#container()
    // Frozen, it dies before it does anything else: the engine thaws it once it has the signal.
    await container.kill().catch(unlessAlready)
    await container.wait()
  }

  async remove(): Promise<void> {
    if (this.#isMade) await remove(await this.#container())
  }

  async #container(): Promise<Container> {
    const { container } = await getContainerRuntimeClient()
    return container.getById(this.#name)
  }
}

type Container = ReturnType<Awaited<ReturnType<typeof getContainerRuntimeClient>>['container']['getById']>

const remove = async (container: Container): Promise<void> => {
  await container.remove({ force: true, v: true }).catch(unlessAlready)
}

const unlessAlready = (error: Error & { statusCode?: number }): void => {
  if (!ALREADY.includes(error.statusCode ?? 0)) throw error
}

/** Removes the containers of test runs that were killed. */
export const sweepContainers = async (): Promise<void> => {
  const { container } = await getContainerRuntimeClient()
  for (const { Id, Labels } of await container.dockerode.listContainers({
    all: true,
    filters: { label: [OWNER] },
  }))
    if (!isAlive(Number(Labels[OWNER]))) await remove(container.getById(Id))
}
