import type { Clock } from '../clock.ts'
import type { Recorded } from '../connector.ts'
import type { Press, Sighting } from '../fact.ts'
import { apply } from '../incident/apply.ts'
import type { Book } from '../incident/book.ts'
import type { Event, Location } from '../intake/event.ts'
import type { Memory } from '../intake/memory.ts'
import type { Response } from '../response.ts'
import type { Device, Site } from '../site/site.ts'
import { changeEntry } from '../trail/entries.ts'
import { Fixes } from './fix.ts'
import { locate, staleLocationMs } from './locate.ts'
import { Moves } from './moves.ts'
import type { Stay } from './track.ts'

/** What whereabouts need from the bridge. */
interface Parts {
  readonly site: Site
  readonly clock: Clock
  readonly memory: Memory
  readonly book: Book
  readonly response: Response
  /** Counts where devices are seen; names nobody. */
  sighted(device: string, sighting: Sighting): void
}

/** Where people who press are, as it becomes known: before the press goes on its way, and while its incident is open. */
export class Whereabouts {
  readonly #p: Parts
  readonly #fixes: Fixes
  readonly #moves: Moves
  /** Presses that wait for their badge to be seen, by key: a repeat waits along. */
  readonly #waiting = new Map<string, Promise<Recorded>>()

  constructor(parts: Parts) {
    this.#p = parts
    this.#fixes = new Fixes(parts.clock)
    this.#moves = new Moves(parts.clock, (id, location) => this.#move(id, location))
  }

  /** Lets the press go on: at once, or when its badge has been seen, or after half a second. */
  known(connector: string, press: Press, go: () => Promise<Recorded>): Promise<Recorded> {
    const key = `${connector}/${press.key}`
    const before = this.#waiting.size > 0 ? this.#waiting.get(key) : undefined
    if (before) return before.then((recorded) => ({ ...recorded, duplicate: true }))
    if (!this.#needsFix(press)) return go()
    const recorded = this.#fixes
      .wait(press.device as string)
      .then(go)
      .finally(() => this.#waiting.delete(key))
    this.#waiting.set(key, recorded)
    return recorded
  }

  /** A device says where it is: presses that wait for that go on, and its incidents move. */
  seen(device: Device): void {
    const { book, clock, memory, site, sighted } = this.#p
    this.#fixes.arrived(device.name)
    const state = memory.state(device.name)
    const before = memory.tracks.before(device.name, state?.sighting?.place)
    if (state?.sighting) sighted(device.name, state.sighting)
    for (const page of book.following(device.name)) {
      const location = locate(site, device, { ...state, before }, clock.now())
      if (location.place === page.incident.location.place)
        book.turn(page, apply(page.incident, { is: 'moved', at: clock.now(), location }))
      if (location.place !== null) this.#moves.seen(page.incident, location, before)
    }
  }

  /** Where the worn device was in the minute before: stored with its press, and only then (safety.md, "Location"). */
  trace({ source, receivedAt }: Event): Stay[] {
    return source.device === null ? [] : this.#p.memory.tracks.trace(source.device, receivedAt)
  }

  /** Nothing that waits goes out any more. */
  stop(): void {
    this.#moves.stop()
  }

  /** What is worn and was not seen lately may be seen any moment: the press waits for that, if only for half a second. */
  #needsFix({ device: name, phase, sighting, position, address, simulated }: Press): boolean {
    const { site, memory, clock } = this.#p
    const device = site.devices.get(name ?? '')
    if (!device || device.place || device.means !== 'press' || phase !== 'active' || simulated) return false
    if (sighting || position || address !== undefined) return false
    const state = memory.state(device.name)
    const seenAt = Math.max(state?.sighting?.at ?? 0, state?.position?.at ?? 0)
    const isLocated = seenAt > 0 || site.locating.has(device.connector)
    return isLocated && clock.now() - seenAt > staleLocationMs
  }

  #move(id: string, location: Location): void {
    const { book, clock, response } = this.#p
    const page = book.page(id)
    if (!page || page.incident.resolved) return
    const change = { is: 'moved', at: clock.now(), location } as const
    void response.advance(page, apply(page.incident, change), { entries: [changeEntry(id, change)] })
  }
}
