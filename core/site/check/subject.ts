import type { Capability } from '../../capability.ts'
import { capabilities } from '../../capability.ts'
import type { Catalogue } from '../compile.ts'
import type { SiteConfig } from '../config.ts'
import type { Problem } from '../explain.ts'
import { guardingDoors, nearestCameras, within } from '../places.ts'
import type { Act, Device, Place, Plan, Site, Step } from '../site.ts'

export type Section = 'places' | 'connectors' | 'devices' | 'responders' | 'plans'

/** How much of the config could be read. */
export interface Extent {
  /** Whether a name stands in the config although its entry could not be read: then it isn't missing. */
  unread(section: Section, name: string): boolean
  /** Whether all of a section could be read: only then can be said what it lacks. */
  complete(section: Section): boolean
}

/** What is checked. */
export interface Subject {
  readonly config: SiteConfig
  readonly site: Site
  readonly catalogue: Catalogue
  readonly extent: Extent
}

export type Path = readonly (string | number)[]
/** One rule, or a few that belong together. Pure. */
export type Check = (subject: Subject) => readonly Problem[]

export const fatal = (path: Path, message: string, at?: 'key'): Problem => ({
  path,
  message,
  fatal: true,
  ...(at ? { at } : {}),
})

export const advice = (path: Path, message: string, at?: 'key'): Problem => ({
  path,
  message,
  fatal: false,
  ...(at ? { at } : {}),
})

/** One act of a plan with its place in the config. */
export interface PlannedAct {
  readonly plan: Plan
  readonly step: Step
  readonly act: Act
  readonly at: Path
  readonly because: boolean
  /** Path of the n-th name in `to`. */
  toAt(index: number): Path
}

export const actsOf = ({ config, site }: Subject): PlannedAct[] =>
  site.plans.flatMap((plan) =>
    plan.steps.flatMap((step) =>
      step.do.map((act, index) => {
        const source = config.plans[plan.name]!
        const fields = source.steps[step.index]!.do[index]![act.capability]!
        const at = ['plans', plan.name, 'steps', step.index, 'do', index, act.capability]
        const toAt = (n: number) => [...at, 'to', ...(Array.isArray(fields.to) ? [n] : [])]
        const because = fields.because !== undefined || source.because !== undefined
        return { plan, step, act, at, toAt, because }
      }),
    ),
  )

/** The places whose presses a plan may be for. */
export const coveredBy = ({ places }: Plan, site: Site): readonly Place[] =>
  [...site.places.values()].filter((place) => places?.some((top) => within(place, top)) ?? true)

export const isLock = ({ capability }: Act): boolean =>
  capability === 'door.secure' || capability === 'door.lockdown'

/** The devices that an act reaches for a press at `place`. */
export const reachedAt = (site: Site, act: Act, place: Place): readonly Device[] =>
  act.to.flatMap((name) => {
    if (name === 'guarding') return guardingDoors(site, place)
    if (name !== 'nearest') return site.devices.get(name) ?? []
    const views = nearestCameras(site, place).filter(({ device }) => device.can.has(act.capability))
    return views
      .filter(({ preset }) => act.capability !== 'camera.preset' || preset !== null)
      .map(({ device }) => device)
  })

/** The capability by its name: built in, or brought by a connector. */
export const capabilityOf = (catalogue: Catalogue, name: string): Capability | undefined => {
  if (Object.hasOwn(capabilities, name)) return capabilities[name as keyof typeof capabilities] as Capability
  for (const { can } of catalogue.values()) {
    const own = (can ?? []).find((capability) => capability.name === name)
    if (own) return own
  }
  return undefined
}

/** Says where something happens: fatal when everywhere, advice when it depends on the place of the press. */
export const where = (
  covered: readonly Place[],
  happens: (place: Place) => string | null,
  at: Path,
  say: (why: string, where: string) => string,
): Problem[] => {
  const hits = covered.flatMap((place) => {
    const why = happens(place)
    return why === null ? [] : [{ place, why }]
  })
  const [first] = hits
  if (!first) return []
  const names = hits.slice(0, 3).map(({ place }) => `\`${place.path}\``)
  const places = `${names.join(', ')}${hits.length > 3 ? ` and ${hits.length - 3} more` : ''}`
  return hits.length === covered.length
    ? [fatal(at, say(first.why, 'for every press of this plan'))]
    : [advice(at, say(first.why, `for a press in ${places}`))]
}
