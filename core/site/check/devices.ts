import { levels } from '../../fact.ts'
import type { Problem } from '../explain.ts'
import type { Device, Site } from '../site.ts'
import { didYouMean } from '../suggest.ts'
import { advice, type Check, fatal } from './subject.ts'

/** What describes presses stands only on what is pressed. */
export const pressFieldsFit: Check = ({ config }) =>
  Object.entries(config.devices).flatMap(([name, device]) => {
    if (device.means === 'press') return []
    const fields = (['kind', 'patterns', 'silent'] as const).filter((field) => device[field] !== undefined)
    return fields.map((field) =>
      fatal(
        ['devices', name, field],
        `\`${field}\` describes a press, but \`means: ${device.means}\` says that it is none`,
        'key',
      ),
    )
  })

const isPressed = ({ means, input }: Device): boolean => means === 'press' && input !== null

/** A place that a connector names is there, and is claimed no more exactly than it can be told (safety.md, "Location"). */
export const areasAreKnown: Check = ({ site, extent }) =>
  [...site.locating].flatMap(([name, named]) =>
    named.flatMap(({ path, place: wanted, precision }): Problem[] => {
      const at = ['connectors', name, ...path]
      const place = site.places.get(wanted)
      if (!place) {
        if (extent.unread('places', wanted)) return []
        const message = `there is no place \`${wanted}\`: ${didYouMean(wanted, site.places.keys())}`
        return [fatal([...at, 'place'], message)]
      }
      if (levels.indexOf(precision) <= levels.indexOf(place.level)) return []
      const message = `\`${wanted}\` is a ${place.level}: it can't be known by ${precision}`
      return [fatal([...at, 'precision'], message)]
    }),
  )

/** Whether what brings the press knows where from: gateways by their areas, phones by themselves. */
const saysWhere = ({ locating, connectors }: Site, { connector }: Device): boolean =>
  locating.has(connector) || connectors.get(connector)?.connector.source === 'mobile'

/** Where a press comes from is known, and as exactly as its place promises. */
export const pressesHavePlaces: Check = (subject) =>
  [...subject.site.devices.values()].filter(isPressed).flatMap((device): Problem[] => {
    const { name, place } = device
    if (!place)
      return subject.config.devices[name]!.place !== undefined || saysWhere(subject.site, device)
        ? []
        : [
            advice(
              ['devices', name],
              `a press on \`${name}\` has no place, unless its sender says one: add \`place:\``,
            ),
          ]
    if (place.precision === null || levels.indexOf(place.level) >= levels.indexOf(place.precision)) return []
    return [
      advice(
        ['devices', name, 'place'],
        `\`${place.path}\` promises to locate presses by ${place.precision}, but this only tells the ${place.level}`,
      ),
    ]
  })

/** What a device is said to see or lead to fits what it can do. */
export const facetsFit: Check = ({ config, site, extent }) =>
  [...site.devices.values()].flatMap((device): Problem[] => {
    if (!extent.complete('connectors') || !extent.complete('devices')) return []
    const { sees } = config.devices[device.name]!
    const at = ['devices', device.name, 'sees']
    if (sees && !device.can.has('camera.preset') && !device.can.has('camera.snapshot'))
      return [
        fatal(
          at,
          `\`${device.name}\` is no camera: \`${device.connector}\` gives it neither presets nor pictures`,
          'key',
        ),
      ]
    return Object.entries(sees ?? {}).flatMap(([path, { preset }]) =>
      preset !== undefined && !device.can.has('camera.preset')
        ? [fatal([...at, path, 'preset'], `\`${device.name}\` can't be turned to a preset`)]
        : [],
    )
  })

/** A phone has no wire: its token is all that tells it from anybody else's. */
export const phonesHaveTokens: Check = ({ site }) =>
  [...site.devices.values()].flatMap(({ name, connector, token }) =>
    site.connectors.get(connector)?.connector.type === 'mobile' && token === null
      ? [fatal(['devices', name], `\`${name}\` presses over the API: give it a \`token:\` of its own`)]
      : [],
  )

/** What is configured is heard, or used by a plan. */
export const devicesAreUsed: Check = ({ site, extent }) => {
  if (!extent.complete('plans')) return []
  const named = new Set(
    site.plans.flatMap(({ steps }) => steps.flatMap((step) => step.do.flatMap(({ to }) => to))),
  )
  return [...site.devices.values()]
    .filter(({ input, name }) => input === null && !named.has(name))
    .filter(({ camera, door }) => !camera?.sees.size && !door?.guards.length)
    .map(({ name }) =>
      advice(
        ['devices', name],
        `nothing uses \`${name}\`: no plan names it, and it sees and guards no place`,
        'key',
      ),
    )
}
