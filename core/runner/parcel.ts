import { z } from 'zod'
import type { Outcome } from '../command.ts'
import type { Json, State } from '../fact.ts'

/** Each worker has two boxes, so that no other can read or fill them (Redis ACL). */
export const boxTo = (worker: string): string => `to-${worker}`
export const boxFrom = (worker: string): string => `from-${worker}`

/** How late an order may still be started by a worker, ms; a missed one goes another way (mechanics, "Runners and workers"). */
export const graceMs = 500
/** Orders in one parcel at most; what is more goes in the next. */
export const ordersMax = 100

/** What may not be sent without knowing whether it is still wanted: it sets what people stand in front of. */
export const needsMark: ReadonlySet<string> = new Set(['door.secure', 'door.lockdown', 'relay.set'])

const Text = z.string().max(300)

const CarriedOrder = z.object({
  id: z.string().max(1_000),
  attempt: z.number().int(),
  link: Text,
  capability: Text,
  address: z.custom<Json>(() => true),
  args: z.custom<Json>(() => true),
  /** How long it may take from its start on, ms. */
  ms: z.number().positive(),
})
/** An order as it travels: Json, no signal. */
export type CarriedOrder = z.infer<typeof CarriedOrder>

/** An order in a parcel. `message`: which of the parcel's messages is its `args.message`. */
const PackedOrder = CarriedOrder.extend({ message: z.number().int().nonnegative().optional() })

/** What the bridge says to a worker. */
export const ToWorker = z.discriminatedUnion('is', [
  /** Shows that the whole way lives, and measures the worker's clock. */
  z.object({ is: z.literal('canary'), id: Text, openings: Text }),
  z
    .object({
      is: z.literal('orders'),
      parcel: Text,
      /** The worker's life that it is meant for; another one starts nothing of it. */
      session: Text,
      /** What the worker must have opened, and nothing older. */
      openings: Text,
      /** None of it may be started after this, on the worker's own monotonic clock, ms. */
      startBy: z.number(),
      messages: z.array(z.custom<Json>(() => true)).max(ordersMax),
      orders: z.array(PackedOrder).max(ordersMax),
    })
    .refine(({ messages, orders }) => orders.every(({ message = -1 }) => message < messages.length)),
])
export type ToWorker = z.infer<typeof ToWorker>

type Packed = Pick<Extract<ToWorker, { is: 'orders' }>, 'messages' | 'orders'>

/** Orders as a parcel has them: those of one step share their message, most of what they say, and it travels once. */
export const pack = (orders: readonly CarriedOrder[]): Packed => {
  const places = new Map<Json, number>()
  const packed = orders.map((order) => {
    const { message, ...args } = (order.args ?? {}) as { readonly message?: Json }
    if (typeof message !== 'object' || message === null) return order
    const place = places.get(message) ?? places.size
    places.set(message, place)
    return { ...order, args, message: place }
  })
  return { messages: [...places.keys()], orders: packed }
}

/** The orders of a parcel as they were; those that shared a message share it again. */
export const ordersIn = ({ messages, orders }: Packed): CarriedOrder[] =>
  orders.map(({ message, ...order }) =>
    message === undefined
      ? order
      : { ...order, args: { ...(order.args as object), message: messages[message] as Json } },
  )

const WorkerLink = z.object({ name: Text, up: z.boolean(), why: z.string().max(600).nullable() })
/** How a link of a worker is. */
export type WorkerLink = z.infer<typeof WorkerLink>

const Ended = z.object({
  parcel: Text,
  /** Which order of the parcel. */
  n: z.number().int(),
  /** null: it was not started. */
  outcome: z.custom<Outcome>((value) => typeof (value as Outcome | null)?.ok === 'boolean').nullable(),
  /** Why not: too late, its link is not there, or the bridge took it back. */
  refused: z.enum(['late', 'link', 'taken-back']).optional(),
  why: z.string().max(1_000).optional(),
})

/** What a worker says to the bridge. */
export const ToBridge = z.object({
  session: Text,
  /** Grows with each report of a session, so that an old one shown again is known. */
  seq: z.number().int(),
  canary: z
    .object({
      id: Text,
      /** The worker's monotonic clock when the canary came in, ms. */
      mono: z.number(),
      openings: Text,
      links: z.array(WorkerLink).max(10_000),
    })
    .optional(),
  ended: z.array(Ended).optional(),
  notes: z
    .array(
      z.object({
        device: Text,
        state: z.custom<State>((value) => typeof value === 'object' && value !== null),
      }),
    )
    .optional(),
  kept: z
    .array(z.object({ bytes: z.base64(), mediaType: z.string().max(200), capturedAt: z.number() }))
    .optional(),
})
export type ToBridge = z.infer<typeof ToBridge>
export type Ended = NonNullable<ToBridge['ended']>[number]

/** What a worker opens; secrets stay references, which it resolves on its own machine. */
export const Openings = z.object({
  links: z.array(
    z.object({
      name: Text,
      type: Text,
      connector: Text,
      isolate: z.boolean(),
      config: z.custom<Json>(() => true),
      outputs: z.array(z.tuple([z.string(), z.custom<Json>(() => true)])),
    }),
  ),
})
export type Openings = z.infer<typeof Openings>

/** What a sealed message is bound to. */
export const about = {
  parcel: 'parcel',
  report: 'report',
  openings: 'openings',
  mark: (parcel: string, field: string) => `mark ${parcel} ${field}`,
} as const

/** The mark of who may start a parcel: whoever sets it first. */
export const ownerField = 'owner'

export const encode = (message: ToWorker | ToBridge | Openings): Buffer =>
  Buffer.from(JSON.stringify(message))

/** What was sealed by somebody who has the key may still be of another version: null when it is not understood. */
export const decode = <T>(schema: z.ZodType<T>, bytes: Buffer | null): T | null => {
  if (!bytes) return null
  try {
    const read = schema.safeParse(JSON.parse(bytes.toString()))
    return read.success ? read.data : null
  } catch {
    return null
  }
}
