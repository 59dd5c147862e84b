import { z } from 'zod'

/** Everything that crosses a contract is Json, so that a link can live in a thread or on another machine. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** What a press calls for. */
export const Kind = z
  .enum(['duress', 'assist', 'weapon', 'hold-up', 'medical', 'man-down', 'hazard', 'unknown'])
  .describe('What a press calls for: duress, assist, weapon, hold-up, medical, man-down, hazard or unknown.')
export type Kind = z.infer<typeof Kind>

/** How exactly a place is known; the names are the levels of the place tree, widest first. */
export const levels = ['campus', 'building', 'floor', 'unit', 'zone', 'room', 'bed'] as const
export const Level = z.enum(levels)
export type Level = z.infer<typeof Level>

/** Where something was seen, by whom, and when. */
export interface Sighting {
  /** Path of a place in the site's tree. */
  readonly place: string
  /** How exactly the source can tell the place. */
  readonly precision: Level
  readonly from: 'fixed' | 'badge' | 'gps' | 'last-known' | 'manual'
  /** When it was seen, ms since the epoch. */
  readonly at: number
  /** 0 to 1, where the source says so. */
  readonly confidence?: number
  /** Other places that it could as well have been, such as the floor above. */
  readonly orElse?: readonly string[]
}

/** Where a device says that it is on the globe (WGS 84); intake maps it to a place by the places' outlines. */
export interface Position {
  /** Degrees, north positive. */
  readonly latitude: number
  /** Degrees, east positive. */
  readonly longitude: number
  /** Radius within which it is as good as certain, metres. */
  readonly accuracyM?: number
  /** When it was fixed, ms since the epoch. */
  readonly at: number
}

/** What all facts share. */
interface Said {
  /** The configured device that said it; null when no configured device matches. */
  readonly device: string | null
  /** The source in words that an officer understands when `device` is null: "badge 0117, near gateway ED-4". */
  readonly from: string
  /** What makes it the same fact when it is heard twice; unique within its connector. */
  readonly key: string
  /** The device's own time, ms since the epoch; may be wrong, and decides nothing. */
  readonly occurredAt?: number
  /** What the wire said, redacted; cut to 4 KiB by intake. */
  readonly raw: Json
  /** Where to read on after a restart; stored in the transaction of the fact. */
  readonly cursor?: Json
}

/** A call for people. */
export interface Press extends Said {
  readonly is: 'press'
  readonly phase: 'active' | 'restored'
  readonly kind?: Kind
  /** How it was pressed or which button: "double", "long", "left". The device's `patterns` maps it to a kind. */
  readonly pattern?: string
  readonly sighting?: Sighting
  readonly position?: Position
  /** Where the person is where the site has no place for it, such as a patient's home. */
  readonly address?: string
  readonly person?: string
  /** What the sender adds, in words: a note to responders. */
  readonly words?: string
  /** Set on the press that `Link.beat` made: the mark it was called with. */
  readonly heartbeat?: string
  /** Made by a simulator upstream: recorded, never dispatched. */
  readonly simulated?: true
  readonly drill?: true
}

/** A device about itself. */
export interface Trouble extends Said {
  readonly is: 'trouble'
  readonly phase: 'active' | 'restored'
  readonly trouble:
    | 'tamper'
    | 'low-battery'
    | 'power-loss'
    | 'comm-loss'
    | 'bypassed'
    | 'forced'
    | 'held-open'
    | 'fault'
  /** What the device says of it, in words, where that tells more than `trouble`. */
  readonly words?: string
}

/** A reply of a person or a target to a command. */
export interface Answer extends Said {
  readonly is: 'answer'
  readonly command: string
  readonly answer: 'delivered' | 'read' | 'acknowledge' | 'on-the-way' | 'on-scene' | 'decline'
}

/** What the wire says. Facts are recorded before they are acknowledged. */
export type Fact = Press | Trouble | Answer

/** What is only remembered: the newest wins, thinned to one a second, never waits for the disk. */
export interface State {
  /** `unknown` is never "not pressed" and never "no fire". */
  readonly quality?: 'good' | 'unknown'
  /** Level of the input, after polarity: a button held down, a fire input in alarm. */
  readonly active?: boolean
  readonly batteryPercent?: number
  /** The device's clock minus ours, ms. */
  readonly clockOffsetMs?: number
  readonly sighting?: Sighting
  readonly position?: Position
  /** What else is worth knowing beside a press, in words with its time: "opened by user 12". */
  readonly context?: { readonly words: string; readonly at: number }
  readonly cursor?: Json
}
