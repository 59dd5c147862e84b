import { z } from 'zod'
import { Kind, Level } from '../fact.ts'

/** Where, as people are told it: how exactly, how old, from what. */
export const Whereabouts = z.object({
  /** Path in the place tree; null when the place is unknown. */
  place: z.string().nullable(),
  /** The place in words, nearest first: "Triage 2, Emergency". */
  name: z.string(),
  /** The short name that fits a pager: "ED Triage 2". */
  short: z.string(),
  precision: Level.nullable(),
  from: z.enum(['fixed', 'badge', 'gps', 'last-known', 'manual', 'unknown']),
  /** When the person was seen there, ms since the epoch; its age is computed at the send. */
  at: z.number(),
  confidence: z.number().optional(),
  /** Names of other places that it could as well be. */
  orElse: z.array(z.string()).optional(),
  address: z.string().optional(),
  /** Degrees (WGS 84) and metres, where the device said where it is on the globe. */
  position: z
    .object({ latitude: z.number(), longitude: z.number(), accuracyM: z.number().optional() })
    .optional(),
})
export type Whereabouts = z.infer<typeof Whereabouts>

/** Why a message is sent now. */
export const About = z.enum([
  'press',
  'again',
  'escalation',
  'moved',
  'overdue',
  'reminder',
  'stand-down',
  'upgrade',
  'fault',
])

/** What people are told. Core owns the words (`fit`), the connector its length limit. */
export const Message = z.object({
  incident: z.string(),
  site: z.string(),
  /** In which times are told. */
  timezone: z.string(),
  /** The number that people say on the radio. */
  number: z.number().int(),
  about: About,
  kind: Kind,
  drill: z.boolean(),
  /** A tester pressed: nobody is to come. */
  walkTest: z.boolean().optional(),
  silent: z.boolean(),
  where: Whereabouts,
  /** Who pressed, as far as a configured name or role may be told. */
  who: z.string().nullable(),
  /** What said it, in words, when no configured device matches: "badge 0117, near gateway ED-4". */
  source: z.string().nullable(),
  /** When we received the press, ms since the epoch. */
  receivedAt: z.number(),
  /** When this message was due, ms since the epoch; the difference to the send is how late it is. */
  dueAt: z.number(),
  /** Who has acknowledged, so that responders know who else is coming. */
  acknowledgedBy: z.string().nullable(),
  /** Further lines of fact: "WEAPON: do not enter unarmed". */
  notes: z.array(z.string()),
  /** An earlier attempt may have had an effect: the reader may have seen this already. */
  possibleRepeat: z.boolean().optional(),
})
export type Message = z.infer<typeof Message>
