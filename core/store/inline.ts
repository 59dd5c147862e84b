import type { DiskOptions } from './disk.ts'
import { GatheringStore } from './gather.ts'
import type { Store, StoreOptions } from './port.ts'
import { InlineTransport } from './transport.ts'

const ballastBytes = 64 * 1_048_576
const ownerWaitMs = 10_000

export const defaults = (options: StoreOptions): DiskOptions => ({
  dir: options.dir,
  ballastBytes: options.ballastBytes ?? ballastBytes,
  ownerWaitMs: options.ownerWaitMs ?? ownerWaitMs,
})

/** The same store without a thread, for simulations: a commit takes one turn of the event loop. */
export const inlineStore = (options: StoreOptions): Store =>
  new GatheringStore(options, new InlineTransport(defaults(options), () => options.clock.mono()))
