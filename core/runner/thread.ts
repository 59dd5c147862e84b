import { Worker } from 'node:worker_threads'
import { deadline, every, originOf, type Timer } from '../clock.ts'
import { failed, type Order, type Outcome } from '../command.ts'
import type { Connector, Context, Link, Opening } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import type { Json } from '../fact.ts'
import { Incoming } from './incoming.ts'
import { mayHear } from './part.ts'
import { type FromThread, type Reply, received, type ThreadStart, type ToThread } from './thread-message.ts'
import { Turns } from './turns.ts'

/** How often a thread is asked whether it still runs, ms. */
const pingMs = 500
/** So many questions in a row without an answer: 3 s. Each is a turn of our own, so that a pause of ours is not held against it. */
const silentPings = 6
/** While a link opens it loads its protocol's code, during which it can't answer: 8 s, before core gives the opening up at 10 s. */
const silentPingsOpening = 16
/** What a link's thread may hold: the largest of ours needs 60 MB for its protocol's code; a small machine has 1 GB in all. */
const heapMb = 256
/** V8's own limit is the last resort: a thread that runs into it may take the whole process along. */
const heapLastMb = 512
/** How often a thread is measured, ms: none fills what is between the two limits in that time. */
const measureMs = 100
/** The young generation: a thread makes short-lived objects only, and V8's own limit would be 48 MB. */
const youngMb = 8
/** A recursion ends in an error of its own before it ends the thread; V8's own limit. */
const stackMb = 4
/** What buffers may hold, bytes: they are outside of the heap. */
const mb = 1_048_576
const buffersMax = 256 * mb
/** How long a link may take to close before its thread is ended, ms; core leaves it to itself after 1 s. */
const closeMs = 700
/** Orders that may wait for their outcome. */
const ordersMax = 1_000
/** An outcome that is not there so long after the order was given up never comes, ms. */
const overdueMs = 5_000
/** Of the environment only what programs need to find their files: secrets come by reference. */
const environment = [
  'PATH',
  'HOME',
  'TMPDIR',
  'TZ',
  'LANG',
  'LC_ALL',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
]

/**
 * Threads that load their code at once: each takes 0.2 s of a processor, the largest 1 s, and a site may have 200 links. A
 * turn ends with the first answer to a ping, so that nobody waits for a peer that can't be reached. Links that presses
 * come from go before those with outputs only.
 */
const loading = new Turns(4, 2_000)

/** Opens a link whose code runs in a thread of its own; the contract is that of `Connector.open`. */
export const openInThread = async (
  connector: Connector,
  opening: Opening<unknown, unknown, unknown>,
  ctx: Context,
): Promise<Link> => {
  const loaded = await loading.take(ctx.clock, ctx.signal, mayHear(opening))
  if (ctx.signal.aborted) {
    loaded()
    throw new BridgeError('ABORTED', `${opening.name}: given up`)
  }
  return new ThreadLink(connector, opening, ctx, loaded).opened.finally(loaded)
}

interface Asked {
  answered(reply: Reply): void
  gone(why: string): void
}

class ThreadLink {
  readonly opened: Promise<Link>
  readonly #name: string
  readonly #ctx: Context
  readonly #worker: Worker
  readonly #incoming: Incoming
  readonly #loaded: () => void
  readonly #asked = new Map<number, Asked>()
  readonly #lost = Promise.withResolvers<unknown>()
  readonly #closed = Promise.withResolvers<void>()
  readonly #pings: Timer
  readonly #measures: Timer
  readonly #end = () => this.#give()
  #settle: { resolve(link: Link): void; reject(error: unknown): void } | null
  #ids = 0
  #silent = 0
  #isMeasuring = false
  #isOver = false

