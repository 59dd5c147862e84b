import type { Clock } from '../clock.ts'
import type { Command } from '../command.ts'
import type { Json } from '../fact.ts'
import type { Change } from '../incident/apply.ts'
import type { Book, Page } from '../incident/book.ts'
import type { Memory } from '../intake/memory.ts'
import type { Register } from '../register.ts'
import type { LinkHealth } from '../runner/inline.ts'
import type { Device, Site } from '../site/site.ts'
import type { Committed, FaultRow, RegisterRow } from '../store/port.ts'
import type { Entry } from '../trail/entry.ts'
import type { Faults } from './faults.ts'
import { subjectOf } from './kinds.ts'
import { Modes } from './modes.ts'
import { Notices } from './notices.ts'
import { Proofs } from './proofs.ts'
import type { Inspection, Seen } from './records.ts'
import { type Known, type Standing, silence, standing, testEvery } from './standing.ts'

/** Tests and worn devices are a matter of days: each is looked at once in so many looks, so that no look takes long. */
const slowSlices = 60
/** The same for silence, which is a matter of seconds: known 4 s later at most. */
const fastSlices = 4
/** When a worn device was last heard is written down at most so often, ms. */
const seenEveryMs = 3_600_000
/** What a walk test's press sends at once must have ended within this, ms. */
const walkTestWaitMs = 20_000

/** What supervision needs from the bridge. */
export interface Ports {
  readonly site: Site
  readonly clock: Clock
  readonly memory: Memory
  readonly register: Register
  readonly faults: Faults
  readonly book: Book
  /** Since when somebody carries the device, ms since the epoch; null: nobody does. */
  carriedSince(device: Device, now: number): number | null
  links(): readonly LinkHealth[]
  change(incident: string, change: Change): Promise<unknown>
  send(
    commands: readonly Command[],
    rows: { faults?: readonly FaultRow[]; register?: readonly RegisterRow[] },
  ): Promise<Committed>
  newId(): string
}

/** Whether devices live and are proven, and who is told when not. */
export class Supervision {
  readonly modes: Modes
  readonly proofs: Proofs
  readonly #p: Ports
  readonly #notices: Notices
  /** When each device last pressed, ms since the epoch: that it lives, its press says as well. */
  readonly #pressedAt = new Map<string, number>()
  /** Open incidents of walk tests. */
  readonly #walking = new Set<string>()
  readonly #slow: Slices
  readonly #fast: Slices

  constructor(ports: Ports) {
    this.#p = ports
    const { site } = ports
    this.modes = new Modes(ports)
    this.proofs = new Proofs(ports)
    this.#notices = new Notices({ ...ports, modes: this.modes })
    const devices = [...site.devices.values()]
    const silent = devices.filter(
      ({ worn, silentAfterMs, input }) => !worn && silentAfterMs !== null && input !== null,
    )
    this.#slow = new Slices(devices, slowSlices)
    this.#fast = new Slices(silent, fastSlices)
  }

  /** After a restart: walk tests that were under way prove nothing, and faults of what is gone from the config are over. */
  start(): void {
    const { book, faults, site } = this.#p
    for (const { incident } of book.pages())
      if (incident.mode === 'walk-test' && !incident.resolved) this.#walking.add(incident.id)
    for (const { id } of faults.open())
      if (ofConfigured.has(id.slice(0, id.indexOf(':'))) && !site.devices.has(subjectOf(id)))
        faults.set(id, null)
  }

  /**
   * A device has pressed: it lives. Returns what it is in; two look-ups, since every press passes here. A press in its name
   * that came another way, such as a missed check-in, says nothing of the device and is never a test.
   */
  pressed({ name, connector }: Device, by: string, now: number): 'walk-test' | 'service' | undefined {
    if (by !== connector) return undefined
    this.#pressedAt.set(name, now)
    return this.modes.of(name, now)
  }

  /** A press has opened an incident. */
  opened(page: Page): void {
    if (page.incident.mode === 'walk-test') this.#walking.add(page.incident.id)
  }

  /** All that an incident's press was to cause at once has ended. */
  ended(page: Page): void {
    if (page.incident.mode === 'walk-test') {
      this.#finish(page)
      return
    }
    // Without a name: the register is kept longer than incidents and their persons.
    this.proofs.ended(page, page.incident.drill ? 'a drill' : 'a press')
    // An incident may stay open for hours, and of these nobody asks again.
    page.ended.length = 0
    page.openedBy = null
  }

