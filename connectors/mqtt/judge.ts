import type { Sign } from './heard.ts'
import type { Counted, Memory, Stamped } from './memory.ts'

/** A press that is told by what is seen for the first time is a press only if it is no older than this, ms. */
const freshMs = 60_000
/** Times of different gateways are this far apart at most where their order decides, ms. */
const slackMs = 2_000
/** Counters of badges have 8 or 16 bits. */
const moduli = [256, 65_536]
/** A counter that jumps over its end by no more than this has run over; else it was set back by a new battery. */
const wrapMax = 16
/** Stragglers from before a counter ran over are no further behind than this. */
const stragglerMax = 3
/** A vendor's clock that is further off than this decides nothing, ms. */
const believableMs = 86_400_000
const recentMax = 8
const toldMax = 16

/** When a sign was seen. */
export interface Seen {
  /** ms since the epoch. */
  readonly now: number
  /** By the vendor's own clock, where it says. */
  readonly at: number | undefined
  readonly retained: boolean
  /** Silence after which an advertised press is another one, ms. */
  readonly quietMs: number
}

/** What a sign means. */
export interface Verdict {
  /** Of the press that it tells of; null: of none. */
  readonly key: string | null
  /** Not told before. */
  readonly isNew: boolean
  /** ms since the epoch, by the device. */
  readonly pressedAt?: number | undefined
  /** Presses that it stands for. */
  readonly presses: number
  readonly memory: Memory
  /** The memory is worth keeping over a restart. */
  readonly save: boolean
}

/** Whether a sign is a press, and which; pure. When in doubt it is one: a call for help must not be lost. */
export const judge = (sign: Sign, seen: Seen, memory: Memory): Verdict => {
  switch (sign.is) {
    case 'counter':
      return byCounter(sign, seen, memory)
    case 'stamp':
      return byStamp(sign, seen, memory)
    case 'event':
      return byEvent(sign, seen, memory)
    case 'advert':
      return byAdvert(seen, memory)
  }
}

/** When it was said: by the vendor's clock, which doesn't count the time a message lay at the broker. */
const saidAt = ({ at, now }: Seen): number =>
  at !== undefined && Math.abs(at - now) <= believableMs ? at : now

type Of<Is extends Sign['is']> = Extract<Sign, { is: Is }>

const byCounter = (sign: Of<'counter'>, seen: Seen, memory: Memory): Verdict => {
  const { counter, sinceS } = sign
  const t = saidAt(seen)
  const pressedAt = typeof sinceS === 'number' ? t - sinceS * 1_000 : undefined
  const known = memory.counted
  const told = (counted: Counted, presses: number, save = presses > 0): Verdict => ({
    key: presses > 0 || counter === counted.counter ? `${counted.era}.${counted.counter}` : null,
    isNew: presses > 0,
    pressedAt,
    presses,
    memory: { ...memory, counted },
    save,
  })
  const anew = (top?: number): Counted => ({
    counter,
    era: t.toString(36),
    readAt: t,
    ...(top !== undefined && { top }),
  })
  if (!known) return told(anew(), isFresh(sign, seen) ? 1 : 0, true)
  const readAt = Math.max(known.readAt, t)
  const grown = counter - known.counter
  if (grown === 0) return told({ ...known, readAt }, 0)
  if (grown > 0) {
    const { top = Number.NEGATIVE_INFINITY } = known
    const straggler = grown > wrapMax * stragglerMax && counter <= top && counter >= top - stragglerMax
    return straggler ? told(known, 0) : told({ ...known, counter, readAt }, grown)
  }
  const over = moduli
    .map((modulus) => modulus - known.counter + counter)
    .find((by) => by > 0 && by <= wrapMax)
  if (over !== undefined) return told(anew(known.counter), over)
  // Lower: a straggler of another gateway, or a badge with a new battery, which counts from 0.
  const isNewer = t > known.readAt + slackMs
  const pressed =
    pressedAt === undefined
      ? sinceS === undefined && isNewer && counter > 0
      : pressedAt > known.readAt + slackMs
  if (!isNewer && !pressed) return told(known, 0)
  return told(anew(), pressed ? Math.max(1, counter) : 0, true)
}

/** Of a badge that we hear for the first time: old presses don't fire, the one that has just been made does. */
const isFresh = ({ sinceS }: Of<'counter'>, { now, at, retained }: Seen): boolean => {
  if (typeof sinceS !== 'number' || sinceS * 1_000 > freshMs) return false
  // A retained message may have been lying there for days.
  return !retained || (at !== undefined && now - at + sinceS * 1_000 <= freshMs)
}

const byStamp = ({ button, pushed, pressedAt }: Of<'stamp'>, seen: Seen, memory: Memory): Verdict => {
  const known = memory.stamped?.[button]
  const recent = known?.recent ?? []
  const begins = pushed && known?.pushed !== true
  const isNew =
    pressedAt === null
      ? begins && (known !== undefined || !seen.retained)
      : !recent.includes(pressedAt) && isLater(pressedAt, pushed, seen, known)
  const stamp = pressedAt ?? (isNew ? saidAt(seen) : recent.at(-1))
  const next: Stamped = {
    recent: (isNew && stamp !== undefined) || !known ? [...recent, stamp ?? 0].slice(-recentMax) : recent,
    pushed,
  }
  const isPress = isNew || (stamp !== undefined && recent.includes(stamp) && (pushed || pressedAt !== null))
  return {
    key: isPress ? `${button} ${stamp}` : null,
    isNew,
    pressedAt: pressedAt ?? undefined,
    presses: isNew ? 1 : 0,
    memory: { ...memory, stamped: { ...memory.stamped, [button]: next } },
    save: isNew || !known,
  }
}

/** A clock that was set back makes times that look old; but a button that is held down is pressed. */
const isLater = (pressedAt: number, pushed: boolean, seen: Seen, known: Stamped | undefined): boolean =>
  known
    ? pressedAt > Math.max(...known.recent) || (pushed && !seen.retained)
    : (pushed && !seen.retained) || seen.now - pressedAt <= freshMs

const byEvent = ({ id, sameMs }: Of<'event'>, seen: Seen, memory: Memory): Verdict => {
  const told = memory.told ?? []
  const before = told.find((each) => each.id === id && Math.abs(seen.now - each.at) < sameMs)
  if (before) {
    const others = told.filter((each) => each !== before)
    return {
      key: before.key,
      isNew: false,
      presses: 0,
      memory: { ...memory, told: [...others, { ...before, at: seen.now }] },
      save: false,
    }
  }
  // What is told because we subscribed is the last press, whenever that was.
  if (seen.retained) return { key: null, isNew: false, presses: 0, memory, save: false }
  const key = `${id} ${saidAt(seen).toString(36)}`
  return {
    key,
    isNew: true,
    pressedAt: seen.at,
    presses: 1,
    memory: { ...memory, told: [...told, { id, key, at: seen.now }].slice(-toldMax) },
    save: true,
  }
}

const byAdvert = ({ now, retained, quietMs }: Seen, memory: Memory): Verdict => {
  const before = memory.advertised
  if (before && Math.abs(now - before.at) < quietMs)
    return {
      key: before.key,
      isNew: false,
      presses: 0,
      memory: { ...memory, advertised: { key: before.key, at: now } },
      // So that a restart while the badge goes on is no second press.
      save: true,
    }
  if (retained) return { key: null, isNew: false, presses: 0, memory, save: false }
  const key = now.toString(36)
  return { key, isNew: true, presses: 1, memory: { ...memory, advertised: { key, at: now } }, save: true }
}
