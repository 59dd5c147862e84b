import { readFileSync } from 'node:fs'
import { loadText } from '../../config/load.ts'
import consoleConnector from '../../connectors/console/index.ts'
import { SimulatedClock } from '../../core/clock.ts'
import type { Connector, Recorded } from '../../core/connector.ts'
import type { Kind, Level, Press } from '../../core/fact.ts'
import type { Change } from '../../core/incident/apply.ts'
import type { Incident, Resolution } from '../../core/incident/incident.ts'
import { Machine } from '../../core/machine.ts'
import { compileSite } from '../../core/site/compile.ts'
import type { SiteConfig } from '../../core/site/config.ts'
import type { Site } from '../../core/site/site.ts'
import { inlineStore } from '../../core/store/inline.ts'
import { toldOf } from '../../core/trail/entries.ts'
import type { Told } from '../../core/trail/entry.ts'
import { Fleet } from './fleet.ts'
import { type Acted, scripted, World } from './scripted.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }

/** The site of the scenarios; every scenario may bring its own. */
export const mercy = readFileSync(new URL('./mercy.yaml', import.meta.url), 'utf8')

/** Configs that have been read and checked, by their text: hundreds of hospitals have the same. */
const sources = new Map<string, SiteConfig>()

const sourceOf = (yaml: string, catalogue: ReadonlyMap<string, Connector>): SiteConfig => {
  const known = sources.get(yaml)
  if (known) return known
  const { site, findings } = loadText(yaml, catalogue, 'hospital.yaml')
  const fatal = findings.filter((finding) => finding.fatal)
  if (!site) throw new Error(fatal.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  sources.set(yaml, site.source)
  return site.source
}

/** A whole site on a simulated clock: real core, real store, scripted wire. */
export class Hospital {
  readonly clock: SimulatedClock
  readonly world: World
  readonly told: Told[] = []
  readonly site: Site
  /** Redis and the workers, where the site has some. */
  readonly fleet: Fleet | null
  machine!: Machine
  readonly #catalogue: ReadonlyMap<string, Connector>
  readonly #dir: string
  readonly #random: () => number
  #ids = 0
  #life = 0

  static async open(
    yaml = mercy,
    options: { dir?: string; random?: () => number; fire?: boolean; workers?: readonly string[] } = {},
  ): Promise<Hospital> {
    const { dir = ':memory:', random = () => 0.5, workers = [] } = options
    const hospital = new Hospital(yaml, dir, random, workers)
    await hospital.boot()
    if (options.fire !== false) hospital.noFire()
    await hospital.clock.settle()
    return hospital
  }

  private constructor(yaml: string, dir: string, random: () => number, workers: readonly string[]) {
    this.clock = new SimulatedClock()
    this.world = new World(this.clock)
    this.fleet = workers.length > 0 ? new Fleet(this.clock, this.world, workers, random) : null
    this.#dir = dir
    this.#random = random
    this.#catalogue = new Map<string, Connector>([
      ['scripted', this.fleet?.way.connector ?? scripted(this.world)],
      ['console', consoleConnector as unknown as Connector],
    ])
    this.site = compileSite(sourceOf(yaml, this.#catalogue), this.#catalogue)
  }

  /** Starts the program on the data that there is. */
  async boot(): Promise<void> {
    this.#life++
    this.machine = await Machine.open({
      site: this.site,
      clock: this.clock,
      log: quiet,
      openStore: (options) => inlineStore({ dir: this.#dir, clock: this.clock, ballastBytes: 0, ...options }),
      compile: (config) => compileSite(config as never, this.#catalogue),
      keep: async () => 'kept',
      secret: async () => 'secret',
      newId: () => `${this.#life}-${String(++this.#ids).padStart(6, '0')}`,
      random: this.#random,
      workers: this.fleet?.workers,
      meter: { toFirst() {}, toLast() {}, attempt() {} },
    })
    this.machine.listen((entries, at) => this.told.push(...toldOf(entries, at)))
    this.machine.start()
    await this.clock.settle()
  }

  /** Stops in the middle of everything and starts again on the same data. */
  async restart(): Promise<void> {
    const stopping = this.machine.stop()
    await this.settled(stopping)
    await this.boot()
    if (this.#fireState) this.fire(this.#fireState)
    await this.clock.settle()
  }

  async close(): Promise<void> {
    await Promise.all([this.machine.stop(), this.clock.advance(2_000)])
  }

  /** Lets everything run that needs no more time: a long queue takes many turns of the event loop. */
  async drain(): Promise<void> {
    for (let size = -1; size !== this.machine.dispatch.size; ) {
      size = this.machine.dispatch.size
      for (let turn = 0; turn < 20; turn++) await this.clock.settle()
    }
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms)
  }

  press(device: string | null, more: Partial<Press> & { from?: string } = {}): Promise<Recorded> {
    return this.settled(
      this.world.context.record({
        is: 'press',
        phase: 'active',
        device,
        from: more.from ?? device ?? 'something unknown',
        key: this.world.nextKey(),
        raw: null,
        ...more,
      }),
    )
  }

  /** A badge pressed where it was seen. */
  badge(device: string, place: string, precision: Level = 'room', ageMs = 0, kind?: Kind): Promise<Recorded> {
    const sighting = { place, precision, from: 'badge' as const, at: this.clock.now() - ageMs }
    return this.press(device, kind === undefined ? { sighting } : { sighting, kind })
  }

  async seen(device: string, place: string, precision: Level = 'room'): Promise<void> {
    this.world.context.note(device, { sighting: { place, precision, from: 'badge', at: this.clock.now() } })
    await this.clock.settle()
  }

  async does(
    incident: string,
    is: 'acknowledged' | 'on-the-way' | 'on-scene' | 'declined' | 'released',
    by = 'R. Officer',
  ) {
    return this.settled(this.machine.bridge.change(incident, { is, at: this.clock.now(), by }))
  }

  async resolve(incident: string, as: Resolution = 'real') {
    const change: Change = { is: 'resolved', at: this.clock.now(), by: 'R. Officer', as, note: '' }
    return this.settled(this.machine.bridge.change(incident, change))
  }

  /** The fire input is read, and there is no fire; from then on it is read every two seconds. */
  noFire(): void {
    this.fire({ active: false, quality: 'good' })
  }

  fire(state: { active?: boolean; quality: 'good' | 'unknown' } | null): void {
    this.#fireState = state
    if (state) this.world.context.note('fire-panel', state)
    if (!this.#polls) this.#poll()
  }

  #fireState: { active?: boolean; quality: 'good' | 'unknown' } | null = null
  #polls = false

  #poll(): void {
    this.#polls = true
    this.clock.after(2_000, () => {
      if (this.#fireState) this.world.context.note('fire-panel', this.#fireState)
      this.#poll()
    })
  }

  incident(id: string | null): Incident {
    const page = this.machine.book.page(id ?? '')
    if (!page) throw new Error(`no open incident ${id}`)
    return page.incident
  }

  /** What reached a target by one capability, oldest first. */
  acts(capability: string, target?: string): Acted[] {
    return this.world.acts.filter(
      (act) => act.capability === capability && (!target || act.target === target),
    )
  }

  pages(target?: string): Acted[] {
    return this.acts('page.send', target)
  }

  receipts(): Extract<Told, { what: 'receipt' }>[] {
    return this.told.filter((entry) => entry.what === 'receipt')
  }

  receipt(capability: string, target: string) {
    return this.receipts().findLast((entry) => entry.capability === capability && entry.target === target)
  }

  /** Lets a promise of the machine come about in simulated time. */
  async settled<T>(promise: Promise<T>): Promise<T> {
    let over = false
    const ended = promise.finally(() => {
      over = true
    })
    ended.catch(() => {})
    for (let turn = 0; turn < 50 && !over; turn++) await this.clock.settle()
    return ended
  }
}