  constructor(
    connector: Connector,
    opening: Opening<unknown, unknown, unknown>,
    ctx: Context,
    loaded: () => void,
  ) {
    this.#loaded = loaded
    this.#name = opening.name
    this.#ctx = ctx
    const { promise, resolve, reject } = Promise.withResolvers<Link>()
    this.opened = promise
    this.#settle = { resolve, reject }
    const { module, type } = connector
    this.#worker = startWorker({ module, type, opening, origin: originOf(ctx.clock) })
    this.#incoming = new Incoming(ctx, (message) => this.#post(message))
    this.#lost.promise.catch(() => {})
    this.#worker.on('message', (message: FromThread) => this.#take(message))
    this.#worker.on('error', (error: unknown) => this.#gone(whyGone(error), error))
    this.#worker.on('exit', (code) => this.#gone(`its code ended its thread with exit code ${code}`))
    this.#pings = every(ctx.clock, pingMs, () => this.#ping())
    this.#measures = every(ctx.clock, measureMs, () => this.#measure())
    ctx.signal.addEventListener('abort', this.#end, { once: true })
  }

  #post(message: ToThread): void {
    if (!this.#isOver) this.#worker.postMessage(message)
  }

  #take(message: FromThread): void {
    if (this.#isOver) return
    switch (message.is) {
      case 'opened':
        this.#silent = 0
        this.#settle?.resolve(this.#link(message))
        this.#settle = null
        return
      case 'refused':
        this.#settle?.reject(received(message.error))
        this.#settle = null
        return void this.#finish()
      case 'answer':
        return void this.#asked.get(message.id)?.answered(message)
      case 'lost':
        return void this.#lost.resolve(String(message.why).slice(0, 500))
      case 'batch':
        return void this.#incoming.take(message.items)
      case 'pong':
        this.#silent = 0
        return void this.#loaded()
      case 'closed':
        return void this.#closed.resolve()
    }
  }

  #link({ acts, probe, beat }: Extract<FromThread, { is: 'opened' }>): Link {
    const act = (capability: string) => [capability, (order: Order) => this.#act(capability, order)] as const
    return {
      lost: this.#lost.promise,
      acts: Object.fromEntries(acts.map(act)) as Link['acts'],
      close: () => this.#close(),
      ...(probe
        ? {
            probe: async (address: unknown, signal: AbortSignal) =>
              (await this.#ask((id) => ({ is: 'probe', id, address }), signal)) as Json,
          }
        : {}),
      ...(beat
        ? {
            beat: async (mark: string, signal: AbortSignal) =>
              void (await this.#ask((id) => ({ is: 'beat', id, mark }), signal)),
          }
        : {}),
    }
  }

  /** One attempt; whatever happens to the thread, it has an outcome. */
  async #act(capability: string, { signal, ...order }: Order): Promise<Outcome> {
    if (signal.aborted) return failed('ABORTED', `${this.#name}: given up before it was started`)
    if (this.#isOver) return failed('LINK_DOWN', `${this.#name}: its thread has ended`)
    if (this.#asked.size >= ordersMax)
      return failed('BUSY', `${this.#name}: ${ordersMax} orders wait for their outcome`)
    try {
      return outcomeOf(await this.#ask((id) => ({ is: 'act', id, capability, order }), signal))
    } catch (error) {
      return failed('CRASHED', `${this.#name}: ${messageOf(error)}`, { effect: 'possible' })
    }
  }

  #ask(message: (id: number) => ToThread, signal: AbortSignal): Promise<unknown> {
    const id = ++this.#ids
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    let overdue: Timer | null = null
    const abort = () => {
      const { message: why, name } = signal.reason as Partial<Error>
      this.#post({ is: 'abort', id, why: String(why ?? 'given up'), name: String(name ?? 'AbortError') })
      const never = `no outcome within ${overdueMs / 1_000} s after it was given up`
      overdue = this.#ctx.clock.after(overdueMs, () => asked.gone(never))
    }
    const settled = () => {
      this.#asked.delete(id)
      overdue?.cancel()
      signal.removeEventListener('abort', abort)
    }
    const asked: Asked = {
      answered: (reply) => {
        settled()
        if ('error' in reply) reject(received(reply.error))
        else resolve(JSON.parse(reply.json))
      },
      gone: (why) => {
        settled()
        reject(new BridgeError('CRASHED', why))
      },
    }
    this.#asked.set(id, asked)
    if (this.#isOver) asked.gone('its thread has ended')
    else {
      try {
        this.#post(message(id))
        if (signal.aborted) abort()
        else signal.addEventListener('abort', abort, { once: true })
      } catch (error) {
        asked.gone(`what was asked can't cross to its thread: ${messageOf(error)}`)
      }
    }
    return promise
  }

  #ping(): void {
    const limit = this.#settle ? silentPingsOpening : silentPings
    if (this.#silent >= limit)
      return void this.#gone(`did not answer for ${(limit * pingMs) / 1_000} s: an endless loop?`)
    this.#silent++
    this.#post({ is: 'ping' })
  }

  /** Served by an interrupt, so that a loop that never ends is measured as well. */
  #measure(): void {
    if (this.#isMeasuring) return
    this.#isMeasuring = true
    const measured = () => {
      this.#isMeasuring = false
    }
    this.#worker
      .getHeapStatistics()
      .then(({ used_heap_size: heap, external_memory: buffers }) => {
        if (heap > heapMb * mb) this.#gone(`used more than ${heapMb} MB of memory: a leak?`)
        else if (buffers > buffersMax) this.#gone(`holds ${Math.round(buffers / mb)} MB of buffers: a leak?`)
      }, measured)
      .then(measured)
  }

  /** Core gives the link up: while it opens nobody else would end its thread. */
  #give(): void {
    this.#post({ is: 'end' })
    if (this.#settle) void this.#opening()
  }

  async #opening(): Promise<void> {
    const limit = deadline(this.#ctx.clock, closeMs)
    const late = new Promise<void>((resolve) => limit.signal.addEventListener('abort', () => resolve()))
    await Promise.race([late, this.opened.catch(() => {})])
    limit.cancel()
    if (this.#settle) this.#gone('given up while it opened')
  }

  /** The thread is no more, or may not go on. */
  #gone(why: string, error?: unknown): void {
    if (this.#isOver) return
    const stack = error instanceof Error ? (error.stack ?? '').slice(0, 2_000) : undefined
    this.#ctx.log.error(
      { link: this.#name, why, ...(stack ? { stack } : {}) },
      'an isolated connector crashed',
    )
    const crashed = new BridgeError('CRASHED', why)
    this.#settle?.reject(crashed)
    this.#settle = null
    this.#lost.reject(crashed)
    void this.#finish(why)
  }

  async #close(): Promise<void> {
    if (this.#isOver) return
    this.#post({ is: 'close' })
    const limit = deadline(this.#ctx.clock, closeMs)
    const late = new Promise<void>((resolve) => limit.signal.addEventListener('abort', () => resolve()))
    await Promise.race([this.#closed.promise, late])
    limit.cancel()
    await this.#finish()
  }

  /** Ends the thread; what waits for it is told. */
  async #finish(why = 'its link was closed'): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#pings.cancel()
    this.#measures.cancel()
    this.#incoming.end()
    this.#closed.resolve()
    this.#ctx.signal.removeEventListener('abort', this.#end)
    for (const asked of [...this.#asked.values()]) asked.gone(why)
    await this.#worker.terminate()
  }
}

const startWorker = (start: ThreadStart): Worker => {
  const worker = new Worker(new URL('./thread-worker.ts', import.meta.url), {
    name:
      start.opening instanceof Object && 'name' in start.opening ? String(start.opening.name) : start.type,
    workerData: start,
    env: Object.fromEntries(
      environment.flatMap((key) => (process.env[key] ? [[key, process.env[key]]] : [])),
    ),
    resourceLimits: {
      maxOldGenerationSizeMb: heapLastMb,
      maxYoungGenerationSizeMb: youngMb,
      stackSizeMb: stackMb,
    },
    stdout: true,
    stderr: true,
  })
  // The thread prints to the log; what gets past that is dropped.
  worker.stdout.resume()
  worker.stderr.resume()
  return worker
}

const whyGone = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown }
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return `used more than ${heapMb} MB of memory: a leak?`
  return `its code threw where nobody catches it: ${messageOf(error)}`
}

/** An outcome, or what isn't one as such. */
const outcomeOf = (value: unknown): Outcome => {
  const { ok, proof, failure, effect } = (value ?? {}) as Record<string, unknown>
  if (ok === true && typeof proof === 'string') return value as Outcome
  const { code, message } = (failure ?? {}) as Record<string, unknown>
  if (ok === false && typeof code === 'string' && typeof message === 'string' && typeof effect === 'string')
    return value as Outcome
  throw new BridgeError('CRASHED', 'the connector returned no outcome')
}
