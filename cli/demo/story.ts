import type { Json } from '../../core/fact.ts'
import type { Site } from '../../core/site/site.ts'
import type { Told } from '../../core/trail/entry.ts'
import type { Received } from '../../mocks/mock.ts'
import { say } from '../print.ts'
import { timeLine, wordsOf } from '../words.ts'

/** What the mocks say of their own, by their own words for it. */
const seenBy: {
  readonly [what: string]: (detail: { readonly [name: string]: Json | undefined }) => string
} = {
  page: ({ id, text }) => `pager ${id} shows "${text}"`,
  GotoPreset: ({ preset }) => `turns to preset ${preset}`,
  snapshot: () => 'hands out a picture',
  LockDoor: ({ token }) => `door ${token} is locked`,
  LockDownDoor: ({ token }) => `door ${token} is locked down`,
  LockDownReleaseDoor: ({ token }) => `door ${token} is released`,
  UnlockDoor: ({ token }) => `door ${token} goes back to unlocked`,
}

/** What was meant is told by its receipt, and a start by the lines above. */
const untold: readonly string[] = ['command', 'start']

/** In a hospital that has just been put up nothing has been tested; `duress-bridge devices` says so. */
const isUntested = (entry: Told): boolean => entry.what === 'fault' && entry.fault.startsWith('never-tested:')

/** What proved a device stands in the receipts around this line. */
const withoutOutputs = (entry: Told & { readonly what: 'test' }): Told =>
  entry.proven ? { ...entry, words: '' } : entry

/** One line for each thing that happens, with the time since the press. */
export class Story {
  readonly #site: Site
  readonly #pressedAt = new Map<string, number>()
  #lastPressAt: number | null = null

  constructor(site: Site) {
    this.#site = site
  }

  hear(told: readonly Told[]): void {
    for (const entry of told)
      if (!untold.includes(entry.what) && !isUntested(entry) && !this.#isFire(entry)) this.#tell(entry)
  }

  see(mock: string, { what, detail, at }: Received): void {
    const text = seenBy[what]?.(detail)
    if (text === undefined) return
    const since = this.#lastPressAt === null ? null : at - this.#lastPressAt
    say(timeLine(since, { what: `mock ${mock}`, text, style: 'dim' }))
  }

  /** A fire alarm is told as the fault that it is. */
  #isFire(entry: Told): boolean {
    return entry.what === 'press' && this.#site.devices.get(entry.device ?? '')?.means === 'fire'
  }

  #tell(entry: Told): void {
    const { at, incident } = entry
    if (entry.what === 'press' && entry.phase === 'active') {
      say()
      this.#lastPressAt = at
      if (incident !== null && !this.#pressedAt.has(incident)) this.#pressedAt.set(incident, at)
    }
    const pressedAt = incident === null ? undefined : this.#pressedAt.get(incident)
    const words = wordsOf(entry.what === 'test' ? withoutOutputs(entry) : entry, this.#site.places)
    say(timeLine(pressedAt === undefined ? null : at - pressedAt, words))
  }
}
