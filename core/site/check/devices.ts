import { Level, levels } from '../../fact.ts'
import type { Problem } from '../explain.ts'
import type { Device } from '../site.ts'
import { didYouMean } from '../suggest.ts'
import { advice, type Check, fatal, type Subject } from './subject.ts'

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

/** Whether the connector itself knows where its presses come from, as badge gateways do. */
const locates = ({ config }: Subject, { connector }: Device): boolean =>
  config.connectors[connector]?.['areas'] !== undefined

interface Area {
  readonly place?: unknown
  readonly precision?: unknown
}

/** The areas that a connector maps to places, as badge gateways do. */
const areasOf = (config: unknown): [string, Area][] => {
  const areas = (config as { areas?: unknown } | null)?.areas
  if (areas === null || typeof areas !== 'object') return []
  return Object.entries(areas).filter(([, area]) => area !== null && typeof area === 'object')
}

/** An area leads to a place that exists, and claims no more than the place can tell (safety.md, "Location"). */
export const areasAreKnown: Check = ({ site, extent }) =>
  [...site.connectors.values()].flatMap(({ name, config }) =>
    areasOf(config).flatMap(([key, { place: path, precision }]): Problem[] => {
      if (typeof path !== 'string') return []
      const at = ['connectors', name, 'areas', key]
      const place = site.places.get(path)
      if (!place)
        return extent.unread('places', path)
          ? []
          : [
              fatal(
                [...at, 'place'],
                `there is no place \`${path}\`: ${didYouMean(path, site.places.keys())}`,
              ),
            ]
      const level = Level.safeParse(precision)
      if (!level.success || levels.indexOf(level.data) <= levels.indexOf(place.level)) return []
      return [
        fatal([...at, 'precision'], `\`${path}\` is a ${place.level}: it can't be known by ${level.data}`),
      ]
    }),
  )

/** Where a press comes from is known, and as exactly as its place promises. */
export const pressesHavePlaces: Check = (subject) =>
  [...subject.site.devices.values()].filter(isPressed).flatMap((device): Problem[] => {
    const { name, place } = device
    if (!place)
      return subject.config.devices[name]!.place !== undefined || locates(subject, device)
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
