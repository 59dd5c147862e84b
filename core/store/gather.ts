import type { Timer } from '../clock.ts'
import { messageOf } from '../error.ts'
import { actNow, Backlog, type Bundle, type Waiting } from './backlog.ts'
import type { Written } from './disk.ts'
import { Filing } from './filing.ts'
import { type Filed, Journal, packed } from './journal.ts'
import { answeredOf, Keys, type KnownKey } from './keys.ts'
import type * as port from './port.ts'
import { Reads } from './reads.ts'
import { renew } from './recovery.ts'
import { repeatsIn, settleAll } from './settle.ts'
import type { Applied } from './sqlite.ts'
import type { Transport } from './transport.ts'
import { adoptedIn, Notes, withNoted } from './unrecorded.ts'

/** How long a set that nobody waits for may stay in memory, ms. */
const rideMs = 5
/** A commit in flight for longer holds up no response, ms. */
const stallMs = 250
/** How often room for a lost ballast is looked for, ms. */
const tendMs = 60_000
/** Pauses between attempts at a fresh file, ms. */
const renewMs = { first: 1_000, last: 30_000 }

/**
 * The store as the bridge sees it: gathers change sets over one turn of the event loop and while a commit is in flight,
 * and keeps them in memory while there is no disk.
 */
export class GatheringStore extends Reads implements port.Store {
  readonly #options: port.StoreOptions
  readonly #transport: Transport
  readonly #keys = new Keys()
  readonly #backlog = new Backlog()
  readonly #notes: Notes
  readonly #filing: Filing
  readonly #hasJournal: boolean
  #journal: Journal | null = null
  #isAppending = false
  /** Why the file is given up, as soon as the journal has what is on its way there. */
  #lost: string | null = null
  #filed: Filed = { store: 0, upTo: 0 }
  /** Bundles so far, over all lives of the store. */
  #count = 0
  #inFlight: Bundle | null = null
  #startedAt = 0
  #stall: Timer | null = null
  #stalled = false
  #immediate: NodeJS.Immediate | null = null
  #ride: Timer | null = null
  #later: Timer | null = null
  #recording = false
  #isOpen = false
  #closing: Promise<void> | null = null
  #idle: (() => void) | null = null
  #why: string | null = null
  #file: string | null = null
  #head: port.TrailHead = { seq: 0, chain: '' }
  #epoch = 0
  #lastCommitMs = 0
  #ballastGone = false

  /** `hasJournal`: answers as soon as a journal has it, and not only once it is in the file. */
  constructor(options: port.StoreOptions, transport: Transport, hasJournal: boolean) {
    super(options, transport)
    this.#options = options
    this.#transport = transport
    this.#notes = new Notes(options.dir)
    this.#hasJournal = hasJournal && options.dir !== ':memory:'
    this.#filing = new Filing(options.clock, transport, (written) => this.#written(written))
  }

  async open(): Promise<port.Opened> {
    const opened = await this.#transport.ask({ do: 'open', at: this.#options.clock.now() })
    const { file, trouble, recording, filed, ...found } = opened
    const onRecord = { adopted: adoptedIn(found.register), floor: found.clockFloor }
    const rest = withNoted(found, await this.#notes.open(onRecord))
    const stillOpen = new Set(rest.openIncidents.map(({ id }) => id))
    this.#notes.keep(
      [...(rest.unrecorded?.commands ?? [])].filter((id) => stillOpen.has(id.split('/', 1)[0] as string)),
    )
    this.#filed = filed
    this.#count = filed.upTo
    this.#filing.upTo = filed.upTo
    await this.#openJournal()
    this.#isOpen = true
    this.#recording = recording
    this.#why = trouble
    this.#file = file
    this.#head = rest.trailHead
    this.#epoch = rest.epoch
    this.#keys.load(rest.keys)
    if (recording) this.#tend()
    else this.#renewAfter(renewMs.first)
    if (trouble !== null) this.#changed()
    await this.#notes.makeRoom()
    return { ...rest, health: this.health() }
  }

