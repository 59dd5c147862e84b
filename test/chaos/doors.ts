import { isCarriedBadly, isDisturbed } from './disturbed.ts'
import { groupOf } from './ground.ts'
import type { DoorRow } from './record.ts'
import type { Times } from './times.ts'
import type { Violations } from './violations.ts'

/** A hold of a door began (1) or ended (-1); null: not known when. */
export interface Turn {
  readonly at: number | null
  readonly is: 1 | -1
}

/** A door whose last hold has ended is released within this, while all is well, ms. */
const releaseMs = 4_000
/** How long what it took may reach beyond a fault: breaker, pauses, a start, the reading again after a late lock, ms. */
const recoveryMs = 4_000

/** Nobody is locked in: without a hold a door is soon as it was. */
export const judgeDoor = (
  door: string,
  modes: readonly DoorRow[],
  turns: readonly Turn[],
  times: Times,
  found: Violations,
): void => {
  let live = 0
  for (const [index, turn] of turns.entries()) {
    live += turn.is
    const next = turns[index + 1]?.at ?? Number.POSITIVE_INFINITY
    if (live !== 0 || turn.at === null || next === null) continue
    const from = turn.at
    const locked = modes.findLast(({ at }) => at <= from)
    const freedAt =
      locked === undefined || locked.mode === 'unlocked'
        ? from
        : (modes.find(({ at, mode }) => at > from && mode === 'unlocked')?.at ?? Number.POSITIVE_INFINITY)
    const until = Math.min(freedAt, next)
    const to = Math.min(until, from + releaseMs)
    const group = groupOf(door)
    if (isDisturbed(times, group, from - recoveryMs, to)) continue
    if (isCarriedBadly(times, group, from - recoveryMs, to)) continue
    found.looked('held')
    if (until - from - times.starvedMs(from, until) > releaseMs)
      found.add('held', `${door} was locked for ${until - from} ms without a hold`, {
        door,
        from,
        freedAt,
        modes: modes.filter(({ at }) => at > from - 20_000 && at < from + 30_000),
      })
  }
}
