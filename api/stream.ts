import type { ServerResponse } from 'node:http'
import { BoundedMap } from '../core/bounded.ts'
import { every, sleep, type Timer } from '../core/clock.ts'
import type { Json } from '../core/fact.ts'
import type { Machine } from '../core/machine.ts'
import type { TrailRow } from '../core/store/port.ts'
import { toldOf } from '../core/trail/entries.ts'
import type { Entry, Told } from '../core/trail/entry.ts'
import { Refused } from './reply.ts'
import { textOf } from './text.ts'

const clientsMax = 100
/** A client that leaves this much unread falls behind and reads on for itself, bytes. */
const bufferMax = 1_048_576
const beatEveryMs = 15_000
/** How often the end of the trail is looked at: well below what people notice, and one read for all clients, ms. */
const lookEveryMs = 50
/** Trail rows read at once, so that no read keeps a press waiting. */
const rowsAtOnce = 200
/** Entries remembered to match what was sent live with what is written later; beyond it some may come twice. */
const rememberedMax = 20_000
/** The trail can't be read: tried again after this, ms. */
const againMs = 1_000
/** A client that is behind and takes nothing for so long is dropped; it may come back and resume, ms. */
const drainMs = 5_000

/** Where a client goes on: the entry after this one of this row. */
export interface Position {
  readonly seq: number
  readonly skip: number
}

interface Client {
  readonly raw: ServerResponse
  /** Entries that were sent live from this number on have reached it. */
  readonly liveFrom: number
}

/**
 * Server-sent events (HTML Standard, 9.2): every entry of the trail once and in order. Clients at the end of the trail
 * share one reader; those that resume read for themselves until they are there. While nothing can be written, entries
 * go out live and without id, and are left out where they are read back later.
 */
export class Stream {
  readonly #machine: Machine
  readonly #clients = new Set<Client>()
  /** Those at the end of the trail. */
  readonly #atEnd = new Set<Client>()
  /** The first row that the clients at the end have not had. */
  #next = 0
  #looking = false
  /** Told, but not read back yet: text to how often. */
  readonly #unwritten = new BoundedMap<string, { entry: Told; times: number }>(rememberedMax)
  /** Sent live: text to the number of its sending. */
  readonly #sentLive = new BoundedMap<string, number>(rememberedMax)
  #live = 0
  #timers: Timer[] = []
  #deafen: () => void = () => {}

  constructor(machine: Machine) {
    this.#machine = machine
  }

  /** Where a client begins: behind the event it had last, or `from`; less than 0 counts back from the end. */
  begin(lastEventId: string | undefined, from: number | null): Position {
    const last = /^(\d{1,15})(?:\.(\d{1,6}))?$/.exec(lastEventId ?? '')
    const end = this.#end()
    if (last?.[2] !== undefined) return { seq: Number(last[1]), skip: Number(last[2]) + 1 }
    if (last) return { seq: Number(last[1]) + 1, skip: 0 }
    return { seq: from === null ? end : from < 0 ? Math.max(0, end + from) : from, skip: 0 }
  }

