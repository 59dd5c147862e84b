import { capabilities } from '../../capability.ts'
import type { Problem } from '../explain.ts'
import { near } from '../places.ts'
import type { Device } from '../site.ts'
import {
  actsOf,
  advice,
  type Check,
  coveredBy,
  fatal,
  isLock,
  type PlannedAct,
  reachedAt,
  type Subject,
  where,
} from './subject.ts'

const locksOf = (subject: Subject): PlannedAct[] => actsOf(subject).filter(({ act }) => isLock(act))

/** Why the bridge never locks a door; null when it may. */
const neverLocked = ({ name, door }: Device): string | null => {
  if (!door) return null
  if (door.owner) return `\`${name}\` belongs to ${door.owner} (\`owner:\`) and is never commanded`
  if (door.egress === 'free') return null
  return `the way out through \`${name}\` is ${door.egress} (\`egress:\`), and only \`free\` doors are ever locked`
}

/** Nobody is locked in: only doors with a free way out that are ours to move (safety.md, "Doors"). */
export const locksAreAllowed: Check = (subject) =>
  locksOf(subject).flatMap(({ act, plan, toAt }) =>
    act.to.flatMap((name, index): Problem[] => {
      if (name === 'guarding') {
        if (!subject.extent.complete('places') || !subject.extent.complete('devices')) return []
        const covered = coveredBy(plan, subject.site)
        const only = { ...act, to: [name] }
        const forbidden = (place: (typeof covered)[number]) =>
          reachedAt(subject.site, only, place)
            .map((door) => neverLocked(door) ?? cannot(door, act.capability))
            .find((why) => why !== null) ?? null
        return where(
          covered,
          forbidden,
          toAt(index),
          (why, presses) => `${why}; it would be asked to ${presses}`,
        )
      }
      const device = subject.site.devices.get(name)
      const why = device ? neverLocked(device) : null
      return why ? [fatal(toAt(index), why)] : []
    }),
  )

const cannot = ({ name, can }: Device, capability: string): string | null =>
  can.has(capability) ? null : `\`${name}\` can't do \`${capability}\``

/** A lock ends by itself, and is not set late. */
export const locksEnd: Check = (subject) =>
  locksOf(subject).flatMap(({ act, at }) => {
    const late = act.expiresMs !== null && act.expiresMs > 60_000
    return [
      ...(act.limitMs === null
        ? [
            fatal(
              at,
              `\`limit\` is missing: how long \`${act.capability}\` holds a door at most, such as 15m`,
            ),
          ]
        : []),
      ...(late
        ? [
            advice(
              [...at, 'expires'],
              `a lock that comes so late may trap those who flee; usual is ${capabilities['door.secure'].expiresAfterMs! / 1_000}s`,
            ),
          ]
        : []),
    ]
  })

/** Nobody enters: by a plan for `weapon` only, or with a reason in writing. */
export const lockdownHasReason: Check = (subject) =>
  locksOf(subject).flatMap(({ act, plan, at, because }) => {
    const onlyWeapon = plan.kinds !== null && [...plan.kinds].every((kind) => kind === 'weapon')
    if (act.capability !== 'door.lockdown' || onlyWeapon || because) return []
    return fatal(
      at,
      'a lockdown keeps helpers out too: for any kind but `weapon` write `because:` with the reason',
    )
  })

/** Let the robber walk out: nothing locks, nobody near is called in (safety.md, "Kinds"). */
export const holdUpLocksNothing: Check = (subject) =>
  locksOf(subject).flatMap(({ plan, at }) => {
    if (plan.kinds?.has('hold-up'))
      return fatal(
        at,
        'in a hold-up nothing locks, so that the robber walks out: take this out, or `hold-up` out of `kind`',
      )
    if (plan.kinds === null)
      return fatal(at, 'this plan is for hold-ups too, in which nothing locks: name its kinds in `when`')
    return []
  })

export const holdUpCallsNobodyIn: Check = (subject) => {
  if (!subject.extent.complete('places')) return []
  return actsOf(subject).flatMap(({ plan, act, toAt }) => {
    if (!plan.kinds?.has('hold-up') || act.capability !== 'page.send') return []
    const covered = coveredBy(plan, subject.site)
    return act.to.flatMap((name, index) =>
      (subject.site.responders.get(name)?.paths ?? []).flatMap((path) =>
        where(
          covered,
          (place) => (path.place && near(place).has(path.place) ? path.name : null),
          toAt(index),
          (who, presses) => `in a hold-up nobody enters, but \`${who}\` is at or beside the place ${presses}`,
        ),
      ),
    )
  })
}

/** Fire wins: a door that may be locked knows its fire input, or says in writing that there is none. */
export const firesAreCovered: Check = ({ config, site, extent }) => {
  const whole = extent.complete('devices') && extent.complete('places') && extent.complete('connectors')
  return [...site.devices.values()].flatMap(({ name, door, means, place, input }) => {
    const at = ['devices', name]
    if (means === 'fire' && input === null && whole)
      return fatal([...at, 'means'], 'a fire alarm is heard through an `input`: add it')
    if (means === 'fire' && !place && config.devices[name]!.place === undefined)
      return fatal(at, '`place` is missing: a fire input covers the doors of its place and of all inside it')
    if (!door?.lockable || !whole) return []
    const none = config.devices[name]!.fire === 'none'
    if (door.fireInputs.length === 0 && !none)
      return fatal(
        at,
        `\`${name}\` could be locked in a fire: no device with \`means: fire\` has a place that contains what it guards; add one, or write \`fire: none\``,
      )
    if (door.fireInputs.length > 0 && none)
      return advice(
        [...at, 'fire'],
        `it is covered by \`${door.fireInputs[0]}\` all the same: take \`fire: none\` out`,
      )
    return []
  })
}
