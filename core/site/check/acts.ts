import { z } from 'zod'
import { type Capability, capabilities } from '../../capability.ts'
import type { Problem } from '../explain.ts'
import { read } from '../explain.ts'
import { didYouMean } from '../suggest.ts'
import {
  actsOf,
  type Check,
  capabilityOf,
  coveredBy,
  fatal,
  type PlannedAct,
  reachedAt,
  type Subject,
  where,
} from './subject.ts'

const knownCapabilities = ({ catalogue }: Subject): Set<string> =>
  new Set([
    ...Object.keys(capabilities),
    ...[...catalogue.values()].flatMap(({ can }) => (can ?? []).map(({ name }) => name)),
  ])

/** Each act names a capability that exists, with arguments that it takes. */
export const capabilitiesExist: Check = (subject) =>
  actsOf(subject).flatMap(({ act, at }) => {
    const capability = capabilityOf(subject.catalogue, act.capability)
    if (!capability) {
      const meant = didYouMean(act.capability, knownCapabilities(subject))
      return fatal(at, `there is no capability \`${act.capability.slice(0, 60)}\`: ${meant}`, 'key')
    }
    if (act.capability === 'door.release')
      return fatal(at, 'a plan releases no doors: write `limit:` where it locks them', 'key')
    return wrongArgs(capability, act.args, at)
  })

/** Arguments that the bridge itself gives, and whether a plan may give them too. */
const given: Readonly<Record<string, Readonly<Record<string, 'never' | 'may'>>>> = {
  'page.send': { message: 'never' },
  'event.send': { message: 'never' },
  'camera.preset': { preset: 'may' },
}

const wrongArgs = (
  capability: Capability,
  args: object,
  at: readonly (string | number)[],
): readonly Problem[] => {
  const { args: schema } = capability
  if (!(schema instanceof z.ZodObject)) return read(schema, args, at).problems
  const fields = Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) => {
    const ours = given[capability.name]?.[name]
    return ours === 'never' ? [] : [[name, ours === 'may' ? field.optional() : field] as const]
  })
  return read(z.strictObject(Object.fromEntries(fields)), args, at).problems
}

const special = ['nearest', 'guarding']

/** Each name in `to` is one that the capability can be sent to. */
export const targetsExist: Check = (subject) =>
  actsOf(subject).flatMap((planned) =>
    planned.act.to.flatMap((name, index) => wrongTarget(subject, planned, name, index)),
  )

const wrongTarget = (
  { site, extent, config }: Subject,
  { act, toAt }: PlannedAct,
  name: string,
  index: number,
): Problem[] => {
  const { capability } = act
  const at = toAt(index)
  if (name === 'nearest')
    return capability.startsWith('camera.')
      ? []
      : [fatal(at, '`nearest` means cameras: name the targets instead')]
  if (name === 'guarding')
    return capability.startsWith('door.')
      ? []
      : [fatal(at, '`guarding` means doors: name the targets instead')]
  if (capability === 'page.send') {
    if (site.responders.has(name) || extent.unread('responders', name)) return []
    const hint = Object.hasOwn(config.devices, name)
      ? `\`${name}\` is a device, and \`page.send\` tells responders`
      : `there is no responder \`${name}\`: ${didYouMean(name, site.responders.keys())}`
    return [fatal(at, hint)]
  }
  const device = site.devices.get(name)
  if (!device) {
    if (extent.unread('devices', name) || Object.hasOwn(config.devices, name)) return []
    if (Object.hasOwn(config.responders, name))
      return [fatal(at, `\`${name}\` is a responder, and \`${capability}\` acts on devices`)]
    const doors = capability.startsWith('door.')
      ? ['guarding']
      : capability.startsWith('camera.')
        ? ['nearest']
        : []
    return [
      fatal(
        at,
        `there is no device \`${name}\`: ${didYouMean(name, [...(config.devices ? Object.keys(config.devices) : []), ...doors])}`,
      ),
    ]
  }
  if (capability === 'door.highlight' && device.door && site.connectors.has('console')) return []
  if (device.can.has(capability) || !extent.complete('devices') || !extent.complete('connectors')) return []
  const can =
    device.can.size > 0
      ? `it can ${[...device.can].map((one) => `\`${one}\``).join(', ')}`
      : 'it has no `output`'
  return [fatal(at, `\`${name}\` on \`${device.connector}\` can't do \`${capability}\`: ${can}`)]
}

/** Names with a meaning of their own, or that could mean two things. */
export const namesAreClear: Check = ({ config }) => {
  const clash = (section: 'devices' | 'responders') =>
    Object.keys(config[section]).flatMap((name) =>
      special.includes(name)
        ? [fatal([section, name], `\`${name}\` has a meaning of its own in \`to\`: use another name`, 'key')]
        : section === 'responders' && Object.hasOwn(config.devices, name)
          ? [
              fatal(
                [section, name],
                `there is a device \`${name}\` too: use another name for one of them`,
                'key',
              ),
            ]
          : [],
    )
  return [...clash('devices'), ...clash('responders')]
}

/** `nearest` finds a camera, and `guarding` a door, for what the plan covers. */
export const targetsAreReached: Check = (subject) => {
  const { site, extent } = subject
  if (!extent.complete('devices') || !extent.complete('places') || !extent.complete('connectors')) return []
  return actsOf(subject).flatMap((planned) => {
    const { act, plan } = planned
    const covered = coveredBy(plan, site)
    return act.to.flatMap((name, index) => {
      if (!special.includes(name) || covered.length === 0) return []
      const nobody = (place: (typeof covered)[number]) =>
        reachedAt(site, { ...act, to: [name] }, place).length === 0 ? name : null
      const missing = where(covered, nobody, planned.toAt(index), (_why, presses) =>
        name === 'nearest'
          ? `no camera ${act.capability === 'camera.preset' ? 'with a preset ' : ''}sees it ${presses}: add \`sees:\` to a camera`
          : `no door guards it ${presses}: add \`guards:\` to a door`,
      )
      // A plan for the whole site is not expected to find a camera and a door everywhere.
      return plan.places === null ? missing.filter((problem) => problem.fatal) : missing
    })
  })
}

/** A camera that is named is turned to a preset that is named too. */
export const presetsAreKnown: Check = (subject) =>
  actsOf(subject).flatMap(({ act, toAt }) =>
    act.to.flatMap((name, index) => {
      const camera = act.capability === 'camera.preset' ? subject.site.devices.get(name)?.camera : null
      if (!camera || act.args['preset'] !== undefined) return []
      if ([...camera.sees.values()].some(({ preset }) => preset !== null)) return []
      return fatal(toAt(index), `which preset of \`${name}\`? Write \`preset:\` here or in its \`sees:\``)
    }),
  )

const reserved = ['to', 'expires', 'limit', 'because']

/** A connector's own capability must not take an argument that means something in every step. */
export const argumentsAreFree: Check = ({ site }) =>
  [...site.connectors.values()].flatMap(({ name, connector }) =>
    (connector.can ?? []).flatMap((capability) => {
      const shape = capability.args instanceof z.ZodObject ? Object.keys(capability.args.shape) : []
      const taken = shape.filter((argument) => reserved.includes(argument))
      return taken.length === 0
        ? []
        : fatal(
            ['connectors', name, 'type'],
            `\`${connector.type}\` can't be used: the argument \`${taken[0]}\` of its capability \`${capability.name}\` is reserved`,
          )
    }),
  )
