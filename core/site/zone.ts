/** A time on the wall of the site. */
export interface WallTime {
  readonly year: number
  /** 1 to 12 */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
}

const formats = new Map<string, Intl.DateTimeFormat>()

const formatOf = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone)
  if (known) return known
  const part = '2-digit' as const
  const format = new Intl.DateTimeFormat('en-CA', {
    year: 'numeric',
    month: part,
    day: part,
    hour: part,
    minute: part,
    hourCycle: 'h23',
    timeZone: zone,
  })
  formats.set(zone, format)
  return format
}

/** What the wall of the site shows at an instant, ms since the epoch. */
export const wallTimeOf = (zone: string, at: number): WallTime => {
  const found: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(at)) found[type] = Number(value)
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0 } = found
  return { year, month, day, hour, minute }
}

const asUtc = ({ year, month, day, hour, minute }: WallTime): number =>
  Date.UTC(year, month - 1, day, hour, minute)

/**
 * The instant at which the wall of the site shows a time, ms since the epoch. A time that is skipped in spring is as long after
 * midnight as it says; of one that comes twice in autumn it is the first.
 */
export const instantOf = (zone: string, wall: WallTime): number => {
  const wanted = asUtc(wall)
  const offsets = [wanted - 86_400_000, wanted + 86_400_000].map((at) => asUtc(wallTimeOf(zone, at)) - at)
  const tries = offsets.map((offset) => wanted - offset)
  const right = tries.filter((at) => asUtc(wallTimeOf(zone, at)) === wanted)
  return right.length > 0 ? Math.min(...right) : (tries[0] as number)
}

/** The next instant after `after` at which the wall of the site shows a time of day, "07:00". */
export const nextTimeOfDay = (zone: string, time: string, after: number): number => {
  const [hour, minute] = time.split(':').map(Number) as [number, number]
  const today = wallTimeOf(zone, after)
  for (let days = 0; ; days++) {
    const at = instantOf(zone, { ...today, day: today.day + days, hour, minute })
    if (at > after) return at
  }
}

const written = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** A date, or a date and time, as people and lists write it; without an offset on the wall of the site. null: it is none. */
export const parseInstant = (zone: string, text: string): number | null => {
  const found = written.exec(text.trim())
  if (!found) return null
  if (found[6] !== undefined) {
    const at = Date.parse(text.trim().replace(' ', 'T'))
    return Number.isNaN(at) ? null : at
  }
  const [year, month, day, hour, minute] = found.slice(1, 6).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const wall = { year, month, day, hour, minute }
  const utc = new Date(asUtc(wall))
  // 2026-02-30 and 25:00 are no times.
  const isReal = utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day && hour < 24 && minute < 60
  return isReal ? instantOf(zone, wall) : null
}
