import { z } from 'zod'
import type { Json } from '../../core/fact.ts'

const Counted = z.object({
  counter: z.number(),
  /** Tells counters apart that started anew; part of the key. */
  era: z.string(),
  /** The newest time at which this counter was told, ms since the epoch. */
  readAt: z.number(),
  /** The last counter before it ran over: a straggler of then is no press. */
  top: z.number().optional(),
})
export type Counted = z.infer<typeof Counted>

const Stamped = z.object({
  /** Times of the last presses, ms since the epoch, oldest first. */
  recent: z.array(z.number()).max(100),
})
/** `pushed` is not stored: after a restart nobody knows what happened to the button. */
export type Stamped = z.infer<typeof Stamped> & { readonly pushed?: boolean }

const Told = z.object({ id: z.string(), key: z.string(), at: z.number() })
export type Told = z.infer<typeof Told>

const Advertised = z.object({ key: z.string(), at: z.number() })
export type Advertised = z.infer<typeof Advertised>

const Memory = z.object({
  counted: Counted.optional(),
  stamped: z.record(z.string(), Stamped).optional(),
  told: z.array(Told).max(100).optional(),
  advertised: Advertised.optional(),
})

/** What is remembered of the presses of one badge; its cursor. */
export interface Memory {
  readonly counted?: Counted | undefined
  readonly stamped?: Readonly<Record<string, Stamped>> | undefined
  readonly told?: readonly Told[] | undefined
  readonly advertised?: Advertised | undefined
}

export const memoryOf = (cursor: Json | undefined): Memory => Memory.safeParse(cursor).data ?? {}

export const cursorOf = ({ counted, stamped, told, advertised }: Memory): Json => ({
  ...(counted && { counted }),
  ...(stamped && {
    stamped: Object.fromEntries(Object.entries(stamped).map(([button, { recent }]) => [button, { recent }])),
  }),
  ...(told && { told }),
  ...(advertised && { advertised }),
})
