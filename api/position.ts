import { z } from 'zod'
import type { Position as Fixed } from '../core/fact.ts'

export const Position = z
  .strictObject({
    latitude: z.number().min(-90).max(90).describe('Degrees, north positive (WGS 84).'),
    longitude: z.number().min(-180).max(180).describe('Degrees, east positive.'),
    accuracyM: z.number().min(0).max(1_000_000).optional().describe('Radius of certainty, metres.'),
    at: z
      .int()
      .min(0)
      .max(8_640_000_000_000_000)
      .optional()
      .describe('When it was fixed, ms since the epoch; default now.'),
  })
  .describe('Where the device is on the globe; it is mapped to a place by the outlines of the places.')

/** A phone's clock may be wrong: a fix from the future is one of now. */
export const positionOf = (
  { latitude, longitude, accuracyM, at }: z.infer<typeof Position>,
  now: number,
): Fixed => ({
  latitude,
  longitude,
  at: Math.min(at ?? now, now),
  ...(accuracyM === undefined ? {} : { accuracyM }),
})
