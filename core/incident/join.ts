import type { Event, Location } from '../intake/event.ts'
import { staleLocationMs } from '../location/locate.ts'
import type { Incident } from './incident.ts'

/** Whether a place is known exactly enough to say that two presses there are one matter (safety.md). */
export const isExact = ({ precision }: Location): boolean =>
  precision === 'room' || precision === 'bed' || precision === 'zone'

/**
 * Whether a press belongs to an open incident: same kind, both drill or both real, within the window, and the same
 * device, person or exactly known place. Two persons of whom only the unit is known never join.
 */
const joins = (incident: Incident, event: Event, windowMs: number): boolean => {
  if (incident.resolved || incident.drill !== event.drill || incident.kind !== event.kind) return false
  if (event.receivedAt - incident.lastPressAt > windowMs) return false
  // Each device has a walk test of its own: it is the one that is to be proven.
  const testing = event.mode === 'walk-test'
  if (testing !== (incident.mode === 'walk-test')) return false
  if (testing) return event.source.device !== null && incident.devices.includes(event.source.device)
  if (event.person !== null && incident.persons.includes(event.person)) return true
  const { device, words } = event.source
  if (device === null ? incident.unknown.includes(words) : incident.devices.includes(device)) return true
  return samePlace(incident, event)
}

const samePlace = (incident: Incident, event: Event): boolean => {
  const known = incident.location
  const seen = event.location
  return (
    seen.place !== null &&
    seen.place === known.place &&
    isExact(seen) &&
    isExact(known) &&
    event.receivedAt - seen.at <= staleLocationMs &&
    incident.lastPressAt - known.at <= staleLocationMs
  )
}

/** The youngest open incident that the press belongs to. */
export const join = (open: Iterable<Incident>, event: Event, windowMs: number): Incident | null => {
  let found: Incident | null = null
  for (const incident of open)
    if (joins(incident, event, windowMs) && (!found || incident.openedAt > found.openedAt)) found = incident
  return found
}
