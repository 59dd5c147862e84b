import { namedIn } from '../supervision.ts'
import { advice, type Check, fatal } from './subject.ts'

/** Each way to tell somebody can tell. */
export const pathsCanPage: Check = ({ config, site }) =>
  Object.entries(config.responders).flatMap(([name, responder]) => {
    if (!('page' in responder)) return []
    const ways = Array.isArray(responder.page) ? responder.page : [responder.page]
    return ways.flatMap(({ connector }, index) => {
      const entry = site.connectors.get(connector)
      if (!entry || (entry.connector.can ?? []).some((capability) => capability.name === 'page.send'))
        return []
      const at = ['responders', name, 'page', ...(Array.isArray(responder.page) ? [index] : []), 'connector']
      return fatal(
        at,
        `\`${connector}\` (${entry.connector.type}) can't page people: it has no \`page.send\``,
      )
    })
  })

/** Everybody who is configured is told by some plan. */
export const respondersAreUsed: Check = ({ config, site, extent }) => {
  if (!extent.complete('plans')) return []
  const groups = Object.values(config.responders).flatMap((one) => ('group' in one ? one.group : []))
  const told = site.plans.flatMap(({ steps }) => steps.flatMap((step) => step.do.flatMap(({ to }) => to)))
  const ofFaults = namedIn(config.supervision).map(({ name }) => name)
  const used = new Set([...groups, ...told, ...ofFaults])
  return Object.keys(config.responders)
    .filter((name) => !used.has(name))
    .map((name) => advice(['responders', name], `no plan tells \`${name}\``, 'key'))
}
