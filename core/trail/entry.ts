import type { Effect, Receipt } from '../command.ts'
import type { Kind } from '../fact.ts'
import type { Stay } from '../location/track.ts'
import type { ProofWay } from '../supervision/records.ts'

/** What the trail says happened. `incident` ties an entry to its incidents' timelines. */
export type Entry =
  | {
      readonly what: 'press'
      readonly incident: string | null
      readonly event: string
      readonly device: string | null
      readonly words: string
      readonly kind: Kind
      readonly phase: 'active' | 'restored'
      readonly place: string | null
      readonly precision: string | null
      readonly drill: boolean
      readonly simulated: boolean
      /** Where the worn device was in the minute before. */
      readonly trace?: readonly Stay[]
    }
  | {
      readonly what: 'opened'
      readonly incident: string
      readonly number: number
      readonly plan: string
      readonly silent: boolean
    }
  | {
      readonly what: 'change'
      readonly incident: string
      readonly is: string
      readonly by: string
      readonly note?: string
    }
  | {
      readonly what: 'command'
      readonly incident: string | null
      readonly command: string
      readonly target: string
      readonly capability: string
    }
  | {
      readonly what: 'retry'
      readonly incident: string | null
      readonly command: string
      readonly attempt: number
      readonly code: string
      readonly why: string
      readonly effect: Effect
    }
  | ({
      readonly what: 'receipt'
      readonly incident: string | null
      readonly target: string
      readonly capability: string
    } & Omit<Receipt, 'result'>)
  | {
      readonly what: 'hold'
      readonly incident: string
      readonly hold: string
      readonly door: string
      readonly mode: string
      readonly until: number
      readonly confirmed: boolean
      readonly ended: string | null
    }
  | {
      readonly what: 'fault'
      readonly incident: null
      readonly fault: string
      readonly words: string
      readonly open: boolean
    }
  | {
      readonly what: 'summary'
      readonly incident: string | null
      readonly words: string
      readonly count: number
    }
  | {
      readonly what: 'answer'
      readonly incident: string | null
      readonly command: string
      readonly answer: string
      readonly by: string
    }
  | {
      readonly what: 'assigned'
      readonly incident: null
      readonly device: string
      /** null: taken back. */
      readonly person: string | null
      readonly role: string | null
      readonly by: string
    }
  | {
      /** A list of the config brought newer assignments. */
      readonly what: 'assigned.list'
      readonly incident: null
      readonly devices: number
    }
  | {
      readonly what: 'check-in'
      readonly incident: null
      readonly is: 'begun' | 'extended' | 'ended' | 'missed'
      readonly id: string
      readonly device: string | null
      readonly until: number
      readonly by: string
    }
  | {
      readonly what: 'location-walk'
      readonly incident: null
      readonly unit: string
      readonly right: number
      readonly rooms: number
      readonly by: string
    }
  | {
      /** Somebody looked where a device is without an incident, and said why. */
      readonly what: 'located'
      readonly incident: null
      readonly device: string
      readonly by: string
      readonly why: string
    }
  | {
      /** A device was proven, or not, by a press whose outputs were watched, or by somebody's word. */
      readonly what: 'test'
      readonly incident: string | null
      readonly device: string
      readonly proven: boolean
      readonly how: ProofWay
      readonly by: string
      /** The outputs that were observed, or why it is not proven. */
      readonly words: string
    }
  | {
      readonly what: 'service'
      readonly incident: null
      readonly device: string
      /** ms since the epoch; null: it is over. */
      readonly until: number | null
      readonly by: string
      readonly words: string
    }
  | {
      readonly what: 'walk-test'
      readonly incident: null
      readonly test: string
      readonly devices: readonly string[]
      /** ms since the epoch; null: it is over. */
      readonly until: number | null
      readonly by: string
    }
  | {
      readonly what: 'inspection'
      readonly incident: null
      readonly device: string
      readonly damaged: boolean
      readonly note: string
      /** sha256 of the picture. */
      readonly photo: string | null
      readonly by: string
    }
  | { readonly what: 'start'; readonly incident: null; readonly revision: string; readonly epoch: number }
  | {
      /** The life before went on with it without a disk, and was ended; it is known from notes beside the records. */
      readonly what: 'unrecorded'
      readonly incident: string
      readonly until: number
      /** So many of its commands may have been done. */
      readonly commands: number
      /** There was no room to note them all. */
      readonly isWhole: boolean
    }
  | {
      /** Change sets that found no room in memory while there was no disk. */
      readonly what: 'store.gap'
      readonly incident: null
      readonly sets: number
      readonly from: number
      readonly to: number
    }
  | {
      /** A fresh file goes on where another one failed. */
      readonly what: 'store.continues'
      readonly incident: null
      readonly file: string
      readonly seq: number
      readonly chain: string
      readonly why: string
    }

/** An entry with the time of its change set, as watchers get it. */
export type Told = Entry & { readonly at: number }
