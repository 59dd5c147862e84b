import { BoundedMap } from '../bounded.ts'
import { encodeKey, type Value } from './encode.ts'
import { keysInMemory } from './load.ts'
import type { Answered, AnsweredKey, FactRow } from './port.ts'

/** A press key and what was answered to it. */
export interface KnownKey extends AnsweredKey {
  onDisk: boolean
  /** In the store's file, and not only in the journal. */
  isFiled: boolean
}

const perChunk = 2_000
const nameOf = (source: string, key: string): string => `${source}\n${key}`

/** The press keys of the last day: a repeat is known without asking the disk, and also when there is none. */
export class Keys {
  readonly #known = new BoundedMap<string, KnownKey>(keysInMemory)

  load(keys: readonly AnsweredKey[]): void {
    for (const key of keys)
      this.#known.set(nameOf(key.source, key.key), { ...key, onDisk: true, isFiled: true })
  }

  find(source: string, key: string): KnownKey | undefined {
    return this.#known.get(nameOf(source, key))
  }

  add({ source, key, id, incident, answer }: FactRow, at: number): KnownKey {
    const known = { source, key, id, incident, answer, at, onDisk: false, isFiled: false }
    this.#known.set(nameOf(source, key), known)
    return known
  }

  remove({ source, key }: KnownKey): void {
    this.#known.delete(nameOf(source, key))
  }

  /** Those that no file has. */
  unfiled(): readonly KnownKey[] {
    return [...this.#known.values()].filter(({ isFiled }) => !isFiled)
  }

  /** The keys that the file before has, as rows for a fresh one, in parts that don't hold up the event loop. */
  *chunks(): Generator<Value[]> {
    const filed = [...this.#known.values()].filter(({ isFiled }) => isFiled)
    for (let from = 0; from < filed.length; from += perChunk) yield rowsOf(filed.slice(from, from + perChunk))
  }
}

export const rowsOf = (keys: readonly AnsweredKey[]): Value[] => {
  const flat: Value[] = []
  for (const key of keys) encodeKey(key, flat)
  return flat
}

export const answeredOf = ({ id, incident, answer }: Answered): Answered => ({ id, incident, answer })
