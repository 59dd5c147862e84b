import { type BandName, type Bands, rangesOf } from './bands.ts'

/** How a supervised loop is; `fault`: its value is in none of its bands. */
export type Condition = BandName | 'fault'

/** A register's value in the unit of the bands. */
export const scaled = (register: number, { scale }: Bands): number => {
  if (!scale) return register
  const value = scale.signed && register > 0x7fff ? register - 0x1_0000 : register
  return value * scale.times + scale.plus
}

/**
 * A supervised loop: turns values into conditions. A value must go by the hysteresis beyond the band that it is in, and
 * stay there for some readings. Knows no time and no wire.
 */
export class Loop {
  readonly #bands: Bands
  /** What counts; null before enough readings agree. */
  #condition: Condition | null = null
  /** What the newest readings say, and how many of them in a row. */
  #next: Condition | null = null
  #agreed = 0
  /** Pressed readings since one was normal: a contact that bounces is pressed, whatever comes in between. */
  #alarms = 0

  constructor(bands: Bands) {
    this.#bands = bands
  }

  get condition(): Condition | null {
    return this.#condition
  }

  /** The newest reading says something else than what counts: it may settle yet. */
  get isChanging(): boolean {
    return this.#next !== this.#condition
  }

  read(value: number): Condition | null {
    const now = this.#judge(value)
    this.#agreed = now === this.#next ? this.#agreed + 1 : 1
    this.#next = now
    if (now === 'alarm') this.#alarms++
    if (now === 'normal') this.#alarms = 0
    if (this.#alarms >= this.#bands.settle) this.#turn('alarm')
    else if (this.#agreed >= this.#bands.settle) this.#turn(now)
    return this.#condition
  }

  #turn(condition: Condition): void {
    this.#condition = condition
    this.#alarms = 0
  }

  #judge(value: number): Condition {
    const ranges = rangesOf(this.#bands)
    const from = this.#next ?? this.#condition
    const { hysteresis } = this.#bands
    const stays = ranges.some(
      ({ name, lo, hi }) =>
        this.#means(name) === from && value >= lo - hysteresis && value <= hi + hysteresis,
    )
    const at = ranges.find(({ lo, hi }) => value >= lo && value <= hi)
    if (stays && from) return from
    return at ? this.#means(at.name) : 'fault'
  }

  /** With one resistor at the end a press is a short or a cut, and the other way round. */
  #means(name: BandName): BandName {
    return this.#bands.wiring === 'single' && name !== 'normal' ? 'alarm' : name
  }
}
