import { z } from 'zod'

/** Names of connectors, devices, responders and plans. */
export const Name = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/, 'use letters, digits, dots, dashes and underscores, at most 63')

/** Keys from the root, with slashes: `north/l2/ed/triage-2`. */
export const PlacePath = z.string().min(1).max(300)
