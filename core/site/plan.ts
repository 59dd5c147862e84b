import { z } from 'zod'
import type { Condition } from '../command.ts'
import { duration } from '../connector.ts'
import { Kind } from '../fact.ts'
import { PlacePath } from './name.ts'

const conditions = [
  'acknowledged',
  'on-the-way',
  'on-scene',
  'resolved',
] as const satisfies readonly Condition[]

const Act = z
  .looseObject({
    to: z
      .union([z.string(), z.array(z.string()).min(1)])
      .describe('Names of responders or devices, `nearest` (cameras) or `guarding` (doors).'),
    expires: duration('How long after it is due it may still start.', { min: '1s' }).optional(),
    limit: duration('How long what it sets may stay: a lock is released, a relay set back.', {
      min: '1s',
      max: '8h',
    }).optional(),
    because: z
      .string()
      .min(5)
      .optional()
      .describe('Why a lockdown is right here; required for kinds other than weapon.'),
  })
  .describe('Target and arguments of one capability; the further fields are its arguments.')

const Step = z.strictObject({
  at: duration('When, counted from the press.', { max: '12h' }),
  unless: z
    .union([z.enum(conditions), z.array(z.enum(conditions)).min(1)])
    .optional()
    .describe('Not if this has happened by then: acknowledged, on-the-way, on-scene or resolved.'),
  do: z
    .array(
      z.record(z.string(), Act).refine((act) => Object.keys(act).length === 1, 'one capability an entry'),
    )
    .min(1)
    .max(50)
    .describe('What is done, each entry one capability.'),
})

/** What is done for a press, as it is written. */
export const Plan = z.strictObject({
  when: z
    .strictObject({
      kind: z
        .union([Kind, z.array(Kind).min(1)])
        .optional()
        .describe('For these kinds; default all.'),
      place: z
        .union([PlacePath, z.array(PlacePath).min(1)])
        .optional()
        .describe('For presses in these places; default everywhere, place unknown included.'),
    })
    .describe('Which presses it is for; of several the one with the closest place, then with a kind, wins.'),
  silent: z.boolean().default(false).describe('Nothing may be seen or heard near the presser.'),
  because: z.string().min(5).optional().describe('Why this plan is as it is, where a check asks for it.'),
  steps: z.array(Step).min(1).max(50).describe('What is done and when.'),
})
