import type { Clock } from '../clock.ts'
import type { Command, Failure, Receipt } from '../command.ts'
import type { Log } from '../connector.ts'
import type { Json } from '../fact.ts'
import { receiptBodies } from '../incident/rows.ts'
import type { Store } from '../store/port.ts'
import { isHeartbeat } from '../supervision/heartbeat.ts'
import { receiptEntry } from '../trail/entries.ts'
import type { Entry } from '../trail/entry.ts'
import type { Tracked } from './tracked.ts'

interface Settled {
  readonly command: Command
  readonly attempt: number
  readonly receipt: Receipt
}

/** Writes down what becomes of commands: starts before they are sent, retries and receipts soon after. */
export class Ledger {
  readonly #clock: Clock
  readonly #log: Log
  readonly #store: Store
  readonly #tell: (entries: readonly Entry[], at: number) => void
  readonly #unwritten: Settled[] = []

  constructor(parts: {
    clock: Clock
    log: Log
    store: Store
    tell: (entries: readonly Entry[], at: number) => void
  }) {
    this.#clock = parts.clock
    this.#log = parts.log
    this.#store = parts.store
    this.#tell = parts.tell
  }

  /** `send` runs when the start is on disk, or at once while there is no disk. */
  started({ command, attempt }: Tracked, send: () => void): void {
    const at = this.#clock.now()
    const trail = { incident: command.incident, entries: [] }
    const set = { at, waits: true, starts: [{ command: command.id, attempt, at }], trail }
    void this.#store.commit(set, send).then((committed) => {
      if (committed.recorded || committed.because !== 'refused') return
      this.#log.error(
        { command: command.id, why: committed.why },
        'the store refused a start; sending all the same',
      )
      send()
    })
  }

  retried(tracked: Tracked, dueAt: number, { code, message }: Failure): void {
    const { command, attempt, effect } = tracked
    const { incident, id } = command
    // The first failure and then every tenth is told: an outage is one matter, not a thousand lines.
    const isNews = tracked.sends === 1 || tracked.sends % 10 === 0
    const entries: Entry[] = isNews
      ? [{ what: 'retry', incident, command: id, attempt, code, why: message, effect }]
      : []
    const at = this.#clock.now()
    void this.#store.commit({
      at,
      waits: false,
      retries: [{ command: id, attempt, dueAt, effect }],
      trail: { incident, entries: entries as unknown as Json[] },
    })
    if (isNews) this.#tell(entries, at)
  }

  /** Receipts of one turn are one change set, and so one row of the trail. */
  settled(settled: Settled): void {
    this.#unwritten.push(settled)
    if (this.#unwritten.length === 1) setImmediate(() => this.flush())
  }

  flush(): void {
    const batch = this.#unwritten.splice(0)
    if (batch.length === 0) return
    // One time for both: whoever was told finds it on the trail by that.
    const at = this.#clock.now()
    const entries = entriesOf(batch)
    this.#write(batch, entries, at)
    this.#tell(entries, at)
  }

  /** One receipt that the store refuses takes no other with it. */
  #write(batch: readonly Settled[], entries: readonly Entry[], at: number): void {
    const bodies = receiptBodies(batch.map(({ receipt }) => receipt))
    const set = {
      at,
      waits: false,
      settles: batch.map(({ command, attempt }, index) => ({
        command: command.id,
        attempt,
        receipt: bodies[index] as Json,
      })),
      trail: { incident: null, entries: entries as unknown as Json[] },
    }
    void this.#store.commit(set).then((committed) => {
      if (committed.recorded || committed.because !== 'refused') return
      if (batch.length > 1) for (const one of batch) this.#write([one], entriesOf([one]), at)
      else
        this.#log.error({ command: batch[0]?.command.id, why: committed.why }, 'the store refused a receipt')
    })
  }
}

/** Heartbeats are many: the register has the last one, the trail the faults of those that failed. */
const entriesOf = (batch: readonly Settled[]): Entry[] =>
  batch
    .filter(({ command }) => !isHeartbeat(command.id))
    .map(({ command, receipt }) => receiptEntry(command, receipt))
