import { z } from 'zod'
import { type Json, Kind, Level } from '../fact.ts'

/** A place, with all that is needed to judge it. */
export const Location = z
  .object({
    place: z.string().nullable().describe('Path in the place tree; null when the place is unknown.'),
    precision: Level.nullable().describe('How exactly the place is known; null when it is unknown.'),
    from: z
      .enum(['fixed', 'badge', 'gps', 'last-known', 'manual', 'unknown'])
      .describe('What the place was told by.'),
    at: z.number().describe('When the person was seen there, ms since the epoch.'),
    confidence: z.number().min(0).max(1).optional().describe('How sure the source is, 0 to 1.'),
    orElse: z.array(z.string()).optional().describe('Paths of other places that it could as well be.'),
    address: z.string().optional().describe('Where the person is, in words, outside of the site.'),
    position: z
      .object({
        latitude: z.number().describe('Degrees, north positive (WGS 84).'),
        longitude: z.number().describe('Degrees, east positive (WGS 84).'),
        accuracyM: z.number().optional().describe('Radius within which it is as good as certain, metres.'),
      })
      .optional()
      .describe('Where the device says that it is on the globe.'),
  })
  .describe('Where the person is.')
export type Location = z.infer<typeof Location>

/** A press after intake: one schema for every source. Published as JSON Schema. */
export const Event = z.object({
  id: z.string().describe('Unique, sortable by time (UUID version 7).'),
  key: z
    .string()
    .describe('What makes it the same press when it is heard twice; unique within its connector.'),
  kind: Kind,
  phase: z.enum(['active', 'restored']).describe('Pressed, or let go and reset.'),
  source: z
    .object({
      connector: z.string().describe('Name of the connector that heard it.'),
      device: z.string().nullable().describe('Name of the configured device; null when none matches.'),
      type: z
        .enum(['panic-panel', 'keypad', 'badge', 'mobile', 'camera-input', 'door-reader', 'api'])
        .describe('What sort of device it is.'),
      words: z.string().describe('The source in words.'),
    })
    .describe('What said it.'),
  receivedAt: z.number().describe('Our time of receipt, ms since the epoch; decides order.'),
  occurredAt: z.number().nullable().describe("The device's own time, ms since the epoch; may be wrong."),
  clockOffsetMs: z.number().nullable().describe("The device's clock minus ours, ms, where known."),
  location: Location,
  person: z.string().nullable().describe('Who pressed, where known.'),
  role: z.string().nullable().describe('What the person is by profession, where known.'),
  context: z
    .object({ words: z.string(), at: z.number().describe('ms since the epoch') })
    .nullable()
    .describe('What the device had said before that is worth knowing: "opened by user 12".'),
  silent: z.boolean().describe('The press itself demands silence.'),
  drill: z.boolean().describe('Part of a drill.'),
  mode: z
    .enum(['walk-test', 'service'])
    .optional()
    .describe(
      'What its device was in: a walk test makes a drill of it; in service mode it is a call all the same.',
    ),
  simulated: z.boolean().describe('Made by a simulator: recorded, never dispatched.'),
  raw: z.custom<Json>().describe('What the wire said, bounded.'),
})
export type Event = z.infer<typeof Event>
