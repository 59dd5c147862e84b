import { fair, type SimulatedCarrier, type Weather } from './carrier.ts'
import type { Crew, Fleet } from './fleet.ts'
import { oneOf } from './random.ts'

/** How long one trouble lasts at most, ms; a program freezes up to four times as long. */
const lastsMaxMs = 4_000

/** Everything that can go wrong between a bridge, Redis and workers, drawn at random; each ends by itself. */
export class Troubles {
  /** Since when a worker can't use marks at all, true time. */
  readonly markless = new Map<string, number>()
  /** When Redis last lost all that it knew. */
  emptiedAt = 0
  /** When a machine last moved on that had stood still: for what it had before, its clock says little. */
  stoodAt = 0
  readonly #fleet: Fleet
  readonly #random: () => number

  constructor(fleet: Fleet, random: () => number) {
    this.#fleet = fleet
    this.#random = random
  }

  happen(): void {
    const random = this.#random
    const { clock, crews, way, redis } = this.#fleet
    const crew = oneOf(random, [...crews.values()])
    const lastsMs = 100 + random() * (lastsMaxMs - 100)
    const roll = random()
    if (roll < 0.55) this.#weather(random() < 0.5 ? null : crew, lastsMs)
    else if (roll < 0.68) this.#freeze(crew, lastsMs * oneOf(random, [0.1, 1, 4]))
    else if (roll < 0.8) {
      crew.kill()
      clock.after(lastsMs * oneOf(random, [0.01, 1]), () => {
        if (!crew.clock.isDead) return
        crew.start()
        this.markless.delete(crew.name)
      })
    } else if (roll < 0.95) {
      const wire = roll < 0.89 ? crew.way : way
      wire.cut()
      clock.after(lastsMs, () => wire.mend())
    } else {
      this.emptiedAt = clock.now()
      redis.empty()
    }
  }

  #freeze(crew: Crew, ms: number): void {
    const { clock } = this.#fleet
    const { clock: frozen } = crew
    const stands = this.#random() < 0.2
    frozen.freeze()
    clock.after(ms, () => {
      if (stands && frozen.isFrozen) this.stoodAt = clock.now()
      frozen.thaw(stands)
    })
  }

  #weather(crew: Crew | null, lastsMs: number): void {
    const { clock } = this.#fleet
    const carrier = crew?.carrier ?? this.#fleet.carrier
    this.#set(crew, carrier, { ...fair, ...oneOf(this.#random, weathers)(this.#random) })
    clock.after(lastsMs, () => this.#set(crew, carrier, { ...fair, deaf: carrier.weather.deaf }))
  }

  #set(crew: Crew | null, carrier: SimulatedCarrier, weather: Weather): void {
    const wasDown = carrier.weather.down
    carrier.weather = weather
    if (weather.down && !wasDown) carrier.cut()
    carrier.look()
    if (carrier !== crew?.carrier) return
    if (weather.marks === 'well') this.markless.delete(crew.name)
    else if (!this.markless.has(crew.name)) this.markless.set(crew.name, this.#fleet.clock.now())
  }
}

const weathers: readonly ((random: () => number) => Partial<Weather>)[] = [
  () => ({ down: true }),
  (random) => ({ delayMs: [0, random() * 600] }),
  () => ({ lost: 0.4 }),
  () => ({ lost: 1 }),
  () => ({ unanswered: 0.5 }),
  () => ({ again: 0.5 }),
  () => ({ marks: 'lost' }),
  () => ({ marks: 'refused' }),
  () => ({ deaf: true }),
  (random) => ({ lost: 0.1, unanswered: 0.1, again: 0.1, delayMs: [0, random() * 100] }),
]
