import { type Continues, Disk, type DiskOptions, type Written } from './disk.ts'
import type { Value } from './encode.ts'
import type { Part } from './journal.ts'
import type { TrailHead } from './port.ts'
import type { Slice } from './prune.ts'
import type { OpenedFile } from './salvage.ts'

/** What the client asks of the side that holds the files. */
export type Request =
  | { readonly do: 'open'; readonly at: number }
  | {
      readonly do: 'write'
      /** Bundles in their order, as they are or as the journal has them. */
      readonly parts: readonly Part[]
      /** The number of the last one. */
      readonly upTo: number
    }
  | { readonly do: 'renew'; readonly of: Continues }
  | { readonly do: 'replay'; readonly flat: readonly Value[] }
  | {
      readonly do: 'adopt'
      readonly past: readonly Value[]
      readonly present: readonly Value[]
      readonly at: number
    }
  | { readonly do: 'prune'; readonly before: number }
  | { readonly do: 'backup'; readonly path: string }
  | { readonly do: 'tend' }
  | { readonly do: 'close' }
  | { readonly do: 'read'; readonly what: Reading; readonly args: readonly unknown[] }

export type Reading = 'due' | 'incident' | 'commandsOf' | 'commandIdsOf' | 'incidents' | 'trail' | 'trailOf'

export interface Replies {
  readonly open: OpenedFile
  readonly write: Written
  readonly renew: undefined
  readonly replay: undefined
  readonly adopt: { readonly head: TrailHead; readonly file: string }
  readonly prune: Slice
  readonly backup: undefined
  readonly tend: boolean
  readonly close: undefined
  readonly read: unknown
}

/** The way to the files: to a thread, or to the same process. Requests are carried out in their order. */
export interface Transport {
  ask<R extends Request>(request: R): Promise<Replies[R['do']]>
  /** Gives the way up, after `close` was answered. */
  end(): Promise<void>
}

/** Carries a request out. */
export const answer = (disk: Disk, request: Request): unknown => {
  switch (request.do) {
    case 'write':
      return disk.write(request.parts, request.upTo)
    case 'open':
      return disk.open(request.at)
    case 'renew':
      return disk.renew(request.of)
    case 'replay':
      return disk.replay(request.flat)
    case 'adopt':
      return disk.adopt(request.past, request.present, request.at)
    case 'prune':
      return disk.prune(request.before)
    case 'backup':
      return disk.backup(request.path)
    case 'tend':
      return disk.tend()
    case 'close':
      return disk.close()
    case 'read':
      return (disk.reader[request.what] as (...args: unknown[]) => unknown)(...request.args)
  }
}

/** The files in the same process. */
export class InlineTransport implements Transport {
  readonly #disk: Disk

  constructor(options: DiskOptions, mono: () => number) {
    this.#disk = new Disk(options, mono)
  }

  async ask<R extends Request>(request: R): Promise<Replies[R['do']]> {
    return (await answer(this.#disk, request)) as Replies[R['do']]
  }

  async end(): Promise<void> {}
}
