import type { Event } from '../intake/event.ts'
import type { Incident } from './incident.ts'
import { join } from './join.ts'

/** An open incident and the commands that it has had. */
export interface Page {
  incident: Incident
  /** Ids of all commands ever made for it; a derived id is made once. */
  readonly commands: Set<string>
  /** When it is to be planned again, ms since the epoch. */
  lookAt: number | null
  /** Whether anything has been sent for it yet. */
  told: boolean
  /** Those of the commands made at the opening that have no receipt yet. */
  readonly first: Set<string>
}

/** The incidents that are open, in memory; the store has them all. */
export class Book {
  /** Ids of commands whose bodies wait in the store, since memory was full. */
  readonly spilled = new Set<string>()
  readonly #pages = new Map<string, Page>()
  #nextNumber: number

  constructor(nextNumber: number) {
    this.#nextNumber = nextNumber
  }

  takeNumber(): number {
    return this.#nextNumber++
  }

  page(id: string): Page | undefined {
    return this.#pages.get(id)
  }

  pages(): Iterable<Page> {
    return this.#pages.values()
  }

  open(incident: Incident, commands: Iterable<string> = []): Page {
    const page = {
      incident,
      commands: new Set(commands),
      lookAt: null,
      told: false,
      first: new Set<string>(),
    }
    this.#pages.set(incident.id, page)
    return page
  }

  close(id: string): void {
    this.#pages.delete(id)
  }

  /** The open incident that a press belongs to. */
  joined(event: Event, windowMs: number): Incident | null {
    return join(this.#incidents(), event, windowMs)
  }

  *#incidents(): Iterable<Incident> {
    for (const { incident } of this.#pages.values()) yield incident
  }
}
