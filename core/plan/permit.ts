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
    /** Open silent incidents that have nothing to do with it, where it is nothing urgent: a test, or a fault. */
    readonly beside: readonly Incident[]
    readonly target: Device | ContactPath | undefined
    readonly perceptible: Perceptible
  },
  command: Command,
  now: number,
): Refusal | null => {
  if (command.expiresAt !== null && now > command.expiresAt)
    return { end: 'expired', why: `${Math.round((now - command.expiresAt) / 1_000)} s after it had to start` }
  const { site, incident, beside, target, perceptible } = about
  const stopped = incident ? stoppedBy(incident, command.unless) : null
  if (stopped) return { end: 'cancelled', why: stopped }
  // Withdrawing our own override is no provocation worth keeping a door for.
  if (!target || command.capability === 'door.release') return null
  for (const one of incident ? [incident, ...beside] : beside) {
    const why = disturbance(site, one, perceptible, target)
    if (why !== null) return { end: 'suppressed', why }
  }
  return null
}
