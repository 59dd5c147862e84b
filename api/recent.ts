import type { Machine } from '../core/machine.ts'
import type { Told } from '../core/trail/entry.ts'

/** Entries kept; they bridge the time until they are on disk, and stand in for the trail while there is none. */
const keptMax = 5_000

/** What happened last, also what could not be written down, and the doors that our screens highlight. */
export class Recent {
  readonly #machine: Machine
  readonly #stop: () => void
  #told: Told[] = []
  readonly #highlights = new Map<string, Set<string>>()

  constructor(machine: Machine) {
    this.#machine = machine
    this.#stop = machine.listen((told) => this.#hear(told))
    void this.#restore()
  }

  of(incident: string): Told[] {
    return this.#told.filter((entry) => entry.incident === incident)
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

  #hear(told: readonly Told[]): void {
    for (const entry of told) {
      this.#told.push(entry)
      if (entry.what === 'receipt' && entry.capability === 'door.highlight' && entry.end === 'done')
        this.#show(entry.target, entry.incident)
    }
    // In halves, so that a full list is not moved for every entry.
    if (this.#told.length > 2 * keptMax) this.#told = this.#told.slice(-keptMax)
  }

  #show(door: string, incident: string | null): void {
    if (incident === null) return
    const all = this.#highlights.get(door) ?? new Set()
    this.#highlights.set(door, all.add(incident))
  }

  /** Highlights of incidents that were open before this start; the newest hundred. */
  async #restore(): Promise<void> {
    const open = [...this.#machine.book.pages()].map(({ incident }) => incident.id).slice(-100)
    for (const id of open) {
      const record = await this.#machine.store.incident(id).catch(() => null)
      for (const { target, body, receipt } of record?.commands ?? [])
        if (
          (body as { capability?: string }).capability === 'door.highlight' &&
          (receipt as { end?: string } | null)?.end === 'done'
        )
          this.#show(target, id)
    }
  }

  #isOpen(incident: string): boolean {
    const page = this.#machine.book.page(incident)
    return page !== undefined && page.incident.resolved === null
  }
}
