import { hash } from 'node:crypto'
import { z } from 'zod'
import { BoundedMap } from '../../core/bounded.ts'
import { BridgeError } from '../../core/error.ts'
import { type Json, Kind } from '../../core/fact.ts'

/** Deeper JSON than this is refused; what we know of is four deep. */
const depthMax = 32
/** Presses that one request may carry. */
const pressesMax = 100
/** Numbers below this are seconds since the epoch, from here on milliseconds (1973). */
const millisecondsFrom = 1e11

/** Text for people and for keys: no control characters, no half characters. */
const text = (max: number) =>
  z.union([z.string(), z.number()]).transform((value) =>
    String(value)
      .replace(/\p{Cc}+/gu, ' ')
      .toWellFormed()
      .trim()
      .slice(0, max),
  )

const time = z.union([z.string(), z.number()]).transform((value, ctx) => {
  const ms = typeof value === 'string' ? Date.parse(value) : value < millisecondsFrom ? value * 1_000 : value
  if (Number.isFinite(ms) && Math.abs(ms) < 8.64e15) return Math.round(ms)
  ctx.addIssue({ code: 'custom', message: 'not a time' })
  return z.NEVER
})

/** The device, as `input.id` names it; `device` is the same. */
const Named = z.object({ id: text(200).optional(), device: text(200).optional() })

/** What else a press may say. No call for help is lost for a wrong detail: it is left out. */
const details = {
  key: text(200),
  at: time,
  kind: Kind,
  pattern: text(40),
  phase: z.enum(['active', 'restored']),
  place: text(300),
  area: text(200),
  confidence: z.number().min(0).max(1),
  person: text(100),
  drill: z.literal(true),
  simulated: z.literal(true),
}
type Details = { [Name in keyof typeof details]?: z.infer<(typeof details)[Name]> }

/** What makes a press of a request's body. */
export type Call = { readonly id: string } & Readonly<Details>

const bad = (message: string) => new BridgeError('BAD_REQUEST', message)

/** The JSON of a body. Rejects with BAD_REQUEST what is none, or too deep. */
export const parseBody = (body: Buffer): Json => {
  let payload: Json
  try {
    payload = JSON.parse(body.toString('utf8')) as Json
  } catch {
    throw bad('the body is not JSON')
  }
  if (tooDeep(payload, depthMax)) throw bad(`the JSON is nested deeper than ${depthMax} levels`)
  return payload
}

const tooDeep = (value: unknown, left: number): boolean => {
  if (typeof value !== 'object' || value === null) return false
  if (left === 0) return true
  for (const inner of Array.isArray(value) ? value : Object.values(value))
    if (typeof inner === 'object' && tooDeep(inner, left - 1)) return true
  return false
}

/** Our own JSON: one press or a list. */
export const fromPress = (payload: Json): unknown => {
  if (payload === null || (Array.isArray(payload) && payload.length === 0)) throw bad('no press in it')
  return payload
}

const Envelope = z.object({
  specversion: z.string(),
  id: z.string().min(1),
  source: z.string().min(1),
  time: z.string().optional(),
  subject: z.string().optional(),
  data: z.looseObject({}).optional(),
})

/** CloudEvents 1.0 in structured or batched mode; binary mode isn't taken, since its headers are not signed. */
export const fromCloudEvents = (payload: Json): unknown => {
  const list = Array.isArray(payload) ? payload : [payload]
  if (list.length === 0) throw bad('no press in it')
  return list.map((each) => {
    const event = Envelope.safeParse(each)
    if (!event.success)
      throw bad(`not a CloudEvent with id, source and data (structured mode): ${firstIssue(event.error)}`)
    const { id, source, time: at, subject, data } = event.data
    // The pair is unique: CloudEvents 1.0, "id".
    return { id: subject, at, ...data, key: hash('sha256', JSON.stringify([source, id]), 'hex') }
  })
}

/** The presses in what a profile or a map has made of a body. */
export const callsIn = (made: unknown): Call[] => {
  const list = Array.isArray(made) ? made : made === undefined || made === null ? [] : [made]
  if (list.length > pressesMax) throw bad(`more than ${pressesMax} presses in one request`)
  return list.map(callIn)
}

const callIn = (each: unknown): Call => {
  const named = Named.safeParse(each)
  if (!named.success) throw bad(`not a press: ${firstIssue(named.error)}`)
  const id = named.data.id || named.data.device
  if (!id) throw bad('not a press: id: missing: it says which device was pressed')
  const call: { [name: string]: unknown; id: string } = { id }
  // One by one, and only those that are there: most presses say little.
  for (const [name, detail] of allDetails) {
    const said = (each as { readonly [name: string]: unknown })[name]
    const read = said === undefined ? undefined : detail.safeParse(said)
    if (read?.success) call[name] = read.data
  }
  return call
}

const allDetails: readonly (readonly [string, z.ZodType])[] = Object.entries(details)

const firstIssue = (error: z.ZodError): string => {
  const [issue] = error.issues
  return issue ? `${issue.path.join('.') || 'body'}: ${issue.message}` : 'invalid'
}

/** Identical bodies without time and key are the same press for this long, ms: a sender's retry. Later it is another, since a press must never be lost for looking like an old one. */
const repeatMs = 10_000
/** Bodies remembered for that; the oldest are forgotten first, which can only make a repeat count as a press. */
const rememberedMax = 10_000

/** Gives each press the key that makes a repeat of it the same. */
export class Keys {
  readonly #seen = new BoundedMap<string, number>(rememberedMax)

  /** `given` is the sender's own key for the request; `nth` counts the presses in it. */
  keyOf(call: Call, given: string | null, nth: number, body: Buffer, now: number): string {
    // With the id in it, so that a sender who numbers each device on its own loses nothing.
    const id = JSON.stringify(call.id)
    const phase = call.phase === 'restored' ? '/restored' : ''
    const part = nth === 0 ? '' : `#${nth}`
    if (call.key) return `${id} ${call.key}${phase}`
    if (given !== null) return `${id} ${given}${part}${phase}`
    const digest = hash('sha256', body, 'hex')
    if (call.at !== undefined) return `${id} ${call.at} ${digest}${part}`
    return `${id} ${digest}${part} ${this.#firstSeen(`${digest}${part}`, now)}`
  }

  #firstSeen(body: string, now: number): number {
    const before = this.#seen.get(body)
    if (before !== undefined && now - before <= repeatMs) return before
    this.#seen.delete(body)
    this.#seen.set(body, now)
    return now
  }
}
