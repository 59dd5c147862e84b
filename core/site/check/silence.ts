import { disturbance } from '../../plan/silence.ts'
import type { ContactPath, Device, Place } from '../site.ts'
import {
  actsOf,
  advice,
  type Check,
  capabilityOf,
  coveredBy,
  isLock,
  type PlannedAct,
  reachedAt,
  type Subject,
  where,
} from './subject.ts'

const silentActs = (subject: Subject): PlannedAct[] => actsOf(subject).filter(({ plan }) => plan.silent)

const named = (
  { site }: Subject,
  { act }: PlannedAct,
  name: string,
  place: Place,
): readonly (Device | ContactPath)[] =>
  act.capability === 'page.send'
    ? (site.responders.get(name)?.paths ?? [])
    : reachedAt(site, { ...act, to: [name] }, place)

/** Nothing perceptible at or beside a silent place. The planner would leave it out; the check says so beforehand. */
export const silentIsSilent: Check = (subject) => {
  const { site, catalogue, extent } = subject
  if (!extent.complete('places') || !extent.complete('devices') || !extent.complete('connectors')) return []
  return silentActs(subject).flatMap((planned) => {
    const perceptible = capabilityOf(catalogue, planned.act.capability)?.perceptible ?? 'sound'
    const covered = coveredBy(planned.plan, site)
    return planned.act.to.flatMap((name, index) => {
      const disturbs = (place: Place): string | null => {
        const incident = { silent: true, been: [place.path], persons: [], devices: [] }
        const reasons = named(subject, planned, name, place).map((target) =>
          disturbance(site, incident, perceptible, target),
        )
        return reasons.find((why) => why !== null) ?? null
      }
      const cure = isLock(planned.act) ? '`noise:`' : '`perceptible:`'
      return where(covered, disturbs, planned.toAt(index), (why, presses) => {
        const what = why.replace(/^silent: /, '')
        return `not in a silent plan, ${presses}: ${what}; if that is not so, say it by ${cure} or \`place:\``
      })
    })
  })
}

/** Who is told in silence should be known to be told without a sound. */
export const silentPathsAreDeclared: Check = (subject) => {
  const paths = new Map<string, ContactPath>()
  for (const { act } of silentActs(subject))
    if (act.capability === 'page.send')
      for (const name of act.to)
        for (const path of subject.site.responders.get(name)?.paths ?? [])
          if (path.perceptible === null) paths.set(path.name, path)
  return [...paths.values()].map(({ name, responder }) =>
    advice(
      ['responders', responder, 'page', ...(name.includes('#') ? [Number(name.split('#')[1]) - 1] : [])],
      `\`${name}\` is told in silent plans, and counts as sound: write \`perceptible: none\` or \`vibrate\` if that is so`,
    ),
  )
}

/** A robber who hears that help was called may stay. */
export const holdUpIsSilent: Check = ({ site }) =>
  site.plans
    .filter(({ kinds, silent }) => kinds?.has('hold-up') && !silent)
    .map(({ name }) =>
      advice(['plans', name], 'a hold-up is answered in silence: write `silent: true`', 'key'),
    )
