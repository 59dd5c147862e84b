import type { Perceptible } from '../capability.ts'
import type { Incident } from '../incident/incident.ts'
import { near } from '../site/places.ts'
import type { ContactPath, Device, Place, Site } from '../site/site.ts'

/**
 * Why an act may not go out in a silent incident; null when it may (safety.md, "Silence").
 * Asked when planning and again in the turn of the send, since an incident may become silent and may move.
 */
export const disturbance = (
  site: Site,
  incident: Pick<Incident, 'silent' | 'been' | 'persons' | 'devices'>,
  perceptible: Perceptible,
  target: Device | ContactPath,
): string | null => {
  if (!incident.silent || perceptible === 'none') return null
  const noticed = noticeable(site, incident, target)
  if (noticed === 'none') return null
  if (target.person !== null && incident.persons.includes(target.person))
    return `silent: ${target.name} is carried by the presser`
  if (incident.devices.includes(target.name)) return `silent: ${target.name} is the presser's own device`
  const places = placesOf(target)
  const person = 'responder' in target
  if (places.length === 0)
    return person ? null : `silent: ${target.name} makes ${noticed}, and its place is not configured`
  if (incident.been.length === 0)
    return person ? null : `silent: ${target.name} makes ${noticed}, and the place of the press is unknown`
  const close = places.find((place) => incident.been.some((path) => isNear(site, path, place)))
  return close ? `silent: ${target.name} makes ${noticed} at or next to the place` : null
}

/** What people nearby would notice; undeclared counts as sound, of a camera as motion. */
const noticeable = (
  site: Site,
  incident: Pick<Incident, 'been'>,
  target: Device | ContactPath,
): Perceptible => {
  if ('responder' in target) return target.perceptible ?? 'sound'
  if (target.door) return target.door.noise ?? target.perceptible ?? 'sound'
  if (!target.camera) return target.perceptible ?? 'sound'
  const { sees } = target.camera
  const mayMove =
    incident.been.length > 0 && incident.been.every((path) => site.places.get(path)?.camerasMayMove)
  if (mayMove) return 'none'
  const unseen = incident.been.some((path) => sees.has(path))
    ? incident.been.every((path) => !sees.has(path) || sees.get(path)?.perceptible === 'none')
    : false
  return unseen ? 'none' : (target.perceptible ?? 'motion')
}

const placesOf = (target: Device | ContactPath): readonly Place[] => {
  const own = target.place === null ? [] : [target.place]
  return 'door' in target && target.door ? [...own, ...target.door.guards] : own
}

/** At the place, inside it, around it, or next to it; a place that the config has lost could be anywhere. */
const isNear = (site: Site, path: string, place: Place): boolean => {
  const been = site.places.get(path)
  return been ? near(been).has(place) : true
}
