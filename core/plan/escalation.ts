import type { Incident } from '../incident/incident.ts'
import type { Step } from '../site/site.ts'

/**
 * When each escalation step (one with `unless`) falls due in the present wait for an acknowledgement. A decline brings
 * the next one that is still to come forward to its own time; a decline with none left is returned in `beyond`.
 */
export const escalations = (
  later: readonly Step[],
  incident: Pick<Incident, 'armedAt' | 'declines'>,
): { steps: { step: Step; dueAt: number }[]; beyond: { n: number; at: number }[] } => {
  const steps = later
    .filter(({ unless }) => unless.length > 0)
    .map((step) => ({ step, dueAt: incident.armedAt + step.atMs }))
    .sort((a, b) => a.dueAt - b.dueAt)
  const beyond: { n: number; at: number }[] = []
  const declines = incident.declines.filter(({ at }) => at >= incident.armedAt)
  declines.forEach(({ at }, n) => {
    const next = steps.find(({ dueAt }) => dueAt > at)
    if (next) next.dueAt = at
    else beyond.push({ n, at })
  })
  return { steps, beyond }
}

/** When an acknowledged incident with nobody on the scene escalates again; null while that is not so. */
export const overdueAt = (
  incident: Pick<Incident, 'armedAt' | 'acknowledged' | 'onTheWay' | 'onScene'>,
  targetMs: number,
): number | null => {
  const answered = Math.min(incident.acknowledged?.at ?? Infinity, incident.onTheWay?.at ?? Infinity)
  if (incident.onScene || answered === Infinity) return null
  const target = incident.armedAt + targetMs
  // Acknowledged only after the target time: whoever it was gets that time anew.
  return answered <= target ? target : answered + targetMs
}

/** The latest reminder of an incident without news, `n` = 0 when there was none, and when the next one comes. */
export const reminderAt = (
  incident: Incident,
  everyMs: number,
  now: number,
): { n: number; at: number; nextAt: number } => {
  const newsAt = Math.max(
    incident.lastPressAt,
    incident.acknowledged?.at ?? 0,
    incident.onTheWay?.at ?? 0,
    incident.onScene?.at ?? 0,
    incident.moves.at(-1)?.at ?? 0,
  )
  const since = Math.floor((now - newsAt) / everyMs)
  const at = newsAt + since * everyMs
  // Numbered from the opening on: news never brings back the number of an earlier reminder.
  return { n: since < 1 ? 0 : Math.floor((at - incident.openedAt) / everyMs), at, nextAt: at + everyMs }
}
