import { BridgeError } from '../core/error.ts'
import { nextTimeOfDay, parseInstant } from '../core/site/zone.ts'

/** A time that is still to come, as people write it: `14:30` on the wall of the site, or a date with it. Throws BAD_REQUEST. */
export const timeIn = (zone: string, text: string, now: number): number => {
  const isTimeOfDay = /^([01]\d|2[0-3]):[0-5]\d$/.test(text)
  const at = isTimeOfDay ? nextTimeOfDay(zone, text, now) : parseInstant(zone, text)
  if (at === null)
    throw new BridgeError('BAD_REQUEST', `\`${text}\` is no time: write 14:30, or 2026-11-22 14:30`)
  if (at <= now) throw new BridgeError('BAD_REQUEST', `\`${text}\` has passed`)
  return at
}
