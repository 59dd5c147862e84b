import type { Socket } from 'node:net'
import type { Timer } from '../../core/clock.ts'
import type { Context } from '../../core/connector.ts'
import type { Waiting } from './outbox.ts'

/**
 * Acknowledgements go out in the order of the messages (MQTT 3.1.1 and 5, 4.6), but a message whose press takes longer
 * than this to be recorded loses its place, so that it doesn't hold up all the others, ms.
 */
const orderedMs = 250
/**
 * Messages that core refused to record and that stay unacknowledged. Brokers send 20 or so (Mosquitto's
 * `max_inflight_messages`) and then wait: beyond this the oldest is acknowledged all the same, since the next call for
 * help must still get through.
 */
const refusedMax = 10

interface Entry {
  readonly id: number
  readonly waiting: readonly Waiting[]
  isReady: boolean
}

/** Who gets a PUBACK, and when: once every press in the message is on disk. */
export class Acks {
  readonly #socket: Socket
  readonly #ctx: Context
  readonly #ordered: Entry[] = []
  readonly #late = new Set<Entry>()
  readonly #timers = new Set<Timer>()
  #corked = false
  #closed = false

  constructor(socket: Socket, ctx: Context) {
    this.#socket = socket
    this.#ctx = ctx
  }

  get unacknowledged(): number {
    return this.#ordered.length + this.#late.size
  }

  /** Acknowledges the message once everything that it said is recorded. */
  await(id: number, waiting: readonly Waiting[]): void {
    if (waiting.length === 0 && this.#ordered.length === 0) {
      this.#send(id)
      return
    }
    const entry: Entry = { id, waiting, isReady: waiting.length === 0 }
    this.#ordered.push(entry)
    if (entry.isReady) return
    const timer = this.#ctx.clock.after(orderedMs, () => {
      this.#timers.delete(timer)
      this.#overtake(entry)
    })
    this.#timers.add(timer)
    void Promise.all(waiting.map(({ recorded }) => recorded)).then(() => {
      timer.cancel()
      this.#timers.delete(timer)
      this.#ready(entry)
    })
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }

  #ready(entry: Entry): void {
    entry.isReady = true
    if (this.#late.delete(entry)) this.#send(entry.id)
    this.#flush()
  }

  #flush(): void {
    while (this.#ordered[0]?.isReady) this.#send((this.#ordered.shift() as Entry).id)
  }

  #overtake(entry: Entry): void {
    const index = this.#ordered.indexOf(entry)
    if (index < 0) return
    this.#ordered.splice(index, 1)
    this.#late.add(entry)
    this.#flush()
    this.#yield()
  }

  #yield(): void {
    const refused = [...this.#late].filter(({ waiting }) => waiting.every((each) => each.refused))
    const [oldest] = refused
    if (refused.length <= refusedMax || !oldest) return
    this.#late.delete(oldest)
    this.#ctx.log.error(
      { keys: oldest.waiting.map(({ fact }) => fact.key) },
      'acknowledged though not recorded, so that further presses get through; it is still offered until it is recorded',
    )
    this.#send(oldest.id)
  }

  /** PUBACK: success needs no more than these four bytes in either version (3.1.1, 3.4; 5, 3.4.2.1). */
  #send(id: number): void {
    if (this.#closed || !this.#socket.writable) return
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(Buffer.from([0x40, 2, id >> 8, id & 0xff]))
  }
}
