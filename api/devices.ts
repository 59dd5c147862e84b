import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Machine } from '../core/machine.ts'
import type { LinkHealth } from '../core/runner/inline.ts'
import type { Device } from '../core/site/site.ts'
import { standings as allStandings, type Standing } from '../core/supervision/standing.ts'
import { answer, failures, jsonSchema } from './schema.ts'

/** Faults in one answer; a flood of unknown sources can make more. */
const faultsMax = 500

const Query = z.strictObject({
  only: z.enum(['counts']).optional().describe('Only how many stand how.'),
})

/** How devices, links and faults are. Never where a person is. */
export const deviceRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { site, runner, faults, clock, supervision } = machine
  app.get<{ Querystring: z.infer<typeof Query> }>(
    '/v1/devices',
    {
      schema: {
        ...schemaOf(
          'All configured devices and how they are.',
          '`devices`, and `counts` of them by how they stand; with `only=counts` these, `service` and `walkTests`.',
        ),
        querystring: jsonSchema(Query),
      },
    },
    async ({ query }) => {
      const standings = supervision.standings()
      const counts = countsOf(standings.values())
      if (query.only === 'counts') return { counts, ...modesOf(machine) }
      const links = new Map(runner.health().map((link) => [link.name, link]))
      const open = faultsByDevice(machine)
      const devices = [...site.devices.values()].map((device) => ({
        ...viewOf(machine, device, links.get(device.link)),
        ...standingOf(machine, device, standings.get(device.name)),
        faults: open.get(device.name) ?? [],
      }))
      return { devices, counts }
    },
  )
  app.get(
    '/v1/links',
    { schema: schemaOf('All connections and the age of their data.', '`links`.') },
    async () => ({
      links: runner.health().map((link) => ({ ...link, ageMs: ageOf(link.heardAt, clock.now()) })),
    }),
  )
  app.get(
    '/v1/faults',
    { schema: schemaOf('What is wrong now.', '`faults`, newest first, and their `total`.') },
    async () => {
      const open = faults.open()
      return { faults: open.slice(-faultsMax).reverse(), total: open.length }
    },
  )
}

const schemaOf = (summary: string, described: string) => ({
  summary,
  response: { 200: answer(described), ...failures() },
})

const viewOf = ({ memory, clock }: Machine, device: Device, link: LinkHealth | undefined) => {
  const { name, label, connector, means, place, person, can } = device
  const state = memory.state(name)
  const heardAt = memory.heardAt(name)
  return {
    name,
    label,
    connector,
    means: device.input === null ? null : means,
    can: [...can],
    // Where something hangs; what is carried has no place of its own.
    place: person === null ? (place?.path ?? null) : null,
    link: device.link,
    up: link?.up ?? false,
    why: link?.why ?? null,
    linkAgeMs: ageOf(link?.heardAt ?? null, clock.now()),
    heardAt,
    ageMs: ageOf(heardAt, clock.now()),
    quality: state?.quality ?? null,
    batteryPercent: state?.batteryPercent ?? null,
  }
}

/** What is out of the ordinary on purpose: nobody is to forget it. */
const modesOf = ({ supervision, site, clock }: Machine) => {
  const now = clock.now()
  const serviced = [...site.devices.keys()].flatMap((device) => {
    const known = supervision.modes.serviced(device, now)
    return known ? [{ device, ...known }] : []
  })
  return { service: serviced, walkTests: supervision.modes.walkTests() }
}

/** How it stands, and since when it is proven. */
const standingOf = (
  { supervision, clock }: Machine,
  { name, worn }: Device,
  standing: Standing | undefined,
) => ({
  worn,
  stands: standing?.is ?? null,
  standsWhy: standing?.why ?? null,
  mode: supervision.modes.of(name, clock.now()) ?? null,
  test: supervision.proofs.of(name) ?? null,
  service: supervision.modes.serviced(name, clock.now()) ?? null,
  inspection: supervision.inspection(name) ?? null,
})

/** How many devices stand how; none are counted as well. */
export const countsOf = (standings: Iterable<Standing>): Record<Standing['is'], number> => {
  const counts = Object.fromEntries(allStandings.map((is) => [is, 0])) as Record<Standing['is'], number>
  for (const { is } of standings) counts[is]++
  return counts
}

/** Ids of faults end with the name of what they are about: `low-battery:badge-7`. */
const faultsByDevice = ({
  faults,
  site,
}: Machine): Map<string, { id: string; what: string; openedAt: number }[]> => {
  const found = new Map<string, { id: string; what: string; openedAt: number }[]>()
  for (const { id, what, openedAt } of faults.open()) {
    const name = id.slice(id.indexOf(':') + 1)
    if (site.devices.has(name)) found.set(name, [...(found.get(name) ?? []), { id, what, openedAt }])
  }
  return found
}

/** How long ago, ms; null: never. */
export const ageOf = (at: number | null, now: number): number | null =>
  at === null ? null : Math.max(0, now - at)
