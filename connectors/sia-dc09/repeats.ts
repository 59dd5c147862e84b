import { hash } from 'node:crypto'
import type { Json } from '../../core/fact.ts'
import { timeOf } from './codec.ts'

/**
 * A message that is like one heard so long ago or less is that one sent again, ms. Each repeat starts it anew, so it only
 * has to be longer than the pause between two attempts of a panel (20 s by default, seldom over 60 s) and a restart of
 * ours in between. The sequence comes round after 9,999 messages, which takes longer.
 */
const repeatMs = 300_000
/** The same without a number in its sequence (0000): then only the content tells, and a second press must not be lost. */
const unnumberedMs = 30_000
/** A repeat may carry a new time, as an encrypted one must after a while; it is then this close to the attempt before, ms. */
const restampMs = 60_000
/** A clock that is further off than this stands still or starts at the same time at each power-up: it tells nothing apart, ms. */
const saneClockMs = 86_400_000
/** Messages remembered, and of these in the cursor of one device. */
const rememberedMax = 50_000
const cursorMax = 8

/** What makes a message the one that it is. */
export interface Sent {
  readonly account: string
  readonly seq: string
  /** Id, data and extensions: all but the time, the pad and the sequence. */
  readonly body: string
  readonly timestamp: string | null
  /** The hex digits that it came in, where it was encrypted. */
  readonly cipher: string | null
}

interface Entry {
  /** Account, sequence and digest of the body. */
  readonly like: string
  /** Account and digest of the cipher: the sequence stands outside of it, and proves nothing. */
  readonly cipher: string | null
  readonly key: string
  readonly forMs: number
  /** The panel's time and ours when it was heard last. */
  stamp: number | null
  at: number
}

/** Tells a message from its repeat, over all paths of an account and over restarts of ours. */
export class Repeats {
  readonly #entries = new Map<string, Entry>()
  readonly #ofDevice = new Map<string, Entry[]>()

  /** `cursors` are those that the facts of each device carried. */
  constructor(cursors: ReadonlyMap<string, Json>) {
    for (const [device, cursor] of cursors) {
      const entries = (Array.isArray(cursor) ? cursor : []).flatMap((each) => entryOf(each) ?? [])
      this.#ofDevice.set(device, entries)
      for (const entry of entries) this.#remember(entry)
    }
  }

  /** The key of a message: that of the first, when it is a repeat. */
  keyOf(sent: Sent, now: number): { readonly key: string; readonly entry: Json } {
    const stamp = stampOf(sent, now)
    const like = `${sent.account} ${sent.seq} ${digestOf(sent.body)}`
    const cipher = sent.cipher === null ? null : `${sent.account} * ${digestOf(sent.cipher.toUpperCase())}`
    const known = this.#repeatOf(like, stamp, now) ?? this.#repeatOf(cipher, stamp, now)
    const entry = known ?? newEntry(like, cipher, stamp, now)
    entry.at = now
    entry.stamp = stamp
    this.#remember(entry)
    return { key: entry.key, entry: cursorOf(entry) }
  }

  /** The cursor of a device's fact: what was told of it last. */
  cursorOf(device: string, entry: Json): Json {
    const own = entryOf(entry)
    const others = (this.#ofDevice.get(device) ?? []).filter(({ key }) => key !== own?.key)
    const entries = [...others, ...(own ? [own] : [])].slice(-cursorMax)
    this.#ofDevice.set(device, entries)
    return entries.map(cursorOf)
  }

  #repeatOf(like: string | null, stamp: number | null, now: number): Entry | null {
    const known = like === null ? undefined : this.#entries.get(like)
    if (!known || now - known.at > known.forMs) return null
    if (stamp === known.stamp) return known
    if (stamp === null || known.stamp === null || known.forMs === unnumberedMs) return null
    return Math.abs(stamp - known.stamp) <= restampMs ? known : null
  }

  #remember(entry: Entry): void {
    for (const like of [entry.like, entry.cipher]) {
      if (like === null) continue
      this.#entries.delete(like)
      this.#entries.set(like, entry)
    }
    for (const [oldest, { at, forMs }] of this.#entries) {
      if (this.#entries.size <= rememberedMax && entry.at - at <= forMs) break
      this.#entries.delete(oldest)
    }
  }
}

const digestOf = (text: string): string => hash('sha256', text, 'hex').slice(0, 32)

/** The panel's time, where it tells one message from another. */
const stampOf = ({ timestamp }: Sent, now: number): number | null => {
  const stamp = timestamp === null ? null : timeOf(timestamp)
  return stamp !== null && Math.abs(stamp - now) <= saneClockMs ? stamp : null
}

/**
 * A key that comes out the same after a restart. Without a time of the panel it has ours, so coarse that a repeat mostly
 * falls into the same stretch, and never longer than what counts as a repeat: a new press gets a new key.
 */
const newEntry = (like: string, cipher: string | null, stamp: number | null, now: number): Entry => {
  const forMs = forMsOf(like)
  return { like, cipher, stamp, key: `${like} ${stamp ?? `~${Math.floor(now / forMs)}`}`, forMs, at: now }
}

const forMsOf = (like: string): number => (like.split(' ')[1] === '0000' ? unnumberedMs : repeatMs)

const cursorOf = ({ like, cipher, stamp, key, at }: Entry): Json => ({ like, cipher, stamp, key, at })

const entryOf = (value: Json | undefined): Entry | null => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null
  const { like, cipher, stamp, key, at } = value as { readonly [name: string]: Json | undefined }
  if (typeof like !== 'string' || typeof key !== 'string' || typeof at !== 'number') return null
  return {
    like,
    cipher: typeof cipher === 'string' ? cipher : null,
    stamp: typeof stamp === 'number' ? stamp : null,
    key,
    forMs: forMsOf(like),
    at,
  }
}
