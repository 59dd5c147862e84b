import { parentPort, Worker, workerData } from 'node:worker_threads'
import { BridgeError, messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import type { Mock, Received } from '../../mocks/mock.ts'

/** What the mocks are started with. */
export interface Given {
  readonly password: string
  readonly secret: string
  /** Where the badge system calls. */
  readonly webhook: string
  /** Where the alarm panel reports, and the key of its account, hex. */
  readonly keypads: { readonly port: number; readonly key: string }
  /** Where the nurse-call system pages, and how it proves who it is. */
  readonly nurseCall: { readonly url: string; readonly code: string }
  /** Where the phone presses, and with which token. */
  readonly phone: { readonly url: string; readonly token: string }
}

/** What can be asked of them. */
export type Request =
  | { readonly do: 'contact'; readonly discrete: number; readonly forMs?: number }
  | { readonly do: 'call'; readonly payload: Json }
  | { readonly do: 'report'; readonly event: string }
  | { readonly do: 'page'; readonly text: string }
  | { readonly do: 'phone'; readonly press: Json }
  | { readonly do: 'close' }

type Reply =
  | { readonly is: 'ready'; readonly wires: unknown }
  | { readonly is: 'received'; readonly mock: string; readonly received: Received }
  | { readonly is: 'done'; readonly id: number; readonly error: string | null }

export const given = workerData as Given

/** Runs in the thread: says where the mocks listen and what they receive, and carries out what is asked. */
export const serve = <Wires>(
  mocks: { readonly [name: string]: Mock },
  wires: Wires,
  carryOut: (request: Request) => Promise<void> = async () => {},
): void => {
  const tell = (reply: Reply): void => parentPort?.postMessage(reply)
  const answer = async (request: Request): Promise<void> => {
    await carryOut(request)
    if (request.do === 'close') await Promise.all(Object.values(mocks).map((mock) => mock.close()))
  }
  parentPort?.on('message', ({ id, request }: { id: number; request: Request }) => {
    answer(request).then(
      () => tell({ is: 'done', id, error: null }),
      (error: unknown) => tell({ is: 'done', id, error: messageOf(error) }),
    )
  })
  for (const [mock, { journal }] of Object.entries(mocks))
    journal.listen((received) => tell({ is: 'received', mock, received }))
  tell({ is: 'ready', wires })
}

/** Mocks in a thread of their own: a camera that computes its picture must not hold up the bridge. */
export class Mocks<Wires> {
  readonly wires: Wires
  readonly #worker: Worker
  readonly #listeners: ((mock: string, received: Received) => void)[] = []
  readonly #waiting = new Map<number, (error: string | null) => void>()
  #ids = 0

  private constructor(worker: Worker, wires: Wires) {
    this.#worker = worker
    this.wires = wires
    worker.on('message', (reply: Reply) => {
      if (reply.is === 'received') for (const hear of this.#listeners) hear(reply.mock, reply.received)
      if (reply.is === 'done') this.#waiting.get(reply.id)?.(reply.error)
    })
  }

  static start<Wires>(file: URL, given: Given): Promise<Mocks<Wires>> {
    const worker = new Worker(file, { workerData: given })
    return new Promise((resolve, reject) => {
      worker.once('error', reject)
      worker.once('message', (reply: Reply) => {
        if (reply.is === 'ready') resolve(new Mocks(worker, reply.wires as Wires))
      })
    })
  }

  listen(listener: (mock: string, received: Received) => void): void {
    this.#listeners.push(listener)
  }

  ask(request: Request): Promise<void> {
    const id = ++this.#ids
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (error) => {
        this.#waiting.delete(id)
        if (error === null) resolve()
        else reject(new BridgeError('BAD_REQUEST', error))
      })
      this.#worker.postMessage({ id, request })
    })
  }

  async close(): Promise<void> {
    await this.ask({ do: 'close' })
    await this.#worker.terminate()
  }
}