  commit(wanted: port.ChangeSet, act: (() => void) | null = null): Promise<port.Committed> {
    if (!this.#isOpen || this.#closing)
      return Promise.resolve({ recorded: false, because: 'refused', why: 'the store is not open' })
    const { fact } = wanted
    const known = fact && this.#keys.find(fact.source, fact.key)
    if (known && (known.onDisk || !this.#recording)) return Promise.resolve(this.#repeated(known))
    const repeats = known !== undefined
    // A repeat has the id of what it repeats: by that the file tells it from another press with a key of old.
    const set = known ? { ...wanted, fact: { ...fact, id: known.id } } : wanted
    const key = known ?? (fact ? this.#keys.add(fact, wanted.at) : null)
    return new Promise((settle, fail) => {
      const waiting = { set, act, key, repeats, settle, fail }
      if (this.#backlog.isFull || !this.#recording) return this.#remember(set, waiting)
      this.#backlog.add(set, waiting)
      if (this.#stalled && !repeats) this.#actUnrecorded(waiting)
      this.#schedule(set.waits)
    })
  }

  answered(source: string, key: string): port.Answered | null {
    const known = this.#keys.find(source, key)
    return known ? answeredOf(known) : null
  }

  #repeated(known: KnownKey): port.Committed {
    const duplicate = answeredOf(known)
    return known.onDisk ? { recorded: true, duplicate } : { ...this.#notRecorded(), duplicate }
  }

  #notRecorded() {
    const why = this.#why ?? 'the disk is too slow, and memory is full'
    return { recorded: false, because: 'not recording', why } as const
  }

  #remember(set: port.ChangeSet, waiting: Waiting): void {
    if (this.#backlog.isFull) this.#backlog.lose(set)
    else this.#backlog.add(set, null)
    this.#goOn(waiting)
  }

  /** Responds without a disk. */
  #goOn(waiting: Waiting): void {
    const repeats = waiting.repeats ? waiting.key : null
    if (!repeats) this.#actUnrecorded(waiting)
    waiting.settle(repeats ? this.#repeated(repeats) : this.#notRecorded())
  }

  #actUnrecorded(waiting: Waiting): void {
    this.#notes.note(waiting.set)
    actNow(waiting)
  }

  #schedule(waits: boolean): void {
    if (this.#inFlight || this.#immediate) return
    // Never a microtask: all sockets that are readable in this turn must get their sets into the same commit.
    if (waits) this.#immediate = setImmediate(() => this.#flush())
    else this.#ride ??= this.#options.clock.after(rideMs, () => this.#flush())
  }

  #flush(): void {
    if (this.#immediate) clearImmediate(this.#immediate)
    this.#immediate = null
    this.#ride?.cancel()
    this.#ride = null
    if (this.#inFlight || !this.#recording || this.#lost !== null) return
    const [bundle] = this.#backlog.take()
    if (bundle) this.#write(bundle)
    else this.#idle?.()
  }

  #write(bundle: Bundle): void {
    const { clock } = this.#options
    this.#inFlight = bundle
    this.#startedAt = clock.mono()
    this.#stall = clock.after(stallMs, () => this.#goOnUnrecorded())
    const n = ++this.#count
    const bytes = this.#journal ? packed(bundle.flat) : null
    if (
      bytes &&
      this.#journal?.append(n, bytes, this.#filing.upTo, (error) => this.#kept(bundle, n, bytes, error))
    )
      this.#isAppending = true
    else this.#fileNow(bundle, n)
  }

  /** Without a journal, or when it has no room: whoever waits is told once it is in the file. */
  #fileNow(bundle: Bundle, n: number): void {
    const { rows, sets } = bundle
    const then = (applied: Applied) => this.#finish(bundle, applied, true)
    this.#filing.add({ n, rows, sets: sets.length, what: bundle, then })
  }

  /** The journal has it, or can't be written. */
  #kept(bundle: Bundle, n: number, bytes: Uint8Array, error: Error | null): void {
    this.#isAppending = false
    if (error) {
      void this.#journal?.close(this.#filing.upTo)
      this.#journal = null
      this.#fileNow(bundle, n)
    } else {
      const { rows, sets } = bundle
      const keys = sets.map((waiting) => (waiting?.repeats ? null : (waiting?.key ?? null)))
      const then = (applied: Applied) => this.#placed(keys, applied)
      this.#filing.add({ n, rows, sets: sets.length, what: bytes, then })
      this.#finish(bundle, { refused: [], repeated: repeatsIn(bundle) }, false)
    }
    if (this.#lost !== null) this.#stop(this.#lost)
  }

  /** What was told to be recorded is in the file now, or did not fit there. */
  #placed(keys: readonly (KnownKey | null)[], { refused }: Applied): void {
    for (const key of keys) if (key) key.isFiled = true
    for (const [, why] of refused) this.#options.misfit?.(why)
  }

  /** A transaction of the file has come to its end. */
  #written(written: Written): void {
    const changed = written.ballastGone !== this.#ballastGone
    this.#ballastGone = written.ballastGone
    if ('lost' in written) {
      this.#lost = written.lost
      if (!this.#isAppending) this.#stop(written.lost)
      return
    }
    this.#head = written.applied.head
    if (!changed) return
    this.#changed()
    if (this.#ballastGone) this.#tendLater()
  }

  #finish(bundle: Bundle, applied: Omit<Applied, 'head'>, isFiled: boolean): void {
    this.#inFlight = null
    const changed = this.#endStall()
    this.#backlog.tellGap()
    // First the next batch, so that the disk works while the responses to this one run.
    const [next, afterNext] = this.#backlog.bundles
    if (this.#closing || next?.waits || afterNext) this.#flush()
    else if (next) this.#schedule(false)
    settleAll(bundle, applied, this.#keys, isFiled)
    if (!this.#inFlight && this.#backlog.rows === 0) this.#notes.clear()
    if (changed) this.#changed()
  }

  #endStall(): boolean {
    this.#lastCommitMs = this.#options.clock.mono() - this.#startedAt
    this.#stall?.cancel()
    if (!this.#stalled) return false
    this.#notes.landed()
    this.#stalled = false
    return true
  }

  /** Lets every response run that waits for the commit in flight; whether it is on disk is told later. */
  #goOnUnrecorded(): void {
    this.#stalled = true
    for (const bundle of [this.#inFlight, ...this.#backlog.bundles])
      for (const waiting of bundle?.sets ?? []) if (waiting && !waiting.repeats) this.#actUnrecorded(waiting)
    this.#changed()
  }

  #stop(why: string): void {
    this.#lost = null
    this.#recording = false
    this.#why = why
    this.#inFlight = null
    this.#endStall()
    // What the journal has is told already: but the fresh file must get it, too.
    for (const bundle of this.#filing.takeBack().reverse()) this.#backlog.putBack(bundle)
    for (const { sets } of this.#backlog.bundles)
      for (const waiting of sets.splice(0, sets.length, ...sets.map(() => null)))
        if (waiting) this.#goOn(waiting)
    this.#changed()
    this.#renewAfter(renewMs.first)
    this.#idle?.()
  }

  #renewAfter(ms: number): void {
    const { clock, state } = this.#options
    this.#later?.cancel()
    this.#later = clock.after(ms, async () => {
      if (this.#closing) return
      const why = this.#why ?? ''
      const filed = { store: this.#filed.store, upTo: this.#count }
      const of = { epoch: this.#epoch, head: this.#head, file: this.#file, why, at: clock.now(), filed }
      try {
        const { head, file } = await renew(this.#transport, of, this.#backlog, this.#keys, state, this.#notes)
        this.#head = head
        this.#file = file
        this.#filing.upTo = filed.upTo
        await this.#openJournal()
        this.#recording = true
        this.#notes.clear()
        void this.#notes.makeRoom()
        this.#flush()
        this.#changed()
        this.#tendLater()
      } catch (error) {
        this.#why = `${this.#why?.split('; no fresh file')[0]}; no fresh file: ${messageOf(error)}`
        this.#changed()
        this.#renewAfter(Math.min(2 * ms, renewMs.last))
      }
    })
  }

  async #openJournal(): Promise<void> {
    if (!this.#hasJournal) return
    this.#journal ??= await Journal.open(this.#options.dir, this.#filed.store).catch(() => null)
  }

  protected override hurry(): void {
    this.#filing.hurry()
  }

  /** What retention erases, the journal may have, too. */
  override async prune(before: number, budgetMs: number): Promise<port.Pruned> {
    const pruned = await super.prune(before, budgetMs)
    await this.#journal?.wipe(this.#filing.upTo)
    return pruned
  }

  #tendLater(): void {
    this.#later?.cancel()
    this.#later = this.#options.clock.after(tendMs, () => this.#tend())
  }

  /** Makes the ballast where it is missing, off the alarm path. */
  #tend(): void {
    this.#transport.ask({ do: 'tend' }).then(
      (isThere) => {
        if (this.#closing || !this.#recording) return
        const changed = this.#ballastGone !== !isThere
        this.#ballastGone = !isThere
        if (!isThere) this.#tendLater()
        if (changed) this.#changed()
      },
      () => this.#recording && !this.#closing && this.#tendLater(),
    )
  }

  #changed(): void {
    this.#options.changed?.(this.health())
  }

  health(): port.Health {
    const { clock } = this.#options
    return {
      recording: this.#recording,
      why: this.#why,
      file: this.#file,
      buffered: this.#recording ? 0 : this.#backlog.rows,
      lost: this.#backlog.lost,
      inFlightMs: this.#inFlight ? clock.mono() - this.#startedAt : 0,
      lastCommitMs: this.#lastCommitMs,
      ballastGone: this.#ballastGone,
      trailHead: this.#head,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#later?.cancel()
    this.endCheck()
    if (this.#isOpen && this.#recording)
      await new Promise<void>((resolve) => {
        this.#idle = resolve
        setImmediate(() => this.#flush())
      })
    await this.#filing.end()
    await this.#notes.close()
    await this.#journal?.close(this.#filing.upTo)
    await this.#transport.ask({ do: 'close' })
    await this.#transport.end()
  }
}
