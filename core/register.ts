import type { Json } from './fact.ts'
import type { Committed, RegisterRow, Store } from './store/port.ts'
import type { Entry } from './trail/entry.ts'

/** What is kept of devices, people and places beside incidents, by kind and name: in memory as a whole, and in the store. */
export class Register {
  readonly #store: Pick<Store, 'commit'>
  readonly #now: () => number
  readonly #tell: (entries: readonly Entry[], at: number) => void
  readonly #kinds = new Map<string, Map<string, Json>>()

  /** `tell`: hears the trail's entries. */
  constructor(
    store: Pick<Store, 'commit'>,
    now: () => number,
    rows: readonly RegisterRow[],
    tell: (entries: readonly Entry[], at: number) => void = () => {},
  ) {
    this.#store = store
    this.#now = now
    this.#tell = tell
    for (const row of rows) this.put(row)
  }

  get<Body>(kind: string, name: string): Body | undefined {
    return this.#kinds.get(kind)?.get(name) as Body | undefined
  }

  all<Body>(kind: string): ReadonlyMap<string, Body> {
    return (this.#kinds.get(kind) ?? new Map()) as ReadonlyMap<string, Body>
  }

  /**
   * In effect at once, together with the trail's entries of it; a body of null erases. Resolves when it is on disk, or when it
   * is known not to be. `waits` false: nobody waits for it.
   */
  set(
    rows: readonly RegisterRow[],
    entries: readonly Entry[],
    { waits = true, incident = null }: { waits?: boolean; incident?: string | null } = {},
  ): Promise<Committed> {
    for (const row of rows) this.put(row)
    const trail = { incident, entries: entries as unknown as readonly Json[] }
    const at = this.#now()
    this.#tell(entries, at)
    return this.#store.commit({ at, waits, register: rows, trail })
  }

  /** All of it, for a fresh file when the old one fails. */
  rows(): RegisterRow[] {
    return [...this.#kinds].flatMap(([kind, entries]) =>
      [...entries].map(([name, body]) => ({ kind, name, body })),
    )
  }

  /** In memory only: for whoever writes the row in a change set of their own. */
  put({ kind, name, body }: RegisterRow): void {
    const entries = this.#kinds.get(kind) ?? new Map<string, Json>()
    this.#kinds.set(kind, entries)
    if (body === null) entries.delete(name)
    else entries.set(name, body)
  }
}
