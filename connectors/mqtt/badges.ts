import { BoundedMap } from '../../core/bounded.ts'
import type { Context, Opening } from '../../core/connector.ts'
import type { Json, Press, State, Trouble } from '../../core/fact.ts'
import { type Heard, type Message, type Pressed, rawOf } from './heard.ts'
import type { Config, Input } from './index.ts'
import { judge, type Verdict } from './judge.ts'
import { cursorOf, type Memory, memoryOf } from './memory.ts'
import { canonical, plain } from './names.ts'
import { Outbox, Unrecorded, type Waiting } from './outbox.ts'
import { Areas, Whereabouts } from './sightings.ts'

/** Badges and buttons that nobody configured, remembered to tell their presses apart; the longest unheard are forgotten. */
const strangersMax = 20_000
/** A device that stays where it is, is noted this often, ms. */
const noteEveryMs = 1_000
const dayMs = 86_400_000

interface Badge {
  readonly device: string | null
  readonly whereabouts: Whereabouts
  memory: Memory
  notedAt: number
  active: boolean | undefined
  battery: number | undefined
  batteryLow: boolean | undefined
}

/** What a link leaves to the next one with the same config object: what core has not recorded, and how far each badge was. */
interface Kept {
  readonly badges: Map<string, Badge>
  readonly unrecorded: Unrecorded
}
const kept = new WeakMap<Config, Kept>()

/** All badges and buttons of a link: from what is heard of them to facts and notes. */
export class Badges {
  readonly #ctx: Context
  readonly #config: Config
  readonly #areas: Areas
  readonly #devices: ReadonlyMap<string, string>
  readonly #badges: Map<string, Badge>
  readonly #strangers = new BoundedMap<string, Badge>(strangersMax)
  /** Spelling is not worked out for each of thousands of messages a second. */
  readonly #spelled = new Map<string, string | null>()
  readonly outbox: Outbox

  constructor({ config, inputs, cursors }: Opening<Config, Input, never>, ctx: Context) {
    this.#ctx = ctx
    this.#config = config
    this.#areas = new Areas(config.areas)
    this.#devices = new Map([...inputs].map(([device, { id }]) => [canonical(id), device]))
    const { badges, unrecorded } = kept.get(config) ?? { badges: new Map(), unrecorded: new Unrecorded() }
    kept.set(config, { badges, unrecorded })
    for (const device of inputs.keys())
      if (!badges.has(device)) badges.set(device, newBadge(device, memoryOf(cursors.get(device))))
    this.#badges = badges
    this.outbox = new Outbox(unrecorded, ctx)
  }

