import { Kind } from '../../fact.ts'
import type { Problem } from '../explain.ts'
import { findPlan } from '../places.ts'
import type { Plan, Site, Step } from '../site.ts'
import { list } from '../suggest.ts'
import { advice, type Check, fatal } from './subject.ts'

/** Whether a step tells people, or a centre that does. */
const tells = ({ do: acts }: Step): boolean =>
  acts.some(({ capability }) => capability === 'page.send' || capability === 'event.send')

/** Each press tells somebody at once (safety.md, "Who is told"). */
export const somebodyIsTold: Check = ({ site }) =>
  site.plans.flatMap((plan) => {
    const at = ['plans', plan.name]
    const telling = plan.steps.filter(tells)
    if (telling.length === 0)
      return fatal(
        [...at, 'steps'],
        `\`${plan.name}\` tells nobody: add \`page.send\` (or \`event.send\` to a centre) at 0s`,
      )
    const [first] = telling.map(({ atMs }) => atMs).sort((a, b) => a - b)
    if (first! > 0)
      return fatal(
        [...at, 'steps'],
        `\`${plan.name}\` tells nobody before ${first! / 1_000} s: somebody must be told at 0s`,
      )
    return [...alwaysGoesOut(plan), ...escalates(plan), ...inTimeOrder(plan)]
  })

const alwaysGoesOut = (plan: Plan): Problem[] =>
  plan.steps
    .filter(({ atMs, unless }) => atMs === 0 && unless.length > 0)
    .map(({ index }) =>
      fatal(
        ['plans', plan.name, 'steps', index, 'unless'],
        'what is due at 0s always goes out: take `unless` out',
      ),
    )

const escalates = (plan: Plan): Problem[] =>
  plan.steps.some((step) => step.atMs > 0 && step.unless.length > 0 && tells(step))
    ? []
    : [
        advice(
          ['plans', plan.name, 'steps'],
          'nobody else is told if nobody answers: add a later step with `unless: acknowledged`',
        ),
      ]

const inTimeOrder = (plan: Plan): Problem[] =>
  plan.steps.flatMap(({ index, atMs }) =>
    atMs < (plan.steps[index - 1]?.atMs ?? 0)
      ? [
          advice(
            ['plans', plan.name, 'steps', index, 'at'],
            'earlier than the step before it: put the steps in order of time',
          ),
        ]
      : [],
  )

/** A press that nobody configured still summons help: for each kind there is a plan that needs no place. */
export const everythingHasAPlan: Check = ({ site, extent }) => {
  if (!extent.complete('plans')) return []
  const placeless = site.plans.filter(({ places }) => places === null)
  const missing = Kind.options.filter(
    (kind) => !placeless.some(({ kinds }) => kinds === null || kinds.has(kind)),
  )
  if (missing.length === 0) return []
  const what = missing.length === Kind.options.length ? 'a press' : `a press of kind ${list(missing, 'or')}`
  return [
    fatal(
      ['plans'],
      `no plan is for ${what} at an unknown place: add one with \`when: {}\`, or without \`place\``,
      'key',
    ),
  ]
}

/** A plan that never wins against the others does nothing. */
export const plansAreReached: Check = ({ site, extent }) => {
  if (!extent.complete('plans') || !extent.complete('places')) return []
  return site.plans.flatMap((plan) => {
    const kinds = plan.kinds ? [...plan.kinds] : Kind.options
    const places = plan.places ?? [null]
    const wins = kinds.some((kind) => places.some((place) => findPlan(site, kind, place) === plan))
    if (wins) return []
    const other = findPlan(site, kinds[0]!, places[0] ?? null).name
    return advice(
      ['plans', plan.name, 'when'],
      `\`${plan.name}\` is never chosen: \`${other}\` comes first for the same presses`,
    )
  })
}

const pressed = (site: Site): Set<string> =>
  new Set(
    [...site.devices.values()]
      .filter(({ means, input }) => means === 'press' && input !== null)
      .flatMap(({ kind, patterns }) => [kind, ...Object.values(patterns)]),
  )

/** A kind that a plan is for, but no device presses. */
export const kindsArePressed: Check = ({ site, config, extent }) => {
  if (!extent.complete('devices')) return []
  const known = pressed(site)
  return site.plans.flatMap(({ name, kinds }) => {
    const never = [...(kinds ?? [])].filter((kind) => !known.has(kind))
    if (kinds === null || never.length < kinds.size) return []
    const path =
      config.plans[name]!.when.kind === undefined ? ['plans', name, 'when'] : ['plans', name, 'when', 'kind']
    return advice(
      path,
      `no device presses ${list(never, 'or')}: only the API, an operator or a sender that says the kind starts this plan`,
    )
  })
}
