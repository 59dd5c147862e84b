import { hash } from 'node:crypto'
import jsonata from 'jsonata'
import { z } from 'zod'
import { Kind } from '../../../core/fact.ts'
import {
  type Heard,
  heardMax,
  Malformed,
  type Message,
  type Near,
  nameOf,
  type Read,
  type Sign,
  timeOf,
} from '../heard.ts'

/** Bounds of one JSONata evaluation: an expression may meet any message. Time in ms, depth in calls, length of a list. */
const bounds = { timeout: 50, stack: 200, sequence: 10_000 }
/** The same message without an id is the same press within this, ms; within the longer when the broker tells it again. */
const echoMs = { once: 1_000, again: 120_000 }
const idSameMs = 86_400_000

/** A detail that must not cost the press when it is nonsense. */
const wish = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined)
const name = z.unknown().transform(nameOf)
const time = z.unknown().transform(timeOf)

const Press = z.object({
  id: wish(name),
  pattern: wish(name),
  kind: wish(Kind),
  person: wish(name),
  counter: wish(z.int().min(0)),
  since: wish(z.union([z.number().min(0), z.null()])),
  lastAt: wish(time),
  held: wish(z.boolean()),
  drill: wish(z.boolean()),
  simulated: wish(z.boolean()),
})
type Press = z.infer<typeof Press>

/** Whatever is there and not false is a press; nonsense in it costs only itself. */
const pressIn = (said: unknown): Press | undefined =>
  said === undefined || said === null || said === false
    ? undefined
    : (Press.safeParse(typeof said === 'string' ? { pattern: said } : said).data ?? {})

const Seen = z.object({
  area: wish(name),
  gateway: wish(name),
  zone: wish(name),
  rssi: wish(z.number()),
  at: wish(time),
  confidence: wish(z.number().min(0).max(1)),
})

const Said = z.object({
  tag: wish(name),
  device: wish(name),
  press: z.unknown().optional(),
  battery: wish(z.number().min(0).max(100)),
  seen: wish(z.union([Seen, z.array(Seen).max(50)])),
})

/** JSONata: the message is what it looks at, `$topic` its topic and `$levels` the levels of that. */
export const mapping = (text: string): Read => {
  const expression = jsonata(text, bounds)
  return async (message) => {
    const { topic } = message
    const said = await evaluate(expression, bodyOf(message), { topic, levels: topic.split('/') })
    const list = Array.isArray(said) ? said : said === undefined || said === null ? [] : [said]
    if (list.length > heardMax) throw new Malformed(`the mapping makes more than ${heardMax} entries`)
    const heard = list.flatMap((each) => heardOf(each, message))
    if (list.length > 0 && heard.length === 0) throw new Malformed('the mapping makes nothing with a `tag`')
    return heard
  }
}

/** Text where it is no JSON. */
const bodyOf = ({ payload }: Message): unknown => {
  const text = payload.toString('utf8')
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const evaluate = async (
  expression: jsonata.Expression,
  body: unknown,
  bindings: object,
): Promise<unknown> => {
  try {
    return await expression.evaluate(body, { ...bindings })
  } catch (error) {
    // JSONata throws objects that are no errors.
    const { message, position } = error as { message?: string; position?: number }
    const where = position === undefined ? '' : ` at character ${position}`
    throw new Malformed(`the mapping fails on it${where}: ${message ?? 'unknown'}`)
  }
}

const heardOf = (each: unknown, message: Message): Heard[] => {
  const { tag, device, battery, seen = [], ...said } = Said.safeParse(each).data ?? {}
  const press = pressIn(said.press)
  const names = [tag, device].filter((name) => name !== undefined)
  if (names.length === 0) return []
  const places = Array.isArray(seen) ? seen : [seen]
  return [
    {
      names,
      what: 'badge',
      near: places.flatMap(nearOf),
      at: places[0]?.at,
      batteryPercent: battery,
      active: press?.held,
      signs: press === undefined ? [] : [pressedOf(press, message)],
      raw: each,
    },
  ]
}

/** What has a strength of reception, or is called so, is a gateway. */
const nearOf = ({ area, gateway, zone, rssi, confidence }: z.infer<typeof Seen>): Near[] => {
  const name = gateway ?? area ?? zone
  const is = gateway !== undefined || (zone === undefined && rssi !== undefined) ? 'gateway' : 'zone'
  return name === undefined ? [] : [{ is, name, rssi, confidence }]
}

const pressedOf = (press: Press, message: Message) => {
  const { pattern, kind, person, drill, simulated } = press
  return { sign: signOf(press, message), pattern, kind, person, drill, simulated }
}

const signOf = ({ id, counter, since, lastAt, held }: Press, { payload, again }: Message): Sign => {
  if (counter !== undefined) return { is: 'counter', counter, sinceS: since }
  if (lastAt !== undefined || held !== undefined)
    return { is: 'stamp', button: 'button', pushed: held ?? false, pressedAt: lastAt ?? null }
  if (id !== undefined) return { is: 'event', id, sameMs: idSameMs }
  const digest = hash('sha256', payload, 'hex').slice(0, 16)
  return { is: 'event', id: digest, sameMs: again ? echoMs.again : echoMs.once }
}
