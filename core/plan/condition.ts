import type { Condition } from '../command.ts'
import type { Incident } from '../incident/incident.ts'

/** Whether a condition holds; each later one includes the earlier: who is on the scene has acknowledged. */
const holds = (incident: Incident, condition: Condition): boolean => {
  switch (condition) {
    case 'acknowledged':
      return incident.acknowledged !== null || holds(incident, 'on-the-way')
    case 'on-the-way':
      return incident.onTheWay !== null || holds(incident, 'on-scene')
    case 'on-scene':
      return incident.onScene !== null || incident.resolved !== null
    case 'resolved':
      return incident.resolved !== null
  }
}

/** The first of the conditions that holds, if any. */
export const stoppedBy = (incident: Incident, unless: readonly Condition[]): Condition | null =>
  unless.find((condition) => holds(incident, condition)) ?? null
