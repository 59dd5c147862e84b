import type { Perceptible } from '../capability.ts'
import type { Command } from '../command.ts'
import type { Refusal } from '../dispatch/dispatch.ts'
import type { Incident } from '../incident/incident.ts'
import type { ContactPath, Device, Site } from '../site/site.ts'
import { stoppedBy } from './condition.ts'
import { disturbance } from './silence.ts'

/**
 * The rules of the plan once more, in the turn of the send: what was right when it was planned may be late, stopped or
 * loud by now. null: it may go. Doors have rules of their own on top (`core/door`).
 */
export const permit = (
  about: {
    readonly site: Site
    readonly incident: Incident | undefined
    readonly target: Device | ContactPath | undefined
    readonly perceptible: Perceptible
  },
  command: Command,
  now: number,
): Refusal | null => {
  if (command.expiresAt !== null && now > command.expiresAt)
    return { end: 'expired', why: `${Math.round((now - command.expiresAt) / 1_000)} s after it had to start` }
  const { site, incident, target, perceptible } = about
  if (!incident) return null
  const stopped = stoppedBy(incident, command.unless)
  if (stopped) return { end: 'cancelled', why: stopped }
  // Withdrawing our own override is no provocation worth keeping a door for.
  if (!target || command.capability === 'door.release') return null
  const why = disturbance(site, incident, perceptible, target)
  return why === null ? null : { end: 'suppressed', why }
}
