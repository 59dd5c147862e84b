import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { SystemClock } from '../clock.ts'
import { failed, type Order, type Outcome } from '../command.ts'
import type { Connector, Context, Link, Log } from '../connector.ts'
import { BridgeError, messageOf } from '../error.ts'
import { Outgoing, textOf } from './outgoing.ts'
import {
  type FromThread,
  factMax,
  type Level,
  type Reply,
  resultMax,
  sent,
  type ThreadOrder,
  type ThreadStart,
  type ToThread,
} from './thread-message.ts'

/** The thread of one link: opens it, hands orders to it, carries what it says. */
const start = workerData as ThreadStart
const port = parentPort!
const post = (message: FromThread): void => port.postMessage(message)
const outgoing = new Outgoing(post)
const life = new AbortController()
const running = new Map<number, AbortController>()
let link: Link | null = null

const level =
  (is: Level): Log[Level] =>
  (fields, text) =>
    outgoing.log(is, fields, text)
const log: Log = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }

const ctx: Context = {
  clock: new SystemClock(start.origin),
  log,
  signal: life.signal,
  // In a promise, so that what is no fact rejects.
  record: async (fact) => outgoing.ask({ is: 'record', json: textOf(fact, 'a fact', factMax) }),
  note: (device, state) => outgoing.note(device, state),
  heard: () => outgoing.heard(),
  keep: async (bytes, about) => outgoing.keep(bytes, about),
  secret: async (ref) => outgoing.ask({ is: 'secret', json: textOf(ref, 'a reference', factMax) }),
}

// What libraries print goes to the log, within the log's bounds: two writers to one output wait for each other.
for (const stream of [process.stdout, process.stderr])
  stream.write = (chunk: unknown, ...more: unknown[]): boolean => {
    log.debug({ printed: String(chunk).slice(0, 500).trimEnd() }, 'a connector printed')
    const done = more.at(-1)
    if (typeof done === 'function') queueMicrotask(done as () => void)
    return true
  }

/**
 * Behind the threads of the bridge itself where a processor is short: a third of their share (nice 5). On Linux priorities are
 * each thread's own, sched(7); elsewhere it stays as it is.
 */
const stepBack = (): void => {
  try {
    // Read in this thread, not in a pool: "1234/task/1240".
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), 5)
  } catch {
    // It only competes as others do.
  }
}

/** The declaration among what its module exports. */
const declared = async (): Promise<Connector> => {
  const exported: Record<string, unknown> = await import(start.module)
  const found = Object.values(exported).find((one) => {
    const { type, open } = (one ?? {}) as Partial<Connector>
    return type === start.type && typeof open === 'function'
  })
  if (!found) throw new BridgeError('CRASHED', `${start.module} exports no connector \`${start.type}\``)
  return found as Connector
}

const open = async (): Promise<void> => {
  const connector = await declared()
  link = await connector.open(start.opening as Parameters<Connector['open']>[0], ctx)
  link.lost?.then(
    (why) => post({ is: 'lost', why: messageOf(why ?? 'connection lost') }),
    (error: unknown) => post({ is: 'lost', why: messageOf(error) }),
  )
  const acts = Object.keys(link.acts)
  post({ is: 'opened', acts, probe: link.probe !== undefined, beat: link.beat !== undefined })
}

const act = async (capability: string, order: ThreadOrder, signal: AbortSignal): Promise<Outcome> => {
  try {
    const acts = link!.acts as Record<string, (order: Order) => Promise<Outcome>>
    return await acts[capability]!({ ...order, signal } as Order)
  } catch (error) {
    log.error({ capability, command: order.id, error: messageOf(error) }, 'connector threw')
    return failed('CRASHED', `${capability} threw: ${messageOf(error)}`, { effect: 'possible' })
  }
}

/** Runs what the bridge asked for, and answers; `abort` ends it. */
const answer = (id: number, what: string, run: (signal: AbortSignal) => Promise<unknown>): void => {
  const controller = new AbortController()
  running.set(id, controller)
  // In a promise, so that what it throws at once is an answer too.
  const asked = (async (): Promise<Reply> => {
    try {
      return { json: textOf((await run(controller.signal)) ?? null, what, resultMax) }
    } catch (error) {
      return { error: sent(error) }
    }
  })()
  void asked.then((reply) => {
    running.delete(id)
    post({ is: 'answer', id, ...reply })
  })
}

const close = async (): Promise<void> => {
  life.abort()
  await link?.close()
}

port.on('message', (message: ToThread) => {
  switch (message.is) {
    case 'act':
      return answer(message.id, `the outcome of ${message.capability}`, (signal) =>
        act(message.capability, message.order, signal),
      )
    case 'probe':
      return answer(message.id, 'what the probe found', async (signal) =>
        link?.probe?.(message.address, signal),
      )
    case 'beat':
      return answer(message.id, 'the heartbeat', async (signal) => link?.beat?.(message.mark, signal))
    case 'abort':
      return running.get(message.id)?.abort(new DOMException(message.why, message.name))
    case 'reply':
      return outgoing.replied(message.id, message)
    case 'taken':
      return outgoing.taken()
    case 'ping':
      return post({ is: 'pong' })
    case 'end':
      return life.abort()
    case 'close':
      return void close()
        .catch((error: unknown) => log.warn({ error: messageOf(error) }, 'link did not close cleanly'))
        .finally(() => setImmediate(() => post({ is: 'closed' })))
  }
})

stepBack()
open().catch((error: unknown) => post({ is: 'refused', error: sent(error) }))