  /** Takes in what was heard of one badge; what it says that must be on disk before it is acknowledged. */
  hear(heard: Heard, message: Message): Waiting[] {
    const now = this.#ctx.clock.now()
    const badge = this.#badgeOf(heard.names)
    const moved = badge.whereabouts.see(heard.near, this.#areas, heard.at, now)
    const waiting = heard.signs.flatMap((pressed) => this.#press(badge, heard, pressed, message, now))
    const save = waiting.length === 0 && badge.memory !== saved.get(badge)
    if (badge.device !== null) this.#note(badge, badge.device, heard, { moved, save, now })
    return badge.device === null ? waiting : [...waiting, ...this.#battery(badge, heard, now)]
  }

  /** A press that we made ourselves, on its way in. */
  heartbeat(mark: string): Waiting {
    return this.outbox.put({
      is: 'press',
      phase: 'active',
      device: null,
      from: 'heartbeat',
      key: `heartbeat ${mark}`,
      heartbeat: mark,
      raw: {},
    })
  }

  #press(badge: Badge, heard: Heard, pressed: Pressed, { retained }: Message, now: number): Waiting[] {
    const seen = { now, at: heard.at, retained, quietMs: this.#config.quiet }
    const verdict = judge(pressed.sign, seen, badge.memory)
    badge.memory = verdict.memory
    if (!verdict.save || verdict.isNew) saved.set(badge, badge.memory)
    if (verdict.key === null) return []
    const key = `${badge.device ?? `unknown ${canonical(heard.names[0] as string)}`} ${verdict.key}`
    // Told by another gateway as well: acknowledged together with the first.
    const before = this.outbox.waiting(key)
    if (before) return [before]
    return verdict.isNew ? [this.outbox.put(this.#fact(badge, heard, pressed, verdict, key))] : []
  }

  #fact(badge: Badge, heard: Heard, pressed: Pressed, verdict: Verdict, key: string): Press {
    const { device, whereabouts, memory } = badge
    const { pattern, kind, person, drill, simulated } = pressed
    const { sighting } = whereabouts
    const said = rawOf(heard.raw)
    return {
      is: 'press',
      phase: 'active',
      device,
      from: device ?? `${heard.what} ${plain(heard.names[0] as string, 60)}${whereabouts.words}`,
      key,
      raw: verdict.presses > 1 ? { presses: verdict.presses, said } : said,
      ...(verdict.pressedAt !== undefined && { occurredAt: Math.round(verdict.pressedAt) }),
      ...(device !== null && { cursor: cursorOf(memory) }),
      ...(pattern !== undefined && { pattern }),
      ...(kind && { kind }),
      ...(person !== undefined && { person }),
      ...(sighting && { sighting }),
      ...(drill && { drill: true }),
      ...(simulated && { simulated: true }),
    }
  }

  #note(
    badge: Badge,
    device: string,
    heard: Heard,
    news: { moved: boolean; save: boolean; now: number },
  ): void {
    const { active, batteryPercent } = heard
    const turned =
      (active !== undefined && active !== badge.active) ||
      (batteryPercent !== undefined && batteryPercent !== badge.battery)
    if (!news.moved && !news.save && !turned && news.now - badge.notedAt < noteEveryMs) return
    badge.notedAt = news.now
    badge.active = active ?? badge.active
    badge.battery = batteryPercent ?? badge.battery
    const { sighting } = badge.whereabouts
    const state: State = {
      quality: 'good',
      ...(active !== undefined && { active }),
      ...(batteryPercent !== undefined && { batteryPercent }),
      ...(sighting && { sighting }),
      ...(news.save && { cursor: cursorOf(badge.memory) as Json }),
    }
    if (news.save) saved.set(badge, badge.memory)
    this.#ctx.note(device, state)
  }

  /** A badge that says "low" without a percentage. */
  #battery(badge: Badge, { batteryLow, raw }: Heard, now: number): Waiting[] {
    const before = badge.batteryLow
    if (batteryLow === undefined || batteryLow === (before ?? false)) return []
    badge.batteryLow = batteryLow
    const phase = batteryLow ? 'active' : 'restored'
    const device = badge.device as string
    const key = `${device} battery ${phase} ${Math.floor(now / dayMs)}`
    const fact: Trouble = {
      is: 'trouble',
      trouble: 'low-battery',
      phase,
      device,
      from: device,
      key,
      raw: rawOf(raw),
    }
    return [this.outbox.waiting(key) ?? this.outbox.put(fact)]
  }

  #badgeOf(names: readonly string[]): Badge {
    for (const name of names) {
      const device = this.#deviceOf(name)
      if (device !== null) return this.#badges.get(device) as Badge
    }
    const name = canonical(names[0] as string)
    const badge = this.#strangers.get(name) ?? newBadge(null, {})
    // The one heard last is the last to be forgotten.
    this.#strangers.delete(name)
    this.#strangers.set(name, badge)
    return badge
  }

  #deviceOf(name: string): string | null {
    const known = this.#spelled.get(name)
    if (known !== undefined) return known
    const device = this.#devices.get(canonical(name)) ?? null
    if (this.#spelled.size < strangersMax) this.#spelled.set(name, device)
    return device
  }
}

/** The memory of each badge that is stored, or will be with a fact. */
const saved = new WeakMap<Badge, Memory>()

const newBadge = (device: string | null, memory: Memory): Badge => {
  const badge: Badge = {
    device,
    whereabouts: new Whereabouts(),
    memory,
    notedAt: Number.NEGATIVE_INFINITY,
    active: undefined,
    battery: undefined,
    batteryLow: undefined,
  }
  saved.set(badge, memory)
  return badge
}
