import type { Clock } from '../clock.ts'
import { BridgeError } from '../error.ts'
import type { Json } from '../fact.ts'
import type { Register } from '../register.ts'
import { within } from '../site/places.ts'
import type { Device, Site } from '../site/site.ts'
import type { Committed } from '../store/port.ts'
import type { Entry } from '../trail/entry.ts'
import type { Serviced, WalkTest } from './records.ts'

/** Nobody may forget a device in service mode for longer, ms (what users ask for, row 36). */
export const servicedMaxMs = 8 * 3_600_000
/** How long a walk test lasts where nobody says otherwise, and at most, ms. */
export const walkTestMs = 2 * 3_600_000
export const walkTestMaxMs = 8 * 3_600_000
/** How long presses of a worn device are tests after who wears it has said so, ms (safety.md, "Silence of devices"). */
export const selfTestMs = 60_000
/** Devices of one walk test, and walk tests at a time. */
const devicesMax = 2_000
const walkTestsMax = 100

type Mode = 'walk-test' | 'service'

/** Service mode and walk tests: both end by themselves, restarts included. */
export class Modes {
  readonly #site: Site
  readonly #clock: Clock
  readonly #register: Register
  readonly #newId: () => string
  /** The walk test of each device, for one look-up a press. */
  readonly #testing = new Map<string, WalkTest>()

  constructor(parts: { site: Site; clock: Clock; register: Register; newId: () => string }) {
    this.#site = parts.site
    this.#clock = parts.clock
    this.#register = parts.register
    this.#newId = parts.newId
    this.#index()
  }

  /** What the device is in; its walk test goes first, since after a repair it is tested. */
  of(device: string, now: number): Mode | undefined {
    if (this.walkTestOf(device, now)) return 'walk-test'
    return this.serviced(device, now) ? 'service' : undefined
  }

  walkTestOf(device: string, now: number): WalkTest | undefined {
    const test = this.#testing.get(device)
    return test && now < test.until ? test : undefined
  }

  serviced(device: string, now: number): Serviced | undefined {
    const known = this.#register.get<Serviced>('service', device)
    return known && now < known.until ? known : undefined
  }

  walkTests(): WalkTest[] {
    const now = this.#clock.now()
    return [...this.#register.all<WalkTest>('walk-test').values()].filter(({ until }) => now < until)
  }

  /** Takes a device into service mode. */
  startService(device: string, { forMs, by, why }: { forMs: number; by: string; why: string }) {
    const since = this.#clock.now()
    const body: Serviced = { since, until: since + Math.min(forMs, servicedMaxMs), by, why }
    const words = `service mode: ${why}`
    const entry = { what: 'service', incident: null, device, until: body.until, by, words } as const
    return this.#set('service', device, body as unknown as Json, entry)
  }

  /** Its faults page again from now on. False: it was not in service mode. */
  async endService(device: string, by: string): Promise<Committed | null> {
    if (!this.#register.get('service', device)) return null
    const entry = { what: 'service', incident: null, device, until: null, by, words: 'service mode ended' }
    return this.#set('service', device, null, entry as Entry)
  }

  /** Presses of these devices are tests from now on. Throws CONFLICT, INVALID_ARGS or UNKNOWN_DEVICE. */
  async startWalkTest(about: {
    devices?: readonly string[]
    place?: string
    forMs?: number
    by: string
    self?: boolean
  }): Promise<{ test: WalkTest; committed: Committed }> {
    const { place = null, forMs = walkTestMs, by, self = false } = about
    const devices = place === null ? this.#named(about.devices ?? []) : this.#at(place)
    if (this.walkTests().length >= walkTestsMax)
      throw new BridgeError('CONFLICT', `there are ${walkTestsMax} walk tests already: stop one first`)
    const since = this.#clock.now()
    const until = since + Math.min(forMs, walkTestMaxMs)
    const test: WalkTest = { id: this.#newId(), devices, place, since, until, by, self }
    const entry = { what: 'walk-test', incident: null, test: test.id, devices, until, by } as const
    const committed = await this.#set('walk-test', test.id, test as unknown as Json, entry)
    return { test, committed }
  }

  async stopWalkTest(id: string, by: string): Promise<Committed | null> {
    const test = this.#register.get<WalkTest>('walk-test', id)
    if (!test) return null
    const { devices } = test
    const entry = { what: 'walk-test', incident: null, test: id, devices, until: null, by } as const
    return this.#set('walk-test', id, null, entry)
  }

  /** Ends what has run out. Called every second; a press asks the clock itself. */
  expire(now: number): void {
    const by = 'its end'
    for (const [device, { until }] of this.#register.all<Serviced>('service'))
      if (now >= until) void this.endService(device, by)
    for (const [id, { until }] of this.#register.all<WalkTest>('walk-test'))
      if (now >= until) void this.stopWalkTest(id, by)
  }

  #named(names: readonly string[]): string[] {
    if (names.length === 0) throw new BridgeError('INVALID_ARGS', 'name at least one device, or a place')
    if (names.length > devicesMax)
      throw new BridgeError('INVALID_ARGS', `at most ${devicesMax} devices in one walk test`)
    for (const name of names) {
      const device = this.#site.devices.get(name)
      if (!device) throw new BridgeError('UNKNOWN_DEVICE', `there is no device ${name.slice(0, 100)}`)
      if (!isPressed(device)) throw new BridgeError('INVALID_ARGS', `${name} is nothing that is pressed`)
    }
    return [...new Set(names)]
  }

  #at(path: string): string[] {
    const place = this.#site.places.get(path)
    if (!place) throw new BridgeError('INVALID_ARGS', `there is no place ${path.slice(0, 300)}`)
    const fixed = [...this.#site.devices.values()].filter(
      (device) => isPressed(device) && !device.worn && device.place && within(device.place, place),
    )
    if (fixed.length === 0) throw new BridgeError('INVALID_ARGS', `nothing at ${path} is there to be pressed`)
    return fixed.slice(0, devicesMax).map(({ name }) => name)
  }

  #set(kind: string, name: string, body: Json, entry: Entry): Promise<Committed> {
    const committed = this.#register.set([{ kind, name, body }], [entry])
    if (kind === 'walk-test') this.#index()
    return committed
  }

  #index(): void {
    this.#testing.clear()
    for (const test of this.#register.all<WalkTest>('walk-test').values())
      for (const device of test.devices) {
        const other = this.#testing.get(device)
        if (!other || other.until < test.until) this.#testing.set(device, test)
      }
  }
}

const isPressed = ({ means, input }: Device): boolean => means === 'press' && input !== null
