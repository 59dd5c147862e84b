import type { Machine } from '../core/machine.ts'
import type { Site } from '../core/site/site.ts'
import { toldOf } from '../core/trail/entries.ts'
import type { Entry, Told } from '../core/trail/entry.ts'

/** Entries kept; they bridge the time until they are on disk, and stand in for the trail while there is none. */
const keptMax = 5_000

/** What happened last, also what could not be written down, and the doors that our screens highlight. */
export class Recent {
  readonly #machine: Machine
  readonly #stop: () => void
  #told: { readonly entries: readonly Entry[]; readonly at: number }[] = []
  #size = 0
  readonly #highlights = new Map<string, Set<string>>()

  constructor(machine: Machine) {
    this.#machine = machine
    this.#stop = machine.listen((entries, at) => this.#hear(entries, at))
    void this.#restore()
  }

  of(incident: string): Told[] {
    return this.#told.flatMap(({ entries, at }) =>
      toldOf(
        entries.filter((entry) => entry.incident === incident),
        at,
      ),
    )
  }

  /** The open incidents for which a door is shown. */
  highlights(door: string): string[] {
    const all = this.#highlights.get(door) ?? new Set()
    for (const id of all) if (!this.#isOpen(id)) all.delete(id)
    return [...all]
  }

  stop(): void {
    this.#stop()
  }

  #hear(entries: readonly Entry[], at: number): void {
    this.#told.push({ entries, at })
    this.#size += entries.length
    for (const entry of entries)
      if (entry.what === 'receipt' && entry.capability === 'door.highlight' && entry.end === 'done')
        this.#show(entry.target, entry.incident)
    if (this.#size > 2 * keptMax) this.#forget()
  }

  /** In halves, so that a full list is not moved for every entry. */
  #forget(): void {
    let first = 0
    while (this.#size > keptMax) this.#size -= this.#told[first++]!.entries.length
    this.#told = this.#told.slice(first)
  }

  #show(door: string, incident: string | null): void {
    if (incident === null) return
    const all = this.#highlights.get(door) ?? new Set()
    this.#highlights.set(door, all.add(incident))
  }

  /** Highlights of incidents that were open before this start; the newest hundred. */
  async #restore(): Promise<void> {
    // Where no plan shows doors, no commands are read for it right after a start, when there is enough to do.
    if (![...this.#machine.sites].some(showsDoors)) return
    const open = [...this.#machine.book.pages()].map(({ incident }) => incident.id).slice(-100)
    for (const id of open) {
      let after: number | null = null
      do after = await this.#restoreFrom(id, after)
      while (after !== null)
    }
  }

  /** One page of its commands; where the next one begins. */
  async #restoreFrom(id: string, after: number | null): Promise<number | null> {
    const page = await this.#machine.store.commandsOf(id, after).catch(() => null)
    for (const { target, body, receipt } of page?.rows ?? [])
      if (
        (body as { capability?: string }).capability === 'door.highlight' &&
        (receipt as { end?: string } | null)?.end === 'done'
      )
        this.#show(target, id)
    return page?.next ?? null
  }

  #isOpen(incident: string): boolean {
    const page = this.#machine.book.page(incident)
    return page !== undefined && page.incident.resolved === null
  }
}

const showsDoors = ({ plans }: Site): boolean =>
  plans.some(({ steps }) => steps.some((step) => step.do.some((act) => act.capability === 'door.highlight')))
