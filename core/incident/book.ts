import type { Command, Receipt } from '../command.ts'
import type { Event } from '../intake/event.ts'
import type { Incident } from './incident.ts'
import { isExact, join } from './join.ts'

/** An open incident and the commands that it has had. */
export interface Page {
  incident: Incident
  /** Ids of all commands ever made for it; a derived id is made once. */
  readonly commands: Set<string>
  /** When it is to be planned again, ms since the epoch. */
  lookAt: number | null
  /** Whether anything has been sent for it yet. */
  told: boolean
  /** How many of the commands made at the opening have no receipt yet. */
  first: number
  /** How the others of them ended. */
  readonly ended: { readonly command: Command; readonly receipt: Receipt }[]
  /** The press that opened it; null after a restart. */
  openedBy: Event | null
}

/** The incidents that are open, in memory; the store has them all. */
export class Book {
  /** Ids of commands whose bodies wait in the store, since memory was full. */
  readonly spilled = new Set<string>()
  readonly #pages = new Map<string, Page>()
  /** Pages by what a press may join them by: device, person, source in words, place. Never more than one look-up a press. */
  readonly #by = new Map<string, Set<Page>>()
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

  get size(): number {
    return this.#pages.size
  }

  open(incident: Incident, commands: Iterable<string> = []): Page {
    const page: Page = {
      incident,
      commands: new Set(commands),
      lookAt: null,
      told: false,
      first: 0,
      ended: [],
      openedBy: null,
    }
    this.#pages.set(incident.id, page)
    this.#index(page)
    return page
  }

  /** The incident of a page after a change. */
  turn(page: Page, incident: Incident): void {
    if (page.incident === incident) return
    if (page.incident.location.place !== incident.location.place) this.#remove(page)
    page.incident = incident
    this.#index(page)
  }

  close(id: string): void {
    const page = this.#pages.get(id)
    this.#pages.delete(id)
    if (page) this.#remove(page)
  }

  /** The open incident that a press belongs to. */
  joined(event: Event, windowMs: number): Incident | null {
    const { device, words } = event.source
    const keys = [
      device === null ? `words ${words}` : `device ${device}`,
      ...(event.person === null ? [] : [`person ${event.person}`]),
      ...(isExact(event.location) ? [`place ${event.location.place}`] : []),
    ]
    const sharing = keys.flatMap((key) => [...(this.#by.get(key) ?? [])])
    return sharing.length === 0
      ? null
      : join(
          sharing.map(({ incident }) => incident),
          event,
          windowMs,
        )
  }

  /** The open incidents that a device has pressed for. */
  withDevice(device: string): Page | undefined {
    for (const page of this.#by.get(`device ${device}`) ?? []) if (!page.incident.resolved) return page
    return undefined
  }

  /** The open incidents that move with a device. */
  following(device: string): Page[] {
    const pages = this.#by.get(`device ${device}`) ?? []
    return [...pages].filter(({ incident }) => !incident.resolved && incident.follows === device)
  }

  /** The open silent incidents but this one. */
  silent(but: Incident | undefined): Incident[] {
    const incidents = [...this.#pages.values()].map(({ incident }) => incident)
    return incidents.filter((one) => one.silent && !one.resolved && one.id !== but?.id)
  }

  #remove(page: Page): void {
    for (const key of keysOf(page.incident)) {
      const sharing = this.#by.get(key)
      sharing?.delete(page)
      if (sharing?.size === 0) this.#by.delete(key)
    }
  }

  #index(page: Page): void {
    for (const key of keysOf(page.incident)) {
      const sharing = this.#by.get(key)
      if (sharing) sharing.add(page)
      else this.#by.set(key, new Set([page]))
    }
  }
}

const keysOf = ({ devices, persons, unknown, location }: Incident): string[] => [
  ...devices.map((device) => `device ${device}`),
  ...persons.map((person) => `person ${person}`),
  ...unknown.map((words) => `words ${words}`),
  ...(isExact(location) ? [`place ${location.place}`] : []),
]
