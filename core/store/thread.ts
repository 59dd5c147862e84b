import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { BridgeError, type ErrorCode, errors } from '../error.ts'
import type { DiskOptions } from './disk.ts'
import { GatheringStore } from './gather.ts'
import { defaults } from './inline.ts'
import type { Store, StoreOptions } from './port.ts'
import type { Replies, Request, Transport } from './transport.ts'

/** The program's store: files in a thread of their own, whatever the disk, so that a slow one never blocks a press. */
export const threadStore = (options: StoreOptions, thread: Thread | null = null): Store =>
  new GatheringStore(options, new ThreadTransport(defaults(options), thread), true)

/** A thread that has opened nothing yet. */
export interface Thread {
  take(): Worker
}

/** Starts the thread of a store ahead, so that it loads its code while the config is read. It keeps no program running. */
export const startThread = (dir: string): Thread => {
  const options = defaults({ dir })
  const worker = workerFor(options)
  let isGone = false
  const gone = () => {
    isGone = true
  }
  worker.on('error', gone).on('exit', gone)
  worker.unref()
  return {
    take: () => {
      if (isGone) return workerFor(options)
      worker.ref()
      return worker
    },
  }
}

const workerFor = (workerData: DiskOptions): Worker => {
  // `resourceLimits` would say it for this thread alone, but a limit of the whole process, as the program has, wins over it.
  // The main thread's heap is laid out already; other threads that come later do with as little.
  setFlagsFromString(`--max-semi-space-size=${youngMb}`)
  return new Worker(new URL('./worker.ts', import.meta.url), { workerData })
}

/** Half of what is young there, MB: the thread makes only short-lived rows, and would let 16 MB of them pile up. */
const youngMb = 2

interface Waiting {
  readonly resolve: (value: any) => void
  readonly reject: (error: Error) => void
}

type Reply = { readonly id: number; readonly value: unknown; readonly error?: string; readonly code?: string }

class ThreadTransport implements Transport {
  readonly #options: DiskOptions
  readonly #waiting = new Map<number, Waiting>()
  /** For the first request. */
  #ahead: Thread | null
  #worker: Worker | null = null
  #ids = 0

  constructor(options: DiskOptions, ahead: Thread | null) {
    this.#options = options
    this.#ahead = ahead
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
    const worker = this.#ahead?.take() ?? workerFor(this.#options)
    this.#ahead = null
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
