import { join } from 'node:path'
import { quickCheck } from './check.ts'
import type { DiskOptions } from './disk.ts'
import { GatheringStore } from './gather.ts'
import type { Store, StoreOptions } from './port.ts'
import { InlineTransport } from './transport.ts'

const ballastBytes = 64 * 1_048_576
const ownerWaitMs = 10_000

export const defaults = (
  options: Pick<StoreOptions, 'dir' | 'ballastBytes' | 'ownerWaitMs'>,
): DiskOptions => ({
  dir: options.dir,
  ballastBytes: options.ballastBytes ?? ballastBytes,
  ownerWaitMs: options.ownerWaitMs ?? ownerWaitMs,
})

/** Without threads a check of the file holds everything up, which a simulation has time for. */
class InlineStore extends GatheringStore {
  readonly #dir: string

  constructor(options: StoreOptions) {
    super(options, new InlineTransport(defaults(options), () => options.clock.mono()), false)
    this.#dir = options.dir
  }

  override async check(): Promise<readonly string[]> {
    const { file } = this.health()
    return this.#dir === ':memory:' || file === null ? [] : quickCheck(join(this.#dir, file))
  }
}

/** The same store without a thread, for simulations: a commit takes one turn of the event loop. */
export const inlineStore = (options: StoreOptions): Store => new InlineStore(options)
