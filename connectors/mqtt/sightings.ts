import { type Level, levels, type Sighting } from '../../core/fact.ts'
import type { Near } from './heard.ts'
import type { Config } from './index.ts'
import { canonical, plain } from './names.ts'

/** Gateways are compared over this, ms: each hears a badge that advertises once a second a few times. */
const comparedMs = 5_000
/** Gateways compared for one badge. */
const gatewaysMax = 16
/** A time that is further off than this is not believed, ms. */
const believable = { past: 3_600_000, future: 60_000 }

type Area = Config['areas'][string]

interface Reception {
  readonly near: Near
  readonly area: Area | undefined
  readonly at: number
}

/** Where one badge is: the gateway that hears it best, or the zone that the vendor says. */
export class Whereabouts {
  #receptions: Reception[] = []
  #best: Reception | null = null
  #seenAt = 0

  /** In words: ", near gateway ED-4"; empty when nobody said. */
  get words(): string {
    const near = this.#best?.near
    return near ? `, ${near.is === 'gateway' ? 'near gateway' : 'in zone'} ${plain(near.name, 60)}` : ''
  }

  get sighting(): Sighting | undefined {
    const { area, near } = this.#best ?? {}
    return (
      area && {
        place: area.place,
        precision: area.precision,
        from: 'badge',
        at: this.#seenAt,
        ...(near?.confidence !== undefined && { confidence: near.confidence }),
      }
    )
  }

  /** Takes in who heard it; true when it is somewhere else than before. */
  see(heard: readonly Near[], areas: Areas, at: number | undefined, now: number): boolean {
    if (heard.length === 0) return false
    const before = this.#best
    const sane = at !== undefined && at >= now - believable.past && at <= now + believable.future
    this.#seenAt = sane ? Math.min(at, now) : now
    const received = heard.map((near) => ({ near, area: areas.of(near.name), at: now }))
    // Whoever names a place by himself has compared already.
    const chosen = received.some(({ near }) => near.rssi === undefined)
    this.#receptions = chosen ? [] : this.#merged(received, now)
    this.#best = chosen ? mostPrecise(received) : loudest(this.#receptions, before?.near.name)
    return this.#best?.area !== before?.area
  }

  #merged(received: readonly Reception[], now: number): Reception[] {
    const others = this.#receptions.filter(
      ({ at, near }) => now - at < comparedMs && !received.some((each) => each.near.name === near.name),
    )
    return [...others, ...received].slice(-gatewaysMax)
  }
}

const mostPrecise = (received: readonly Reception[]): Reception | null => {
  const fineness = ({ area }: Reception) => (area ? levels.indexOf(area.precision as Level) : -1)
  return received.reduce((best, each) => (fineness(each) > fineness(best) ? each : best))
}

/**
 * The loudest, known or not: where the badge is near a gateway that nobody mapped, nobody knows where it is. Of two that
 * hear it alike, the one that it was near before.
 */
const loudest = (received: readonly Reception[], before: string | undefined): Reception | null => {
  const loudness = ({ near }: Reception) => (near.rssi as number) + (near.name === before ? 0.5 : 0)
  return received.reduce<Reception | null>(
    (best, each) => (best && loudness(best) >= loudness(each) ? best : each),
    null,
  )
}

/** The configured areas, by any spelling of their names. */
export class Areas {
  readonly #areas: ReadonlyMap<string, Area>
  /** Spelling is not worked out for each of thousands of messages a second. */
  readonly #spelled = new Map<string, Area | undefined>()

  constructor(areas: Config['areas']) {
    this.#areas = new Map(Object.entries(areas).map(([name, area]) => [canonical(name), area]))
  }

  of(name: string): Area | undefined {
    if (this.#spelled.has(name)) return this.#spelled.get(name)
    const area = this.#areas.get(canonical(name))
    if (this.#spelled.size < 10_000) this.#spelled.set(name, area)
    return area
  }
}
