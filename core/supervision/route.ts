import { pathDepth, within } from '../site/places.ts'
import type { ContactPath, FaultPlan, Place, Site } from '../site/site.ts'
import type { FaultClass } from './kinds.ts'

/** The plan for a fault: the closest place wins, then one for classes over one for all. `fault` null: any class. */
export const findFaultPlan = (
  plans: readonly FaultPlan[],
  fault: FaultClass | null,
  place: Place | null,
): FaultPlan | null => {
  let best: FaultPlan | null = null
  let score = -1
  for (const plan of plans) {
    if (plan.classes && !(fault && plan.classes.has(fault))) continue
    const closeness = plan.places
      ? Math.max(-1, ...plan.places.filter((at) => place && within(place, at)).map((at) => pathDepth(at) + 1))
      : 0
    if (closeness < 0) continue
    const value = closeness * 2 + (plan.classes ? 1 : 0)
    if (value > score) [best, score] = [plan, value]
  }
  return best
}

/** Who is told of a fault: by a plan, else maintenance of what hangs and connects, administrators of the bridge itself. */
export const routeOf = (
  { supervision }: Pick<Site, 'supervision'>,
  fault: FaultClass,
  place: Place | null,
): readonly ContactPath[] => {
  const plan = findFaultPlan(supervision.plans, fault, place)
  if (plan) return plan.to
  return fault === 'system' || fault === 'path' ? supervision.administrators : supervision.maintenance
}

/** Where all of a link's devices are, as exactly as one place can say it. */
export const commonPlace = (places: readonly (Place | null)[]): Place | null => {
  const [first, ...rest] = places
  for (let at = first ?? null; at; at = at.parent)
    if (rest.every((place) => place && within(place, at!))) return at
  return null
}
