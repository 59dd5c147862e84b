import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { BridgeError } from '../core/error.ts'
import type { Incident } from '../core/incident/incident.ts'
import { gapsOf } from '../core/location/coverage.ts'
import { type LocationWalk, scoreOf } from '../core/location/walk.ts'
import type { Machine } from '../core/machine.ts'
import type { Place } from '../core/site/site.ts'
import { deviceOf } from './assignments.ts'
import { Refused } from './reply.ts'
import { answer, failures, jsonSchema, line } from './schema.ts'

const Id = z.strictObject({ id: line(100) })
const Begin = z.strictObject({
  device: line(100).describe('Name of the badge that the tester carries.'),
  unit: line(300).describe('Path of the unit that is walked through.'),
})
const Tap = z.strictObject({ place: line(300).describe('Path of the place that the tester stands in now.') })

/** Incidents that are looked at for their places, newest first. */
const incidentsMax = 1_000

/** Where protection has gaps, and how exactly units locate. No badge and no person is named. */
export const coverageRoutes = (app: FastifyInstance, machine: Machine): void => {
  app.get(
    '/v1/coverage',
    { schema: { summary: 'Gaps in what protects people.', response: { 200: answer('`gaps`.') } } },
    async () => {
      const { site, clock, assignments, coverage } = machine
      const current = [...assignments.all()].flatMap(([device]) => assignments.of(device, clock.now()) ?? [])
      const incidents = await placesOfIncidents(machine)
      return { gaps: gapsOf(site, { counts: coverage.counts(), assignments: current, incidents }) }
    },
  )
  walkRoutes(app, machine)
}

const placesOfIncidents = async ({ store }: Machine): Promise<string[]> => {
  const places: string[] = []
  for (let cursor: number | null = null, read = 0; read < incidentsMax; ) {
    const page: Awaited<ReturnType<typeof store.incidents>> = await store.incidents({}, cursor)
    for (const { body } of page.rows) {
      const { been, drill } = body as unknown as Incident
      if (!drill && been[0] !== undefined) places.push(been[0])
    }
    read += page.rows.length
    cursor = page.next
    if (cursor === null) break
  }
  return places
}

const walkRoutes = (app: FastifyInstance, machine: Machine): void => {
  const { locationWalks, site } = machine
  const needs = { config: { needs: 'responder' } } as const
  app.get(
    '/v1/location-walks',
    { schema: { summary: 'Walks that have ended, newest first.', response: { 200: answer('`walks`.') } } },
    async () => ({ walks: locationWalks.ended().map((walk) => viewOf(machine, walk)) }),
  )
  app.post<{ Body: z.infer<typeof Begin> }>(
    '/v1/location-walks',
    { ...needs, schema: schemaOf('Begins a walk through a unit with one badge.', Begin) },
    async ({ body, principal }, reply) => {
      const device = deviceOf(machine, body.device)
      const unit = site.places.get(body.unit)
      if (!unit) throw new BridgeError('BAD_REQUEST', `there is no place \`${body.unit}\``)
      const about = { id: randomUUID(), device: device.name, unit: unit.path, by: principal.name }
      const walk = locationWalks.begin(about)
      if (!walk) throw new Refused('TOO_BUSY', 'too many location walks are under way: end some')
      return reply.code(201).send({ ...viewOf(machine, walk), rooms: roomsOf(unit) })
    },
  )
  app.get<{ Params: z.infer<typeof Id> }>(
    '/v1/location-walks/:id',
    {
      schema: {
        summary: 'A walk and its score.',
        params: jsonSchema(Id),
        response: { 200: answer('The walk.') },
      },
    },
    async ({ params }) => viewOf(machine, walkOf(machine, params.id)),
  )
  app.post<{ Params: z.infer<typeof Id>; Body: z.infer<typeof Tap> }>(
    '/v1/location-walks/:id/tap',
    { ...needs, schema: { ...schemaOf('The tester stands here now.', Tap), params: jsonSchema(Id) } },
    async ({ params, body }) => {
      const walk = walkOf(machine, params.id)
      if (!site.places.has(body.place))
        throw new BridgeError('BAD_REQUEST', `there is no place \`${body.place}\``)
      if (!locationWalks.tap(walk.id, body.place)) throw new BridgeError('CONFLICT', 'this walk is over')
      return viewOf(machine, walkOf(machine, walk.id))
    },
  )
  app.post<{ Params: z.infer<typeof Id> }>(
    '/v1/location-walks/:id/end',
    {
      ...needs,
      schema: { ...schemaOf('Ends a walk; its score stays.', z.strictObject({})), params: jsonSchema(Id) },
    },
    async ({ params, principal }) => {
      const walk = walkOf(machine, params.id)
      if (locationWalks.isOpen(walk.id)) locationWalks.end(walk.id, principal.name)
      return viewOf(machine, walkOf(machine, walk.id))
    },
  )
}

const walkOf = ({ locationWalks }: Machine, id: string): LocationWalk => {
  const walk = locationWalks.of(id)
  if (!walk) throw new Refused('NOT_FOUND', `there is no location walk ${id}`)
  return walk
}

const viewOf = ({ site }: Machine, walk: LocationWalk) => ({ ...walk, score: scoreOf(site, walk) })

/** What a tester can stand in, in the order of the config. */
const roomsOf = (unit: Place): { path: string; name: string }[] => {
  const inner = unit.children.flatMap(roomsOf)
  return inner.length > 0 ? inner : [{ path: unit.path, name: unit.name }]
}

const schemaOf = (summary: string, body: z.ZodType) => ({
  summary,
  body: jsonSchema(body),
  response: { 200: answer('The walk, with its `score`.'), ...failures(400, 404, 409, 415, 429) },
})