  /** Refuses when there are too many; called before the answer begins. */
  admit(): void {
    if (this.#clients.size >= clientsMax)
      throw new Refused('TOO_BUSY', `${clientsMax} clients listen already`, { status: 503 })
  }

  add(raw: ServerResponse, position: Position): void {
    if (this.#clients.size === 0) this.#start()
    const client = { raw, liveFrom: this.#live }
    this.#clients.add(client)
    raw.on('close', () => this.#remove(client))
    raw.on('error', () => this.#remove(client))
    raw.write('retry: 1000\n\n')
    void this.#catchUp(client, position)
  }

  /** Ends all answers. */
  stop(): void {
    for (const client of [...this.#clients]) {
      client.raw.end()
      this.#remove(client)
    }
  }

  #end(): number {
    return this.#machine.store.health().trailHead.seq + 1
  }

  #start(): void {
    const { clock } = this.#machine
    this.#next = this.#end()
    this.#deafen = this.#machine.listen((entries, at) => this.#hear(toldOf(entries, at)))
    this.#timers = [
      every(clock, lookEveryMs, () => void this.#look()),
      every(clock, beatEveryMs, () => this.#beat()),
    ]
  }

  #remove(client: Client): void {
    this.#clients.delete(client)
    this.#atEnd.delete(client)
    if (this.#clients.size > 0) return
    this.#deafen()
    for (const timer of this.#timers) timer.cancel()
    this.#unwritten.clear()
    this.#sentLive.clear()
  }

  #hear(told: readonly Told[]): void {
    for (const entry of told) {
      const text = textOf(entry, entry.at)
      const known = this.#unwritten.get(text)
      this.#unwritten.set(text, { entry, times: (known?.times ?? 0) + 1 })
    }
  }

  /** Sends what is new: from the trail, or from memory while there is none. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      if (this.#machine.store.health().recording) await this.#readOn()
      else this.#sendLive()
    } catch {
      // The file failed between the question and the reading; the next look finds it not recording.
    } finally {
      this.#looking = false
    }
  }

  async #readOn(): Promise<void> {
    const end = this.#end()
    while (this.#next < end && this.#clients.size > 0) {
      const rows = await this.#machine.store.trail(this.#next, rowsAtOnce)
      for (const row of rows) this.#broadcast(row)
      this.#next = rows.length === 0 ? end : rows.at(-1)!.seq + 1
    }
  }

  #broadcast(row: TrailRow): void {
    const texts = textsOf(row)
    for (const { text } of texts) this.#written(text)
    const wasLive = texts.some(({ text }) => this.#sentLive.has(text))
    const whole = wasLive ? '' : this.#eventsOf(row.seq, texts, 0, Number.POSITIVE_INFINITY)
    for (const client of this.#atEnd) {
      this.#send(client, wasLive ? this.#eventsOf(row.seq, texts, 0, client.liveFrom) : whole)
      if (client.raw.writableLength > bufferMax) this.#fallBehind(client, row.seq + 1)
    }
  }

  /** Not dropped at once: a storm brings more in one turn than a good reader takes. */
  #fallBehind(client: Client, seq: number): void {
    this.#atEnd.delete(client)
    void this.#catchUp(client, { seq, skip: 0 })
  }

  #written(text: string): void {
    const known = this.#unwritten.get(text)
    if (known && --known.times <= 0) this.#unwritten.delete(text)
  }

  #sendLive(): void {
    for (const [text, { entry, times }] of this.#unwritten) {
      this.#sentLive.set(text, this.#live++)
      const event = `event: ${entry.what}\ndata: ${text}\n\n`.repeat(times)
      for (const client of this.#clients)
        if (client.raw.writableLength <= bufferMax) this.#send(client, event)
        else client.raw.destroy()
    }
    this.#unwritten.clear()
  }

  async #catchUp(client: Client, { seq, skip }: Position): Promise<void> {
    const { store, clock } = this.#machine
    for (;;) {
      await this.#drained(client)
      if (!this.#clients.has(client)) return
      // In one turn with the check, so that no row falls between the replay and the end.
      if (seq >= this.#next) {
        this.#atEnd.add(client)
        return
      }
      const rows = await store.trail(seq, rowsAtOnce).catch(() => null)
      if (rows === null) {
        await sleep(clock, againMs)
        continue
      }
      // What lies beyond the end that is known comes to everybody together.
      const mine = rows.filter((row) => row.seq < this.#next)
      for (const row of mine)
        this.#send(client, this.#eventsOf(row.seq, textsOf(row), row.seq === seq ? skip : 0, client.liveFrom))
      skip = 0
      seq = mine.length === 0 ? this.#next : mine.at(-1)!.seq + 1
    }
  }

  /** The events of a row from entry `skip` on; of what the client has had live, only the id. */
  #eventsOf(
    seq: number,
    texts: readonly { name: string; text: string }[],
    skip: number,
    liveFrom: number,
  ): string {
    let events = ''
    for (let index = skip; index < texts.length; index++) {
      const { name, text } = texts[index]!
      const id = index === texts.length - 1 ? `${seq}` : `${seq}.${index}`
      const had = (this.#sentLive.get(text) ?? -1) >= liveFrom
      events += had ? `id: ${id}\n\n` : `id: ${id}\nevent: ${name}\ndata: ${text}\n\n`
    }
    return events
  }

  #beat(): void {
    for (const client of this.#clients) this.#send(client, ': beat\n\n')
  }

  #send(client: Client, text: string): void {
    if (text !== '' && this.#clients.has(client)) client.raw.write(text)
  }

  /** Waits for a reader that is slower than the disk. */
  async #drained({ raw }: Client): Promise<void> {
    if (!raw.writableNeedDrain) return
    await new Promise<void>((resolve) => {
      const limit = this.#machine.clock.after(drainMs, () => raw.destroy())
      const go = () => {
        limit.cancel()
        raw.off('drain', go)
        raw.off('close', go)
        resolve()
      }
      raw.on('drain', go)
      raw.on('close', go)
    })
  }
}

/** The store writes rows of its own too; they say `is`. */
const textsOf = ({ at, entries }: TrailRow): { name: string; text: string }[] =>
  (entries ?? []).map((entry) => ({ name: nameOf(entry), text: textOf(entry as unknown as Entry, at) }))

const nameOf = (entry: Json): string => {
  const { what, is } = entry as { what?: string; is?: string }
  return what ?? is ?? 'entry'
}
