/** What a fault concerns: who should look after it depends on that. */
export const faultClasses = ['device', 'link', 'path', 'system'] as const
export type FaultClass = (typeof faultClasses)[number]

/** How people are told of a fault: a page once it has lasted, a line of the daily digest, or only on screens. */
export type Telling = 'page' | 'digest' | 'screen'

interface FaultKind {
  readonly class: FaultClass
  readonly telling: Telling
  /** As the digest counts it: "3 low battery". */
  readonly title: string
}

const of = (fault: FaultClass, telling: Telling, title: string): FaultKind => ({
  class: fault,
  telling,
  title,
})

/** Only what takes protection from a place pages anybody (safety.md, "Silence of devices"). By the first word of a fault's id. */
const kinds: Readonly<Record<string, FaultKind>> = {
  'link-down': of('link', 'page', 'not connected'),
  stale: of('link', 'page', 'without data'),
  unknown: of('device', 'page', 'cannot be read'),
  lost: of('device', 'page', 'silent'),
  tamper: of('device', 'page', 'tampered with'),
  'power-loss': of('device', 'page', 'without power'),
  'comm-loss': of('device', 'page', 'without communication'),
  bypassed: of('device', 'page', 'bypassed'),
  fault: of('device', 'page', 'faulty'),
  'held-unknown': of('device', 'page', 'held, not configured'),
  'door-unexpected': of('device', 'page', 'locked by nobody'),
  'low-battery': of('device', 'digest', 'low battery'),
  missing: of('device', 'digest', 'missing'),
  'test-overdue': of('device', 'digest', 'test overdue'),
  'never-tested': of('device', 'digest', 'never tested'),
  damaged: of('device', 'digest', 'damaged'),
  'unknown-source': of('device', 'digest', 'pressed, not configured'),
  // Responders run through doors, and fire is for the fire panel to tell.
  'door-forced': of('device', 'screen', 'forced'),
  forced: of('device', 'screen', 'forced'),
  'held-open': of('device', 'screen', 'held open'),
  fire: of('device', 'screen', 'fire'),
  heartbeat: of('path', 'page', 'heartbeat missed'),
  'watchdog-relay': of('path', 'page', 'watchdog relay'),
  'no-token': of('device', 'page', 'token missing'),
  worker: of('path', 'page', 'worker away'),
  'worker-mistaken': of('path', 'page', 'worker mistaken'),
  'worker-link': of('path', 'page', 'not connected on a worker'),
  queue: of('path', 'page', 'Redis away'),
  'late-commands': of('path', 'page', 'waiting commands'),
  'late-steps': of('system', 'page', 'late steps'),
  store: of('system', 'page', 'not recording'),
  'store-damage': of('system', 'page', 'damaged store'),
  ballast: of('system', 'page', 'disk full'),
  defect: of('system', 'page', 'defect'),
  'clock-off': of('device', 'digest', 'clock off'),
  'clock-behind': of('system', 'digest', 'clock behind'),
  'clock-step': of('system', 'digest', 'clock stepped'),
  isolated: of('system', 'page', 'started isolated'),
  'event-loop': of('system', 'screen', 'program away'),
}

/** What nobody has thought of yet is worth a page. */
const other = of('system', 'page', 'other')

const nameOf = (id: string): string => {
  const colon = id.indexOf(':')
  return colon < 0 ? id : id.slice(0, colon)
}

export const kindOf = (id: string): FaultKind => kinds[nameOf(id)] ?? other

/** What a fault's id says it is about: the device, link or source; empty for the bridge itself. */
export const subjectOf = (id: string): string => {
  const colon = id.indexOf(':')
  return colon < 0 ? '' : id.slice(colon + 1)
}
