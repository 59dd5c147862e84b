import { findFaultPlan } from '../../supervision/route.ts'
import { didYouMean } from '../suggest.ts'
import { namedIn } from '../supervision.ts'
import { advice, type Check, fatal } from './subject.ts'

/** Whoever is told of faults exists, and can be reached. */
export const faultsAreTold: Check = ({ config, site, extent }) =>
  namedIn(config.supervision).flatMap(({ at, name }) => {
    const path = ['supervision', ...at]
    const responder = site.responders.get(name)
    if (!responder)
      return extent.unread('responders', name)
        ? []
        : fatal(path, `there is no responder \`${name}\`: ${didYouMean(name, site.responders.keys())}`)
    const isUnreachable = responder.paths.length === 0 && extent.complete('responders')
    return isUnreachable ? fatal(path, `\`${name}\` can't be reached: its group has no way to anybody`) : []
  })

/** A fault that nobody hears of is found when somebody needs the button. */
export const faultsAreHeard: Check = ({ config, site, extent }) => {
  if (!extent.complete('devices') || site.devices.size === 0) return []
  if (config.supervision.maintenance !== undefined) return []
  const everywhere = site.supervision.plans.some(({ places, classes }) => !places && !classes)
  return everywhere
    ? []
    : [
        advice(
          ['site'],
          'nobody is told of faults: add `supervision: { maintenance: … }` with a responder',
          'key',
        ),
      ]
}

/** A plan that another one always goes before. */
export const faultPlansAreReached: Check = ({ site, extent }) => {
  if (!extent.complete('places')) return []
  return site.supervision.plans.flatMap((plan) => {
    const classes = plan.classes ? [...plan.classes] : ([null] as const)
    const places = plan.places ?? [null]
    const wins = classes.some((fault) =>
      places.some((place) => findFaultPlan(site.supervision.plans, fault, place) === plan),
    )
    return wins || places.length === 0
      ? []
      : advice(
          ['supervision', 'plans', plan.name],
          `\`${plan.name}\` is never chosen: another comes first`,
          'key',
        )
  })
}
