import { covers, type Values } from './codec.ts'
import type { Output } from './config.ts'
import type { Hearer } from './listener.ts'
import { type Run, relayOf, requestsFor } from './points.ts'
import type { ModbusException } from './refusal.ts'
import type { Unit } from './unit.ts'
import type { Wire } from './wire.ts'

/** One request of a cycle, and what has become of it. */
export interface Request {
  readonly unit: Unit
  readonly run: Run
  /** null: could not be read. */
  values: Values | null
  /** Those that need this request last of all in a cycle, and those that need it at all. */
  listeners: Hearer[]
  users: Hearer[]
  restUntil: number
  failures: number
  refusal: ModbusException | null
}

const request = (unit: Unit, run: Run): Request => ({
  unit,
  run,
  values: null,
  listeners: [],
  users: [],
  restUntil: Number.NEGATIVE_INFINITY,
  failures: 0,
  refusal: null,
})

/** The fewest requests that serve all hearers, unit by unit. */
export const requestsOf = (hearers: readonly Hearer[], maxGap: number): Request[] => {
  const units = new Set(hearers.map(({ unit }) => unit))
  return [...units].flatMap((unit) => {
    const runs = hearers.filter((hearer) => hearer.unit === unit).flatMap((hearer) => hearer.runs)
    return requestsFor(runs, maxGap).map((run) => request(unit, run))
  })
}

/** What a link without inputs reads to see that its units are there: a relay of each. */
export const livenessOf = (outputs: Iterable<Output>, wire: Wire): Request[] => {
  const units = new Map<Unit, Request>()
  for (const output of outputs) {
    const unit = wire.unit(output.unit)
    const { read, address } = relayOf(output)
    if (!units.has(unit)) units.set(unit, request(unit, { read, address, length: 1 }))
  }
  return [...units.values()]
}

/** One wrong address, or one in a gap, spoils a whole request: its parts one by one, or nothing if there are none. */
export const partsOf = (each: Request, hearers: readonly Hearer[]): Request[] => {
  const parts = hearers
    .filter(({ unit }) => unit === each.unit)
    .flatMap(({ runs }) => runs)
    .filter((run) => covers(each.run, run))
  const single = requestsFor(parts, -1).map((run) => request(each.unit, run))
  return single.length < 2 ? [] : single
}

/** In a whole cycle each hearer hears after the last of the requests that it needs. */
export const assign = (requests: Request[], hearers: readonly Hearer[]): Request[] => {
  for (const each of requests) Object.assign(each, { listeners: [], users: [] })
  for (const hearer of hearers) {
    const needed = requests.filter(
      ({ unit, run }) => unit === hearer.unit && hearer.runs.some((own) => covers(run, own)),
    )
    needed.at(-1)?.listeners.push(hearer)
    for (const each of needed) each.users.push(hearer)
  }
  return requests
}
