import type { DoorMode } from '../capability.ts'

/** A door that we keep for an incident: a durable row, written before the first attempt. */
export interface Hold {
  /** The id of the lock command that it began with. */
  readonly id: string
  readonly door: string
  readonly incident: string
  readonly mode: 'secure' | 'lockdown'
  readonly since: number
  /** When it ends by itself, ms since the epoch. */
  readonly until: number
  readonly by: string
  /** What the door reported before our first lock. */
  readonly before: DoorMode
  /** Whether the door has been read back as locked for it. */
  readonly confirmed: boolean
  readonly ended: { readonly at: number; readonly why: string } | null
  /** Ended, and nothing of it can be on the door any more: released, read back, and read again. */
  readonly gone: boolean
}

const strength = { secure: 1, lockdown: 2 } as const

/** The strongest live hold is what the door should be. */
export const wantedHold = (live: Iterable<Hold>): Hold | null => {
  let strongest: Hold | null = null
  for (const hold of live)
    if (!hold.ended && (!strongest || strength[hold.mode] > strength[strongest.mode])) strongest = hold
  return strongest
}

/** Whether a mode that the door reports is what a hold asks for. */
export const satisfies = (reported: DoorMode, mode: Hold['mode']): boolean =>
  mode === 'lockdown'
    ? reported === 'lockdown'
    : reported === 'lockdown' || reported === 'locked' || reported === 'double-locked'

/** Whether what the door reports may be our lock, when we hold it no more. */
export const lingers = (
  reported: DoorMode,
  of: { readonly mode: Hold['mode']; readonly before: DoorMode },
): boolean =>
  of.mode === 'lockdown' ? reported === 'lockdown' : of.before === 'unlocked' && satisfies(reported, 'secure')
