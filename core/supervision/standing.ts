import type { Device } from '../site/site.ts'
import type { Inspection, Serviced, Tested } from './records.ts'

/** How a device stands, worst first: what of several things is true is told by the first. */
export const standings = [
  'service',
  'damaged',
  'lost',
  'missing',
  'late',
  'never-tested',
  'fine',
  'proven',
] as const

export interface Standing {
  readonly is: (typeof standings)[number]
  /** One sentence. */
  readonly why: string
}

/** What is known of one device. */
export interface Known {
  /** Of the link that it is on; `why` it is down, or its data old. */
  readonly link: { readonly good: boolean; readonly why: string }
  readonly quality: 'good' | 'unknown' | null
  /** When it was last heard, ms since the epoch; null: not since `since`. */
  readonly heardAt: number | null
  /** Since when it is waited for: the start of its link, or for a worn device its assignment. */
  readonly since: number
  /** Whether somebody carries it. */
  readonly assigned: boolean
  readonly tested: Tested | undefined
  readonly service: Serviced | undefined
  readonly inspection: Inspection | undefined
}

/** A worn device that nobody has heard for so long is missing, ms (safety.md, "Silence of devices"). */
const missingMs = 14 * 86_400_000
/** A worn device is tested so often by who wears it, where the config says nothing, ms (the same). */
const wornTestMs = 180 * 86_400_000

/** How a device stands. Pure: for a fixed device silence is a fault, a worn one may be silent for days. */
export const standing = (device: Device, known: Known, now: number): Standing => {
  const { service, inspection } = known
  if (service && now < service.until)
    return { is: 'service', why: `in service mode for ${words(service.until - now)} more: ${service.why}` }
  if (inspection?.damaged)
    return {
      is: 'damaged',
      why: `damaged, as ${inspection.by} saw ${ago(inspection.at, now)}: ${inspection.note}`,
    }
  return (device.worn ? worn(device, known, now) : fixed(device, known, now)) ?? tested(device, known, now)
}

const fixed = (device: Device, known: Known, now: number): Standing | null => {
  if (!known.link.good) return { is: 'lost', why: known.link.why }
  if (known.quality === 'unknown') return { is: 'lost', why: 'it cannot be read' }
  const silent = silence(device, known, now)
  return silent === null ? null : { is: 'lost', why: silent }
}

/** Why a fixed device counts as lost that says nothing any more; null while it may be silent. */
export const silence = (
  { silentAfterMs, input }: Pick<Device, 'silentAfterMs' | 'input'>,
  { heardAt, since }: Pick<Known, 'heardAt' | 'since'>,
  now: number,
): string | null => {
  if (silentAfterMs === null || input === null) return null
  const silentMs = now - Math.max(heardAt ?? since, since)
  if (silentMs <= silentAfterMs) return null
  return `nothing heard for ${words(silentMs)}, it should report within ${words(silentAfterMs)}`
}

const worn = (_device: Device, { assigned, heardAt, since }: Known, now: number): Standing | null => {
  if (!assigned) return { is: 'fine', why: 'nobody carries it' }
  const unseenMs = now - (heardAt ?? since)
  if (unseenMs < missingMs) return null
  return {
    is: 'missing',
    why: `${heardAt === null ? 'never heard, waited for' : 'not heard'} for ${words(unseenMs)}`,
  }
}

const tested = (device: Device, { tested: record, since }: Known, now: number): Standing => {
  const everyMs = testEvery(device)
  const proof = record?.proof ?? null
  const failed = record?.failed ? `; the last test failed: ${record.failed.why}` : ''
  if (everyMs === null) return { is: 'fine', why: `heard, no test is demanded${failed}` }
  if (proof === null) {
    // Who has just been given a badge gets the whole time for its first test.
    const isLate = device.worn && now - since >= everyMs
    return { is: isLate ? 'late' : 'never-tested', why: `never tested${failed}` }
  }
  const last = `tested ${ago(proof.at, now)} by ${proof.by} (${proof.how})`
  return now - proof.at > everyMs
    ? { is: 'late', why: `${last}, due every ${words(everyMs)}${failed}` }
    : { is: 'proven', why: last + failed }
}

/** How often it must be tested, ms; null: never. */
export const testEvery = ({
  testEveryMs,
  worn: isWorn,
}: Pick<Device, 'testEveryMs' | 'worn'>): number | null => testEveryMs ?? (isWorn ? wornTestMs : null)

const ago = (at: number, now: number): string => `${words(Math.max(0, now - at))} ago`

/** "40 s", "12 min", "3 h", "14 days". */
export const words = (ms: number): string => {
  const s = Math.round(ms / 1_000)
  if (s < 120) return `${s} s`
  if (s < 7_200) return `${Math.round(s / 60)} min`
  return s < 172_800 ? `${Math.round(s / 3_600)} h` : `${Math.round(s / 86_400)} days`
}