  /** Called every second. */
  look(): void {
    const { clock, faults } = this.#p
    const now = clock.now()
    this.modes.expire(now)
    for (const id of [...this.#walking]) this.#lookAtTest(id, now)
    this.#silences(this.#fast.next(), now)
    const slice = this.#slow.next()
    this.#seen(slice, now)
    this.#tests(slice, now)
    faults.review()
    this.#notices.look()
  }

  /** How a device stands. */
  standing(device: Device, now: number, links = this.#links()): Standing {
    return standing(device, this.#known(device, now, links.get(device.link)), now)
  }

  /** How all devices stand, the links looked at once. */
  standings(): Map<string, Standing> {
    const now = this.#p.clock.now()
    const links = this.#links()
    return new Map(
      [...this.#p.site.devices.values()].map((device) => [device.name, this.standing(device, now, links)]),
    )
  }

  inspection(device: string): Inspection | undefined {
    return this.#p.register.get<Inspection>('inspection', device)
  }

  /** Somebody has looked at a device. */
  inspected(device: string, inspection: Inspection): Promise<Committed> {
    const { at: _, ...rest } = inspection
    const entry: Entry = { what: 'inspection', incident: null, device, ...rest }
    const body = inspection as unknown as Json
    const written = this.#p.register.set([{ kind: 'inspection', name: device, body }], [entry])
    this.#damage(device)
    return written
  }

  #damage(device: string): void {
    const known = this.inspection(device)
    const label = this.#p.site.devices.get(device)?.label ?? device
    this.#p.faults.set(`damaged:${device}`, known?.damaged ? `${label}: damaged: ${known.note}` : null)
  }

  #links(): Map<string, LinkHealth> {
    return new Map(this.#p.links().map((link) => [link.name, link]))
  }

  #known(device: Device, now: number, link: LinkHealth | undefined): Known {
    const { memory, register } = this.#p
    const { name } = device
    const seen = device.worn ? register.get<Seen>('seen', name) : undefined
    const carriedSince = device.worn ? this.#p.carriedSince(device, now) : null
    return {
      link: { good: this.#isGood(link), why: link?.why ?? `${device.link} has no new data` },
      quality: memory.state(name)?.quality ?? null,
      heardAt: newest(memory.heardAt(name), this.#pressedAt.get(name) ?? null, seen?.at ?? null),
      since: device.worn ? (seen?.since ?? now) : (link?.since ?? now),
      assigned: carriedSince !== null,
      tested: this.proofs.of(name),
      service: this.modes.serviced(name, now),
      inspection: this.inspection(name),
    }
  }

  #isGood(link: LinkHealth | undefined): boolean {
    return link?.up === true && !this.#p.faults.has(`stale:${link.name}`)
  }

  /** Fixed devices that say nothing any more; while their link is down, that is the one fault. */
  #silences(slice: readonly Device[], now: number): void {
    if (slice.length === 0) return
    const { faults, memory } = this.#p
    const links = this.#links()
    for (const device of slice) {
      const link = links.get(device.link)
      const heardAt = newest(memory.heardAt(device.name), this.#pressedAt.get(device.name) ?? null)
      const why = link?.up ? silence(device, { heardAt, since: link.since }, now) : null
      if (link?.up) faults.set(`lost:${device.name}`, why === null ? null : `${device.label}: ${why}`)
    }
  }

  /** Worn devices: when they were last heard, and whether that is too long ago. */
  #seen(slice: readonly Device[], now: number): void {
    const { memory, register, faults } = this.#p
    const rows: RegisterRow[] = []
    for (const device of slice) {
      if (!device.worn) continue
      const { name } = device
      const known = register.get<Seen>('seen', name)
      const carriedSince = this.#p.carriedSince(device, now)
      if (carriedSince === null) {
        if (known) rows.push({ kind: 'seen', name, body: null })
        faults.set(`missing:${name}`, null)
        continue
      }
      const at = newest(memory.heardAt(name), this.#pressedAt.get(name) ?? null, known?.at ?? null)
      if (!known || (at !== null && at - (known.at ?? Number.NEGATIVE_INFINITY) >= seenEveryMs))
        rows.push({ kind: 'seen', name, body: { at, since: known?.since ?? now } })
    }
    if (rows.length > 0) void register.set(rows, [], { waits: false })
  }

  /** Tests, damage and missing ones: faults that nobody is paged for. */
  #tests(slice: readonly Device[], now: number): void {
    if (slice.length === 0) return
    const { faults } = this.#p
    const links = this.#links()
    for (const device of slice) {
      const { name, label } = device
      const { is, why } = this.standing(device, now, links)
      if (device.worn) faults.set(`missing:${name}`, is === 'missing' ? `${label}: ${why}` : null)
      // What is lost or in service is not asked for its test as well.
      if (is === 'service' || is === 'lost' || is === 'damaged') continue
      const demands = testEvery(device) !== null
      faults.set(`test-overdue:${name}`, demands && is === 'late' ? `${label}: ${why}` : null)
      const isNever = is === 'never-tested' && !device.worn
      faults.set(`never-tested:${name}`, isNever ? `${label}: ${why}` : null)
    }
  }

  #lookAtTest(id: string, now: number): void {
    const page = this.#p.book.page(id)
    if (!page || page.incident.resolved) this.#walking.delete(id)
    else if (now - page.incident.openedAt >= walkTestWaitMs) this.#finish(page)
  }

  /** Proven or not, the incident of a walk test resolves itself. */
  #finish(page: Page): void {
    const { id, devices } = page.incident
    if (!this.#walking.delete(id)) return
    const now = this.#p.clock.now()
    const by = this.modes.walkTestOf(devices[0] ?? '', page.incident.openedAt)?.by ?? 'walk test'
    const why = this.proofs.ended(page, by)
    const note = why === null ? 'proven' : `NOT proven: ${why}`
    // In a turn of its own: this is called from the receipt of the incident's last command.
    this.#p.clock.after(0, () => {
      this.#p.change(id, { is: 'resolved', at: now, by, as: 'test', note }).catch(() => {})
    })
  }
}

/** Faults that are about a configured device: when that is gone, so are they. */
const ofConfigured = new Set([
  'lost',
  'missing',
  'test-overdue',
  'never-tested',
  'damaged',
  'low-battery',
  'unknown',
])

/** A list in so many parts, one after the other, for ever. */
class Slices {
  readonly #all: readonly Device[]
  readonly #parts: number
  #part = 0

  constructor(all: readonly Device[], parts: number) {
    this.#all = all
    this.#parts = parts
  }

  next(): readonly Device[] {
    const part = this.#part
    this.#part = (part + 1) % this.#parts
    const from = (of: number) => Math.floor((of * this.#all.length) / this.#parts)
    return this.#all.slice(from(part), from(part + 1))
  }
}

const newest = (...times: readonly (number | null)[]): number | null => {
  const known = times.filter((at) => at !== null)
  return known.length === 0 ? null : Math.max(...known)
}
