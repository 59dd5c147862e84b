import { heartbeatActs } from '../../supervision/heartbeat.ts'
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

/** What is observed exists, proves itself, and is not the only way to those who would hear that it failed. */
export const heartbeatIsObserved: Check = ({ config, site, extent }) => {
  const { heartbeat } = config.supervision
  if (!heartbeat || !extent.complete('devices')) return []
  const names = Array.isArray(heartbeat.to) ? heartbeat.to : [heartbeat.to]
  const found = names.flatMap((name, index) => {
    const at = ['supervision', 'heartbeat', 'to', ...(Array.isArray(heartbeat.to) ? [index] : [])]
    const device = site.devices.get(name)
    if (!device)
      return [fatal(at, `there is no device \`${name}\`: ${didYouMean(name, site.devices.keys())}`)]
    if (heartbeatActs.some((act) => device.can.has(act))) return []
    const message = `\`${name}\` can't be observed: it must offer one of ${heartbeatActs.join(', ')}`
    return [fatal(at, message)]
  })
  const { administrators } = site.supervision
  const links = new Set(site.supervision.heartbeat?.to.map(({ link }) => link))
  const isSecond = administrators.some(({ link }) => !links.has(link))
  const at = ['supervision', 'heartbeat']
  if (administrators.length === 0)
    return [...found, advice(at, 'nobody hears of missed heartbeats: add `administrators`', 'key')]
  return isSecond || found.length > 0
    ? found
    : [advice(at, 'administrators are reached only by what is observed: give them a second path', 'key')]
}

/** The relay of the watchdog is a relay, and no plan plays with it. */
export const watchdogHoldsARelay: Check = ({ config, site, extent }) => {
  const { watchdog } = config.supervision
  if (!watchdog || !extent.complete('devices')) return []
  const at = ['supervision', 'watchdog', 'relay']
  const device = site.devices.get(watchdog.relay)
  if (!device)
    return [
      fatal(
        at,
        `there is no device \`${watchdog.relay}\`: ${didYouMean(watchdog.relay, site.devices.keys())}`,
      ),
    ]
  if (!device.can.has('relay.set')) return [fatal(at, `\`${device.name}\` is no relay`)]
  const plan = site.plans.find(({ steps }) =>
    steps.some((step) => step.do.some(({ to }) => to.includes(device.name))),
  )
  return plan
    ? [fatal(at, `the plan \`${plan.name}\` sets this relay: the watchdog needs one of its own`)]
    : []
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
