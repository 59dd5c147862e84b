import { Worker } from 'node:worker_threads'
import { BridgeError, type ErrorCode, errors } from '../error.ts'
import type { DiskOptions } from './disk.ts'
import { GatheringStore } from './gather.ts'
import { defaults } from './inline.ts'
import type { Store, StoreOptions } from './port.ts'
import type { Replies, Request, Transport } from './transport.ts'

/** The program's store: files in a thread of their own, whatever the disk, so that a slow one never blocks a press. */
export const threadStore = (options: StoreOptions): Store =>
  new GatheringStore(options, new ThreadTransport(defaults(options)))

/** The thread makes only short-lived rows; V8's own limit would let it hold 48 MB of them before it looks. */
const youngMb = 6

interface Waiting {
  readonly resolve: (value: any) => void
  readonly reject: (error: Error) => void
}

type Reply = { readonly id: number; readonly value: unknown; readonly error?: string; readonly code?: string }

class ThreadTransport implements Transport {
  readonly #options: DiskOptions
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | null = null
  #ids = 0

  constructor(options: DiskOptions) {
    this.#options = options
  }

  ask<R extends Request>(request: R): Promise<Replies[R['do']]> {
    return new Promise((resolve, reject) => {
      const id = ++this.#ids
      this.#waiting.set(id, { resolve, reject })
      this.#worker ??= this.#start()
      this.#worker.postMessage({ id, request })
    })
  }

  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  /** A thread that dies is replaced at the next request; what was asked of it is rejected. */
  #start(): Worker {
    const resourceLimits = { maxYoungGenerationSizeMb: youngMb }
    const url = new URL('./worker.ts', import.meta.url)
    const worker = new Worker(url, { workerData: this.#options, resourceLimits })
    worker.on('message', ({ id, value, error, code }: Reply) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(errorOf(error, code))
    })
    const gone = (why: string) => {
      if (this.#worker !== worker) return
      this.#worker = null
      const all = [...this.#waiting.values()]
      this.#waiting.clear()
      for (const { reject } of all) reject(new Error(`the store's thread is gone: ${why}`))
    }
    worker.on('error', (error) => gone(error instanceof Error ? error.message : String(error)))
    worker.on('exit', (code) => gone(`exit code ${code}`))
    return worker
  }
}

const errorOf = (message: string, code: string | undefined): Error =>
  code !== undefined && code in errors ? new BridgeError(code as ErrorCode, message) : new Error(message)
