import { eventSend, type Perceptible, pageSend } from '../../capability.ts'
import { disturbance } from '../../plan/silence.ts'
import { findPlan } from '../places.ts'
import type { ContactPath, Device, Place, Plan, Site } from '../site.ts'
import {
  actsOf,
  advice,
  type Check,
  capabilityOf,
  coveredBy,
  fatal,
  isLock,
  type PlannedAct,
  reachedAt,
  type Subject,
  where,
} from './subject.ts'

const sections = ['places', 'connectors', 'devices', 'responders', 'plans'] as const

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

interface Told {
  readonly target: Device | ContactPath
  readonly perceptible: Perceptible
}

/** Who is told at once by a plan. */
const toldAtOnce = (site: Site, plan: Plan): Told[] => {
  const acts = plan.steps.filter(({ atMs }) => atMs === 0).flatMap((step) => step.do)
  const to = (capability: string) =>
    acts.filter((act) => act.capability === capability).flatMap((act) => act.to)
  const people = to('page.send').flatMap((name) => site.responders.get(name)?.paths ?? [])
  const centres = to('event.send').flatMap((name) => site.devices.get(name) ?? [])
  return [
    ...people.map((target) => ({ target, perceptible: pageSend.perceptible })),
    ...centres.map((target) => ({ target, perceptible: eventSend.perceptible })),
  ]
}

/** Whether silence would leave out everybody who is told at once. */
const nobodyHears = (site: Site, plan: Plan, place: Place): boolean => {
  const told = toldAtOnce(site, plan)
  const incident = { silent: true, been: [place.path], persons: [], devices: [] }
  return (
    told.length > 0 &&
    told.every(({ target, perceptible }) => disturbance(site, incident, perceptible, target))
  )
}

/** Silence must not mean that nobody is told: for each place there is somebody whose pager is not beside it. */
export const silenceIsHeard: Check = ({ site, extent }) => {
  if (!sections.every((section) => extent.complete(section))) return []
  const plans = site.plans.flatMap((plan) => {
    const deaf = plan.silent
      ? coveredBy(plan, site).find((place) => nobodyHears(site, plan, place))
      : undefined
    const message = `nobody could be told at once of a press in \`${deaf?.path}\`: all would be noticed there; add somebody elsewhere`
    return deaf ? fatal(['plans', plan.name, 'steps'], message) : []
  })
  const devices = [...site.devices.values()].flatMap(({ name, silent, kind, place }) => {
    const plan = silent && place ? findPlan(site, kind, place) : null
    if (!plan || plan.silent || !nobodyHears(site, plan, place!)) return []
    const message = `its presses are silent, and all whom \`${plan.name}\` tells at once would be noticed there; add somebody elsewhere`
    return fatal(['devices', name, 'silent'], message)
  })
  return [...plans, ...devices]
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
