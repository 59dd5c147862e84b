import type { Clock } from '../clock.ts'
import type { Command } from '../command.ts'
import type { Json } from '../fact.ts'
import { composeFault } from '../message/compose.ts'
import type { Register } from '../register.ts'
import type { ContactPath, Device, Place, Site } from '../site/site.ts'
import { nextTimeOfDay } from '../site/zone.ts'
import type { Committed, FaultRow, RegisterRow } from '../store/port.ts'
import { digestsOf, keyOf, lineOf, linesMax, type Notice } from './digest.ts'
import type { Fault, Faults } from './faults.ts'
import { kindOf, subjectOf } from './kinds.ts'
import type { Modes } from './modes.ts'
import { commonPlace, routeOf } from './route.ts'

/** The same people are paged for faults at most so often; what comes in between goes together, ms. */
const pauseMs = 60_000
/** A page about a fault that could not be sent for so long is news no more, ms. */
const expiresMs = 3_600_000

/** What notices need from the bridge. */
export interface Ports {
  readonly site: Site
  readonly clock: Clock
  readonly faults: Faults
  readonly modes: Modes
  readonly register: Register
  newId(): string
  send(
    commands: readonly Command[],
    rows: { faults?: readonly FaultRow[]; register?: readonly RegisterRow[] },
  ): Promise<Committed>
}

/** Tells people of faults: a page for what takes protection away and lasts, a digest a day for the rest. */
export class Notices {
  readonly #p: Ports
  /** When each circle of people was last paged, by who they are. */
  readonly #pagedAt = new Map<string, number>()
  readonly #placeOfLink = new Map<string, Place | null>()
  #digestAt: number | null = null

  constructor(ports: Ports) {
    this.#p = ports
  }

  /** Called every second. */
  look(): void {
    this.#page()
    this.#digest()
  }

  #page(): void {
    const { site, clock, faults } = this.#p
    const now = clock.now()
    const due = faults.open().filter((fault) => this.#isDue(fault, now))
    const circles = Map.groupBy(due, (fault) => keyOf(routeOf(site, fault.class, this.#placeOf(fault))))
    for (const [key, together] of circles) {
      if (key === '' || now - (this.#pagedAt.get(key) ?? Number.NEGATIVE_INFINITY) < pauseMs) continue
      this.#pagedAt.set(key, now)
      const first = together[0] as Fault
      const lines = together.slice(0, linesMax).map((fault) => lineOf(fault, this.#placeOf(fault)))
      const notice: Notice = {
        to: routeOf(site, first.class, this.#placeOf(first)),
        // First how many: whatever is cut off then is known to be missing.
        lines: together.length === 1 ? lines : [`${together.length} faults`, ...lines],
        since: Math.min(...together.map(({ openedAt }) => openedAt)),
      }
      const rows = faults.paged(
        together.map(({ id }) => id),
        now,
      )
      void this.#p.send(this.#commands(`maintenance/${this.#p.newId()}`, notice, now), { faults: rows })
    }
  }

  /** It takes protection from a place, it lasts, and nobody has been told by this fault or another one. */
  #isDue({ id, openedAt, pagedAt }: Fault, now: number): boolean {
    const { site, modes } = this.#p
    if (pagedAt !== undefined || kindOf(id).telling !== 'page') return false
    if (now - openedAt < site.supervision.holdOffMs) return false
    const device = site.devices.get(subjectOf(id))
    if (!device) return true
    return !device.worn && !modes.serviced(device.name, now) && !this.#isCovered(device)
  }

  /** Its link is down: that is one fault, not one for each device on it. */
  #isCovered({ link }: Device): boolean {
    const { faults } = this.#p
    return faults.has(`link-down:${link}`) || faults.has(`stale:${link}`)
  }

  #placeOf({ id, class: of }: Fault): Place | null {
    const { site } = this.#p
    const subject = subjectOf(id)
    if (of !== 'link') return site.devices.get(subject)?.place ?? null
    const known = this.#placeOfLink.get(subject)
    if (known !== undefined) return known
    const on = [...site.devices.values()].filter(({ link }) => link === subject)
    const place = commonPlace(on.map((device) => device.place))
    this.#placeOfLink.set(subject, place)
    return place
  }

  /** Once a day; after a night without the bridge as soon as it is back. */
  #digest(): void {
    const { site, clock, faults, modes } = this.#p
    const now = clock.now()
    this.#digestAt ??= this.#firstDigest(now)
    if (now < this.#digestAt) return
    const id = `digest/${this.#digestAt}`
    const row = this.#nextDigest(now)
    const open = faults
      .open()
      .filter(({ id }) => kindOf(id).telling === 'digest' && !modes.serviced(subjectOf(id), now))
    const commands = digestsOf(site, open).flatMap((notice, n) => this.#commands(`${id}.${n}`, notice, now))
    void this.#p.send(commands, { register: [row] })
  }

  /** The one that is due, or a changed time of day before it; a new bridge begins with the next one to come. */
  #firstDigest(now: number): number {
    const { site, register } = this.#p
    const known = register.get<{ at: number }>('digest', 'next')
    if (known && known.at <= now) return known.at
    void register.set([this.#nextDigest(now)], [], { waits: false })
    return nextTimeOfDay(site.timezone, site.supervision.digest, now)
  }

  #nextDigest(now: number): RegisterRow {
    const { site, register } = this.#p
    this.#digestAt = nextTimeOfDay(site.timezone, site.supervision.digest, now)
    const row = { kind: 'digest', name: 'next', body: { at: this.#digestAt } }
    register.put(row)
    return row
  }

  #commands(id: string, { to, lines, since }: Notice, now: number): Command[] {
    const message = composeFault(this.#p.site, { id, lines, since }, now)
    return to.map((path: ContactPath) => ({
      id: `${id}/${path.name}`,
      incident: null,
      target: path.name,
      connector: path.connector,
      capability: 'page.send',
      address: path.address as Json,
      args: { message } as unknown as Json,
      dueAt: now,
      expiresAt: now + expiresMs,
      // After everything that a press wants of the same way out.
      priority: 'rest',
      unless: [],
    }))
  }
}
