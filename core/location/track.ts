import type { Sighting } from '../fact.ts'

/** What is kept of where a worn device was: this long, and this many places, ms (safety.md: "from 60 s before a press"). */
const keptMs = 60_000
const keptMax = 30

/** A stay at a place, as it is stored with a press. */
export interface Stay {
  readonly place: string
  readonly from: number
  readonly to: number
}

/** Where worn devices were in the last minute. In memory only: a trace is stored with a press, and never without. */
export class Tracks {
  readonly #tracks = new Map<string, { sighting: Sighting; from: number }[]>()

  /** Newest last; the same place seen again only lengthens the stay. */
  seen(device: string, sighting: Sighting): void {
    const track = this.#tracks.get(device) ?? []
    this.#tracks.set(device, track)
    const last = track.at(-1)
    if (last && sighting.at < last.sighting.at) return
    if (last?.sighting.place === sighting.place) last.sighting = sighting
    else track.push({ sighting, from: sighting.at })
    while (track.length > keptMax || sighting.at - (track[0] as { sighting: Sighting }).sighting.at > keptMs)
      track.shift()
  }

  /** Where it was before its present stay at `place`, newest first. */
  before(device: string, place: string | undefined): readonly Sighting[] {
    const track = this.#tracks.get(device) ?? []
    const earlier = track.at(-1)?.sighting.place === place ? track.slice(0, -1) : [...track]
    return earlier.reverse().map(({ sighting }) => sighting)
  }

  /** The stays of the minute before `at`, oldest first. */
  trace(device: string, at: number): Stay[] {
    const stays = (this.#tracks.get(device) ?? []).filter(({ sighting }) => at - sighting.at <= keptMs)
    return stays.map(({ sighting, from }) => ({ place: sighting.place, from, to: sighting.at }))
  }
}
